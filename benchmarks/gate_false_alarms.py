"""How often does `bench compare --gate 5%` trip on equal nights, and how often on one case slowed by 5%?

    python benchmarks/gate_false_alarms.py [--recorded results/xeon-vm-2core/aa.csv] [--draws 200]

Nights are put together from recorded launches, as `bench run` would have: stretches of consecutive launches (so that
what the machine did at that time stays together), at least 5, and up to 12 until the interval is within 2%; a night
whose interval stays wider is noisy and does not count. BASE and NEW are different draws of such nights; in the second
experiment one case of NEW is multiplied by 1.05. All launches of the recorded file are of one quarter of an hour, so
what differs between nights beyond that is not in it: `--night-sd` adds it, simulated, per night, shared by the cases
of a night, and printed as such.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from bench.plan.protocol import Protocol
from bench.rows import file as records
from bench.rows.frame import load
from bench.rows.schema import COLUMNS, SCHEMA_VERSION
from bench.rows.sides import Options, compare
from bench.stats.summary import Estimate, estimate

Launches = dict[str, list[list[float]]]  # by case: series of launch medians in ns, in order of time


def recorded(output: Path) -> Launches:
    """Return the launch medians beside `output`, which holds A/A pairs or runs."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for sample in records.read_samples(output):
        if "a" in sample:
            for side in "AB":
                name = f"{sample['a']['model']}@{sample['a']['backend']}"
                blocks = [ns for b in sample["blocks"] if b["side"] == side for ns in b["latency_ns"]]
                found[name, side].append(float(np.median(blocks)))
        else:
            blocks = [ns for b in sample["blocks"] for ns in b["latency_ns"]]
            found[f"{sample['model']}@{sample['backend']}", sample["run_id"]].append(float(np.median(blocks)))
    result: Launches = defaultdict(list)
    for (name, _), medians in found.items():
        result[name].append(medians)
    return dict(result)


def night(series: list[list[float]], rng: np.random.Generator) -> tuple[Estimate, int]:
    """Draw a stretch of launches and summarise it as `bench run` does."""
    protocol = Protocol()
    source = series[rng.integers(len(series))]
    start = int(rng.integers(0, max(1, len(source) - protocol.max_launches + 1)))
    for n in range(protocol.launches, protocol.max_launches + 1):
        found = estimate([[v] for v in source[start : start + n]])
        if found.within_half_width <= protocol.tolerance:
            break
    return found, min(n, len(source) - start)


def write(path: Path, launches: Launches, nights: int, factor: dict[str, float], rng, night_sd: float) -> None:
    """Write a row per case and night."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for job in range(nights):
            shared = np.exp(rng.normal(0, night_sd)) if night_sd else 1.0
            for name, series in launches.items():
                found, n = night(series, rng)
                scale = shared * factor.get(name, 1.0) / 1e6
                ok = found.within_half_width <= Protocol().tolerance
                model, backend = name.split("@")
                writer.writerow(
                    {
                        "run_id": f"{path.stem}-{job}", "started_at": f"2026-01-{job + 1:02}", "model": model,
                        "status": "ok" if ok else "noisy", "backend": backend, "precision_effective": "fp32",
                        "cpu": "one", "latency_ms": found.latency_ns * scale, "latency_lo_ms": found.lo_ns * scale,
                        "latency_hi_ms": found.hi_ns * scale, "launches": n, "schema_version": SCHEMA_VERSION,
                    }
                )  # fmt: skip


def experiment(launches: Launches, nights: int, draws: int, slowed: float, night_sd: float, seed: int) -> list[int]:
    """Return how many of the draws left with exit code 0, 1 and 3."""
    rng = np.random.default_rng(seed)
    codes = []
    names = sorted(launches)
    with tempfile.TemporaryDirectory() as folder:
        base, new = Path(folder, "base.csv"), Path(folder, "new.csv")
        for _ in range(draws):
            write(base, launches, nights, {}, rng, night_sd)
            write(new, launches, nights, {names[rng.integers(len(names))]: 1 + slowed}, rng, night_sd)
            codes.append(compare(load([str(base)]), load([str(new)]), Options(threshold=0.05)).exit_code)
    return [codes.count(code) for code in (0, 1, 3)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recorded", type=Path, default=Path("results/xeon-vm-2core/aa.csv"))
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--night-sd", type=float, nargs="*", default=[0.0, 0.015, 0.03], help="as a share; simulated")
    parser.add_argument("--nights", type=int, nargs="*", default=[1, 3, 5, 7, 10, 14, 20])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    launches = recorded(args.recorded)
    print(f"{len(launches)} cases, {sum(len(s) for v in launches.values() for s in v)} recorded launches")
    for night_sd in args.night_sd:
        print(f"simulated sd between nights {night_sd:.1%}" if night_sd else "nights as recorded")
        for nights in args.nights:
            equal = experiment(launches, nights, args.draws, 0.0, night_sd, args.seed)
            slowed = experiment(launches, nights, args.draws, 0.05, night_sd, args.seed + 1)
            print(
                f"  {nights:2} nights a side: equal: tripped {equal[1]} of {args.draws}, passed {equal[0]}, "
                f"open {equal[2]}; one case slower by 5%: tripped {slowed[1]}, passed {slowed[0]}, open {slowed[2]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
