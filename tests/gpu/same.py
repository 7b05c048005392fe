"""A network against itself, time and again: a verdict that tells the sides apart is a false alarm."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from tests.gpu import tables
from tests.gpu.steps import DEVICE, SAME, TIMES

PAIRS = 5


def main() -> int:
    """Add comparisons to ``same.csv`` until there are enough; return 3 where the time ended it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, required=True)
    until = time.monotonic() + parser.parse_args().seconds
    path = Path("same.csv")
    takes = 0.0
    for number in range(len(tables.read(path)), TIMES):
        begin = time.monotonic()
        if begin + takes > until:
            return 3
        command = [sys.executable, "-P", "-m", "bench", "ab", SAME, SAME, "--backend", DEVICE, "--format", "json"]
        limits = ["--pairs", str(PAIRS), "--seed", str(number), "--output", f"same-{number}.csv"]
        done = subprocess.run([*command, *limits], stdout=subprocess.PIPE, text=True)
        if done.returncode not in (0, 1, 3):
            return 1
        (record,) = json.loads(done.stdout)
        takes = time.monotonic() - begin
        tables.append(path, {"time": number, "exit": done.returncode} | record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
