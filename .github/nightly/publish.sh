#!/usr/bin/env bash
# publish.sh REPOSITORY ROWS PAGE: commit ROWS and what is in PAGE on the branch `nights`, and push it. Where somebody else
# pushed meanwhile, it is done anew on what is there then; where nothing is new, nothing is done.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
git -C "$1" config user.name nightly
git -C "$1" config user.email nightly@users.noreply.invalid
for try in 1 2 3 4 5; do
  "$here/keep.sh" "$1" "$2"
  if [ -d "$3" ]; then
    cp -r "$3/." "$1"
  fi
  git -C "$1" add --all
  if git -C "$1" diff --cached --quiet; then
    echo 'nothing is new'
    exit 0
  fi
  git -C "$1" commit --quiet --message "Rows of $(date --utc +%F)"
  if git -C "$1" push --quiet origin HEAD:nights; then
    exit 0
  fi
  echo "push $try was refused; once more on what is there now" >&2
  sleep "${PAUSE:-5}"
  git -C "$1" fetch --quiet origin nights:refs/remotes/origin/nights || git -C "$1" fetch --quiet origin
done
echo '::error title=nights::the branch could not be pushed; the rows are in the artifacts of this run'
exit 1
