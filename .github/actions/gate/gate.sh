#!/usr/bin/env bash
# Compares the model of ./base with that of ./head, and leaves gate/verdict.md, gate/pairs.samples.jsonl.gz and an exit code.
#
# MODEL is a file in both folders: net.onnx or file.py:function. BACKEND, THREADS, MARGIN (percent that do not matter)
# and BUDGET (seconds) go to `bench ab`. INCONCLUSIVE is pass or fail: what an open question does to the job. NEW_MODEL
# is the same for a model that the base does not have. Without a judgement it leaves with 3, whatever these say.
set -euo pipefail
. "$(dirname "$0")/into.sh"
mkdir -p gate
rm -f gate/verdict.md gate/errors.txt gate/pairs.*  # of an earlier use in this folder
code=0
because=''
allowed=fail
sides=''
for side in base head; do
  if [ -e "$side/${MODEL%%:*}" ]; then sides+=" $side"; fi
done
case "$sides" in
  ' base head')
    bench ab "base/$MODEL" "head/$MODEL" --backend "${BACKEND:-onnxruntime}" --threads "${THREADS:-1}" \
      --margin "${MARGIN:-1}" --budget "${BUDGET:-100}" --gate --format markdown --output gate/pairs.csv \
      > gate/verdict.md 2> gate/errors.txt || code=$?
    cat gate/errors.txt >&2
    if [ ! -s gate/verdict.md ]; then
      because='nothing was measured'
    elif [ "$code" = 3 ]; then
      allowed=${INCONCLUSIVE:-pass}
    fi
    ;;
  ' head')
    because='the base has no such model, so there is nothing to compare with'
    allowed=${NEW_MODEL:-fail}
    ;;
  ' base') because='the head has no such model any more' ;;
  *) because='neither the base nor the head has such a model (its name may be misspelt)' ;;
esac
if [ -n "$because" ]; then
  code=3
  printf '### Latency, B against A\n\n**No judgement**: %s.\n' "$because" > gate/verdict.md
  if [ -s gate/errors.txt ]; then
    printf '\n' >> gate/verdict.md
    sed 's/^/    /' gate/errors.txt >> gate/verdict.md
  fi
fi
into "${GITHUB_STEP_SUMMARY:-}" < gate/verdict.md
if [ -n "${GITHUB_OUTPUT:-}" ]; then  # the verdict says it to a person
  echo "exit-code=$code" >> "$GITHUB_OUTPUT"
fi
if [ "$code" = 3 ]; then
  told=${because:-the pairs neither show nor exclude a slowdown}
  if [ "$allowed" = pass ]; then
    echo "::warning title=gate::no judgement: $told"
    code=0
  else
    echo "::error title=gate::no judgement: $told"
  fi
fi
exit "$code"
