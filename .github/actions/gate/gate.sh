#!/usr/bin/env bash
# Compares the model of ./base with that of ./head, and leaves gate/verdict.md, gate/pairs.samples.jsonl.gz and an exit code.
#
# MODEL is a file in both folders: net.onnx or file.py:function. BACKEND, THREADS, MARGIN (percent that do not matter)
# and BUDGET (seconds) go to `bench ab`. INCONCLUSIVE is pass or fail: what an open question does to the job.
set -euo pipefail
mkdir -p gate
code=0
if [ -e "base/${MODEL%%:*}" ]; then
  bench ab "base/$MODEL" "head/$MODEL" --backend "${BACKEND:-onnxruntime}" --threads "${THREADS:-1}" \
    --margin "${MARGIN:-1}" --budget "${BUDGET:-100}" --gate --format markdown --output gate/pairs.csv \
    > gate/verdict.md 2> gate/errors.txt || code=$?
  cat gate/errors.txt >&2
  if [ ! -s gate/verdict.md ]; then
    printf '### Latency, B against A\n\n**Nothing was measured.**\n\n' > gate/verdict.md
    sed 's/^/    /' gate/errors.txt >> gate/verdict.md
  fi
else
  printf '### Latency, B against A\n\nThe base has no such model: there is nothing to compare with.\n' > gate/verdict.md
fi
cat gate/verdict.md >> "${GITHUB_STEP_SUMMARY:-/dev/stdout}"
if [ -n "${GITHUB_OUTPUT:-}" ]; then
  echo "exit-code=$code" >> "$GITHUB_OUTPUT"
fi
if [ "$code" = 3 ] && [ "${INCONCLUSIVE:-pass}" = pass ]; then
  echo "::warning title=gate::inconclusive: the pairs neither show nor exclude a slowdown"
  code=0
fi
exit "$code"
