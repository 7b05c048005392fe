#!/usr/bin/env bash
# keep.sh REPOSITORY ROWS: on the branch `nights` of REPOSITORY, begun if there is none, put ROWS into nights/DATE/.
#
# The date is that on which a file's first row was measured, not today's: a late re-run belongs to its night. A file that
# is there already stays; one that grew is replaced; another one of the same name gets a number.
set -euo pipefail
shopt -s nullglob
if git -C "$1" rev-parse --verify --quiet origin/nights > /dev/null; then
  git -C "$1" switch --quiet --force-create nights origin/nights
elif [ "$(git -C "$1" symbolic-ref --quiet --short HEAD || true)" != nights ]; then
  git -C "$1" switch --quiet --orphan nights
fi
measured_on() { # the earliest started_at of a file; its column stands before every text that may hold a comma
  awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "started_at") at = i; next } at { print substr($at, 1, 10) }' "$1" |
    grep -E '^20[2-9][0-9]-[01][0-9]-[0-3][0-9]$' | sort | head -n 1 || true
}
begins_with() { # whether file 1 is the beginning of file 2, or all of it
  [ "$(wc -c < "$1")" -le "$(wc -c < "$2")" ] && cmp --quiet --bytes="$(wc -c < "$1")" "$1" "$2"
}
for file in "$2"/*.csv; do
  day=$(measured_on "$file")
  if [ -z "$day" ]; then
    echo "::warning title=nights::$(basename "$file") has no dated row, and is kept in nights/undated"
  fi
  night="$1/nights/${day:-undated}"
  mkdir -p "$night"
  name=$(basename "$file" .csv)
  free=$name
  number=1
  while [ -e "$night/$free.csv" ] && ! begins_with "$night/$free.csv" "$file"; do
    if begins_with "$file" "$night/$free.csv"; then # an older state of what is there
      continue 2
    fi
    number=$((number + 1))
    free="$name-$number"
  done
  cp "$file" "$night/$free.csv"
  if [ -e "$2/$name.samples.jsonl.gz" ]; then
    cp "$2/$name.samples.jsonl.gz" "$night/$free.samples.jsonl.gz"
  fi
done
