#!/usr/bin/env bash
# render.sh REPOSITORY PAGE: write README.md and report.html of the branch `nights` into the folder PAGE: last night
# against up to 14 nights before it, x86-64 beside arm64, and what moved since the beginning. README.md goes to the
# summary of the job, too.
#
# A part that cannot be told says why, in the words of the program, and the script leaves with 1 when all is written.
set -euo pipefail
fewest=7
most=14
mkdir -p "$2"
page=$(realpath "$2")
cd "$1"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
section() { # TITLE COMMAND...: what the command prints, or why it does not
  local title=$1 code=0
  shift
  printf '## %s\n\n' "$title"
  "$@" > "$scratch/out" 2> "$scratch/err" || code=$?
  cat "$scratch/out"
  if [ "$code" -ne 0 ]; then
    printf 'Not told, exit code %s:\n\n' "$code"
    sed 's/^/    /' "$scratch/err"
    grep --quiet 'all rows have one target' "$scratch/err" || failed=1  # whoever has one has nothing to set beside it
  fi
  cat "$scratch/err" >&2
  printf '\n'
}
mapfile -t nights < <(find nights -mindepth 1 -maxdepth 1 -type d -name '20??-??-??' 2> "$scratch/err" | sort)
if [ "${#nights[@]}" -eq 0 ]; then
  printf '# Nights\n\nThere is none yet: no job brought rows.\n' > "$page/README.md"
  cat "$page/README.md" >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
  exit 1
fi
last=${nights[-1]}
before=("${nights[@]::${#nights[@]}-1}")
if [ "${#before[@]}" -gt "$most" ]; then
  before=("${before[@]: -most}")
fi
{
  printf '# Nights\n\n%s of them, the last one %s.\n\n' "${#nights[@]}" "${last#nights/}"
  if [ "${#before[@]}" -ge "$fewest" ]; then
    for night in "${before[@]}"; do
      mkdir -p "$scratch/before/$night"
      cp "$night"/*.csv "$scratch/before/$night"
    done
    section "Last night against the ${#before[@]} nights before it" \
      bench compare "$scratch/before" "$last" --pool cpu --format markdown
  else
    printf '## Last night against the nights before it\n\n'
    printf 'No verdict yet: it takes %s earlier nights, and there are %s.\n\n' "$fewest" "${#before[@]}"
  fi
  section 'Targets side by side, last night' bench compare "$last" --across target --format markdown
  section 'What moved' bench history nights --pool cpu --format markdown
  section 'Charts' bench report nights --pool cpu --output "$page/report.html"
} > "$page/README.md"
sed -i 's|^wrote .*report.html.*|[report.html](report.html) shows all nights; download it to open it.|' "$page/README.md"
cat "$page/README.md" >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
exit "$failed"
