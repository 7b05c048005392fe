#!/usr/bin/env bash
# keep.sh REPOSITORY ROWS: on the branch `nights` of REPOSITORY, begun if there is none, put ROWS into nights/DATE/.
set -euo pipefail
if git -C "$1" rev-parse --verify --quiet origin/nights > /dev/null; then
  git -C "$1" switch --quiet --force-create nights origin/nights
else
  git -C "$1" switch --quiet --orphan nights
fi
night="$1/nights/$(date --utc +%F)"
mkdir -p "$night"
cp "$2"/*.csv "$2"/*.samples.jsonl.gz "$night"
