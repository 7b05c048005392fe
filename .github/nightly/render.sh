#!/usr/bin/env bash
# render.sh REPOSITORY: write README.md of the branch `nights`: last night against the one before, x86-64 beside arm64,
# and what moved since the beginning. The same goes to the summary of the job.
set -euo pipefail
cd "$1"
mapfile -t nights < <(find nights -mindepth 1 -maxdepth 1 -type d | sort)
last=${nights[-1]}
{
  printf '# Nights\n\n%s of them, the last one %s.\n\n' "${#nights[@]}" "${last#nights/}"
  if [ "${#nights[@]}" -gt 1 ]; then
    printf '## Last night against the one before\n\n'
    bench compare "${nights[-2]}" "$last" --pool cpu --format markdown || printf 'They cannot be compared.\n'
    printf '\n'
  fi
  printf '## Targets side by side, last night\n\n'
  bench compare "$last" --across target --format markdown || printf 'There are no rows of two targets.\n'
  printf '\n## What moved\n\n'
  bench history nights --pool cpu --format markdown || printf 'There are not enough nights to tell.\n'
} > README.md
cat README.md >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
