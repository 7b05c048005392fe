#!/usr/bin/env bash
# Installs DISTRIBUTION (a wheel, an sdist, a folder) into a clean environment, exports and measures a network there, and
# says how large it is and how long --help takes: check.sh DISTRIBUTION [WORK]
set -euo pipefail
if [ -d "$1" ]; then distribution=$(cd "$1" && pwd); else distribution=$(cd "$(dirname "$1")" && pwd)/$(basename "$1"); fi
work=${2:-$(mktemp -d)}
mkdir -p "$work"
cd "$work"
export ISOFLOPS_CACHE=$work/cache
python3 -m venv venv 2>/dev/null || python -m venv venv # Windows has no python3
bin=venv/bin
if [ -d venv/Scripts ]; then bin=venv/Scripts; fi
pip() { "$bin/python" -m pip --disable-pip-version-check "$@"; }
before=$("$bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["platlib"])')
empty=$(du -sk "$before" | cut -f1)
# No bytecode of what is never imported: a third of an install.
pip install --quiet --no-compile "$distribution"
echo "installed: $((($(du -sk "$before" | cut -f1) - empty) / 1024)) MiB"
for module in torch scipy pandas; do
  if "$bin/python" -c "import $module" 2>/dev/null; then
    echo "::error title=release::$module came along"
    exit 1
  fi
done
"$bin/bench" --version
"$bin/bench" --help > help.txt # writes bytecode of what it imports
"$bin/python" - "$bin/bench" <<'PY'
import subprocess, sys, time
def once():
    began = time.perf_counter()
    subprocess.run([sys.argv[1], "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
print(f"--help: {min(once() for _ in range(10)):.3f} s, the best of 10")
PY
"$bin/python" -c 'import onnx; from bench.backends.sample import model; onnx.save(model(0), "net.onnx")'
"$bin/bench" export net.onnx --output carried/net.onnx
"$bin/bench" run --model carried/net.onnx --launches 3 --budget 1 --output rows.csv
"$bin/python" - <<'PY'
from pathlib import Path
from bench.rows import file
(row,) = file.read(Path("rows.csv"))
print(f"{row.status}, off the reference by {row.parity_rel_l2:.1e} ({row.parity_reference})")
assert row.status in ("ok", "noisy"), row.error
assert row.parity_rel_l2 < 1e-4
PY
code=0
said=$("$bin/bench" compare rows.csv rows.csv 2>&1) || code=$?
echo "$said"
if [ "$code" != 2 ] || ! grep -q "pip install 'isoflops\[analysis\]'" <<< "$said"; then
  echo "::error title=release::bench compare left with $code and did not say what to install"
  exit 1
fi
# What it said works, though nothing is published: pip adds the extra of what is installed.
pip install --quiet 'isoflops[analysis]'
"$bin/bench" show rows.csv
