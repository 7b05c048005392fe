"""How much do equal nights of one machine differ, and does the gate keep still? Nights are recorded, then compared.

    python benchmarks/nightly_aa.py --nights 14 --output nights/   # records what is missing, then analyses
    python benchmarks/nightly_aa.py --nights 0 --output nights/    # analyses what is there

Every night is one `bench run` of a suite into `--output`/NIGHT.csv, `--pause` seconds after the last one (86400 makes
them nights); a second call goes on where the first one stopped. Printed: the standard deviation of a case from night to
night, alone and relative to the suite's reference, beside what the rows' own intervals would explain (the sd is what
`bench compare --job-sd` assumes); and what `bench compare --gate 5%` says of nights drawn into two equal sides, and of
the same with one network slowed by 5%.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.measure.cases import canonical
from bench.rows import identity
from bench.rows.frame import Rows, load
from bench.rows.jobs import group
from bench.rows.reference import relative
from bench.rows.sides import Options, compare


def record(output: Path, suite: str, nights: int, pause_s: float) -> None:
    """Measure the nights that are missing."""
    for night in range(nights):
        path = output / f"{night:04}.csv"
        if (output / f"{night + 1:04}.csv").exists():
            continue
        if night and not path.exists():
            time.sleep(pause_s)
        # A night that was broken off is finished; one that is whole is left as it is.
        command = [sys.executable, "-m", "bench", "run", "--suite", suite, "--output", path, "--resume"]
        subprocess.run(command, check=False)


def spread(rows: Rows) -> None:
    """Print how much each case differs from night to night."""
    sds = []
    for key, jobs in group(rows.frame, identity.case()).items():
        side = jobs.side
        if len(side.logs) < 3:
            continue
        sds.append(float(np.std(side.logs, ddof=1)))
        within = float(np.sqrt(np.mean(side.within)))
        print(f"    {key[0]} on {key[1]}: {len(side.logs)} nights, sd {sds[-1]:.2%}; the rows' intervals: {within:.2%}")
    if sds:
        print(f"    all cases: sd {np.sqrt(np.mean(np.square(sds))):.2%}")


def gate(rows: Rows, draws: int, slowed: float, seed: int) -> list[int]:
    """Draw two sides of half of the nights each, without repetition; return how many draws left with 0, 1 and 3."""
    rng = np.random.default_rng(seed)
    frame = rows.frame
    runs = frame["run_id"].astype(str)
    names = sorted(runs.unique())
    models = sorted(frame["model"].astype(str).unique())
    codes = []
    for _ in range(draws):
        order = rng.permutation(names)
        half = len(names) // 2
        sides = [frame[runs.isin(part)].copy() for part in (order[:half], order[half : 2 * half])]
        chosen = sides[1]["model"].astype(str) == models[rng.integers(len(models))]
        for column in ("latency_ms", "latency_lo_ms", "latency_hi_ms"):
            sides[1].loc[chosen, column] *= 1 + slowed
        base, new = (replace(rows, frame=side) for side in sides)
        codes.append(compare(base, new, Options(threshold=0.05)).exit_code)
    return [codes.count(code) for code in (0, 1, 3)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--nights", type=int, default=14)
    parser.add_argument("--suite", default="quick")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between nights")
    parser.add_argument("--reference", default="shufflenetv2@onnxruntime")
    parser.add_argument("--draws", type=int, default=200)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    record(args.output, args.suite, args.nights, args.pause)
    rows = load([str(args.output)])
    for title, found in (("alone", rows), (f"relative to {args.reference}", relative(rows, args.reference, canonical))):
        print(title)
        spread(found)
        half = found.frame["run_id"].nunique() // 2
        for slowed in (0.0, 0.05):
            passed, tripped, opened = gate(found, args.draws, slowed, 0)
            what = "one network slower by 5%" if slowed else "equal"
            said = f"tripped {tripped} of {args.draws}, passed {passed}, open {opened}"
            print(f"    {half} nights a side, {what}: {said}")


if __name__ == "__main__":
    main()
