#!/usr/bin/env bash
# sides.sh CHECKOUT: say which commit the one that is checked out there (with its parents) is to be compared with.
#
# BASE names it, if anybody did: an input of the action, the base of a merge group, what a push began from. Otherwise it
# is the first parent: of the merge commit that a pull request is tested as, that is the branch it goes to as it is now,
# so that nobody is blamed for what others have landed since.
set -euo pipefail
. "$(dirname "$0")/into.sh"
stop() {
  echo "::error title=gate::no judgement: $1"
  printf '### Latency, B against A\n\n**No judgement**: %s.\n' "$1" | into "${GITHUB_STEP_SUMMARY:-}"
  exit 3
}
base=${BASE:-}
if [ "${EVENT:-}" = pull_request_target ] && [ -z "$base" ]; then
  stop 'on pull_request_target the commit at hand is not that of the pull request; use pull_request'
fi
if [ -z "${base//0/}" ]; then  # a branch that was just begun was pushed from the commit 000...
  base=$(git -C "$1" rev-parse --verify --quiet 'HEAD^1') || stop 'the commit has no parent to be compared with'
fi
echo "base=$base" | into "${GITHUB_OUTPUT:-}"
