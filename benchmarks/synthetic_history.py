"""Does `bench history` find what was planted, and nothing else? Two years of made-up nights whose changes are known.

    python benchmarks/synthetic_history.py --seeds 10

Six targets, some of which share CPU models and get another one each night, sixty cases, missing nights, slow nights,
noise that all cases of a night share (with slopes of their own) and noise that is each case's. Nothing here is a
measurement: the rows test the analysis, and never leave the temporary folder. Printed for each seed: rows, seconds,
planted changes found within three nights, and changes found that nobody planted.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import tempfile
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from bench.rows.frame import load
from bench.rows.history import History, Moved, history
from bench.rows.schema import COLUMNS, SCHEMA_VERSION

FIRST = date(2024, 1, 1)
CPUS = {
    "EPYC 7763": "family=25 model=1 stepping=1",
    "EPYC 9V74": "family=25 model=17 stepping=1",
    "Xeon Platinum 8370C": "family=6 model=106 stepping=6",
    "Neoverse-N1": "implementer=0x41 part=0xd0c",
    "Neoverse-N2": "implementer=0x41 part=0xd49",
    "Xeon Gold 6430": "family=6 model=143 stepping=8",
    "Cortex-A76": "implementer=0x41 part=0xd0b",
}
TARGETS = {
    "hosted-22.04": {"EPYC 7763": 0.6, "EPYC 9V74": 0.2, "Xeon Platinum 8370C": 0.2},
    "hosted-24.04": {"EPYC 7763": 0.4, "EPYC 9V74": 0.4, "Xeon Platinum 8370C": 0.2},
    "hosted-arm": {"Neoverse-N1": 0.4, "Neoverse-N2": 0.6},
    "rented": {"Xeon Platinum 8370C": 0.5, "EPYC 9V74": 0.5},
    "rack": {"Xeon Gold 6430": 1.0},
    "board": {"Cortex-A76": 1.0},
}
REFERENCE = 0


@dataclass(frozen=True)
class Planted:
    """From night `night` on, `case` takes `ratio` times as long on `cpu`."""

    cpu: str
    case: int
    night: int
    ratio: float


@dataclass(frozen=True)
class Shape:
    """How much history to make."""

    nights: int = 730
    cases: int = 60
    changes: int = 20


def names(cases: int) -> list[tuple[str, str]]:
    """Model and backend of each case; the reference is the first."""
    backends = ("onnxruntime", "openvino")
    return [(f"net{i // 2:02}", backends[i % 2]) for i in range(cases)]


def plant(rng: np.random.Generator, shape: Shape) -> list[Planted]:
    """Choose changes of 2 to 20% either way, at least a tenth of the time from the ends and from each other."""
    least = shape.nights // 10
    found: list[Planted] = []
    while len(found) < shape.changes:
        size = math.exp(rng.uniform(math.log(0.02), math.log(0.20)))
        new = Planted(
            cpu=str(rng.choice(list(CPUS))),
            case=int(rng.integers(1, shape.cases)),
            night=int(rng.integers(least, shape.nights - least)),
            ratio=1 + size if rng.random() < 0.5 else 1 / (1 + size),
        )
        if all((p.cpu, p.case) != (new.cpu, new.case) or abs(p.night - new.night) > least for p in found):
            found.append(new)
    return found


def write(folder: Path, seed: int, shape: Shape) -> tuple[list[Planted], dict[str, list[int]]]:
    """Write ``DATE/TARGET.csv`` for every night; return what was planted, and the nights on which each CPU was met."""
    rng = np.random.default_rng(seed)
    planted = plant(rng, shape)
    cases = names(shape.cases)
    base = {cpu: rng.uniform(0.5, 4.0, shape.cases) for cpu in CPUS}  # log ms
    own_sd = {cpu: rng.uniform(0.01, 0.02, shape.cases) for cpu in CPUS}
    night_sd = {cpu: rng.uniform(0.01, 0.03) for cpu in CPUS}
    slope = rng.uniform(0.8, 1.2, shape.cases)
    # A third of the planted changes come with a new runtime; others with nothing that a row tells.
    versions = np.zeros((2, shape.nights), dtype=int)
    for p in planted[::3]:
        versions[p.case % 2, p.night :] += 1
    met: dict[str, list[int]] = {cpu: [] for cpu in CPUS}
    for night in range(shape.nights):
        for target, mix in TARGETS.items():
            if rng.random() < 0.05:
                continue
            cpu = str(rng.choice(list(mix), p=list(mix.values())))
            met[cpu].append(night)
            shared = rng.normal(0, night_sd[cpu]) + (rng.uniform(0.1, 0.5) if rng.random() < 0.02 else 0)
            logs = base[cpu] + slope * shared + rng.normal(0, own_sd[cpu])
            logs += np.where(rng.random(shape.cases) < 0.005, rng.uniform(0.05, 0.3, shape.cases), 0)
            for p in planted:
                if p.cpu == cpu and night >= p.night:
                    logs[p.case] += math.log(p.ratio)
            _file(folder, rng, night, target, cpu, cases, np.exp(logs), versions[:, night])
    return planted, met


def _file(folder, rng, night, target, cpu, cases, latencies, versions) -> None:
    day = FIRST + timedelta(days=night)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    constant = {
        "run_id": f"{target}-{night}", "started_at": f"{day.isoformat()}T03:00:00+00:00", "precision": "fp32",
        "precision_effective": "fp32", "threads": 1, "threads_effective": 1, "batch": 1, "resolution": 224,
        "target": target, "arch": "aarch64" if "implementer" in CPUS[cpu] else "x86_64", "cpu": cpu,
        "cpu_id": CPUS[cpu], "os": "Linux", "macs": 300_000_000, "samples": 400, "launches": 8, "device": "cpu",
        "artifact_sha256": "a" * 64, "seed": 0, "isoflops_version": "0.1.0", "schema_version": SCHEMA_VERSION,
        "exporter": "torch=2.13.0+cpu onnxscript=0.7.2 onnx=1.23.2 numpy=2.4.6 opset=20", "hypervisor": "yes",
    }  # fmt: skip
    noisy = rng.random(len(cases)) < np.where(np.arange(len(cases)) == REFERENCE, 0.01, 0.04)
    for i, (model, backend) in enumerate(cases):
        ms = latencies[i]
        row = constant | {
            "case_id": f"{i:012x}", "status": "noisy" if noisy[i] else "ok", "model": model, "backend": backend,
            "backend_version": f"1.{versions[i % 2] if i != REFERENCE else 0}.0", "latency_ms": f"{ms:.6g}",
            "latency_lo_ms": f"{ms * 0.985:.6g}", "latency_hi_ms": f"{ms * 1.015:.6g}", "p50_ms": f"{ms:.6g}",
        }  # fmt: skip
        writer.writerow([row.get(column, "") for column in COLUMNS])
    path = folder / day.isoformat() / f"{target}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.getvalue(), "utf-8")


@dataclass(frozen=True)
class Score:
    """What became of the planted changes: all that are at least 5%, the smaller ones, and what nobody planted.

    A change that was planted and found, but more than three nights from its date, is neither: it is misplaced.
    """

    large: int
    large_found: int
    small: int
    small_found: int
    misplaced: int
    false: int
    calendar: int  # of the large ones, found within three nights of the calendar
    missed: tuple[Planted, ...] = ()
    alarms: tuple[str, ...] = ()


def score(found: History, planted: list[Planted], met: dict[str, list[int]], cases: int, within: int = 3) -> Score:
    """Hold what was found against what was planted; a night is one on which a machine with that CPU measured."""
    label = {f"{m} on {b}": i for i, (m, b) in enumerate(names(cases))}
    open_ = list(found.moved)
    counts = {"large": 0, "large_found": 0, "small": 0, "small_found": 0, "calendar": 0}
    missed = []
    for p in planted:
        size = "large" if max(p.ratio, 1 / p.ratio) >= 1.05 - 1e-9 else "small"
        counts[size] += 1
        nights = sorted(set(met[p.cpu]))
        at = next(i for i, night in enumerate(nights) if night >= p.night)
        lo, hi = nights[max(0, at - within)], nights[min(len(nights) - 1, at + within)]
        for m in open_:
            night = (date.fromisoformat(m.first_after) - FIRST).days
            right = label[m.case] == p.case and m.machine.startswith(p.cpu) and (m.ratio > 1) == (p.ratio > 1)
            if right and lo <= night <= hi:
                counts[f"{size}_found"] += 1
                counts["calendar"] += size == "large" and abs(night - p.night) <= within
                open_.remove(m)
                break
        else:
            if size == "large":
                missed.append(p)
    apart = [p for p in planted for m in open_ if _near(p, m, label)]
    for p in apart:
        open_.remove(next(m for m in open_ if _near(p, m, label)))
    alarms = tuple(f"{m.case} on {m.machine} {m.first_after} {m.ratio:.3f} {m.lo:.3f} {m.hi:.3f}" for m in open_)
    return Score(misplaced=len(apart), false=len(open_), missed=tuple(missed), alarms=alarms, **counts)


def _near(p: Planted, m: Moved, label: dict[str, int]) -> bool:
    night = (date.fromisoformat(m.first_after) - FIRST).days
    same = label[m.case] == p.case and m.machine.startswith(p.cpu) and (m.ratio > 1) == (p.ratio > 1)
    return same and abs(night - p.night) <= 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    args = parser.parse_args()
    shape = Shape()
    for seed in range(args.first, args.first + args.seeds):
        with tempfile.TemporaryDirectory() as folder:
            planted, met = write(Path(folder), seed, shape)
            start = time.perf_counter()
            rows = load([folder], pool="cpu")
            read = time.perf_counter() - start
            found = history(rows, "net00@onnxruntime")
            whole = time.perf_counter() - start
        s = score(found, planted, met, shape.cases)
        print(
            f"seed {seed}: {found.rows} rows, {found.series} series, read {read:.1f} s, in all {whole:.1f} s; "
            f">= 5%: {s.large_found} of {s.large} within 3 nights ({s.calendar} of the calendar); "
            f"< 5%: {s.small_found} of {s.small}; misplaced {s.misplaced}, false {s.false}",
            flush=True,
        )
        for p in s.missed:
            print(f"  missed: {p}")
        for alarm in s.alarms:
            print(f"  false: {alarm}")


if __name__ == "__main__":
    main()
