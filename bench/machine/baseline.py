"""The machine's baseline speed, remembered between runs in the user's cache.

One file per machine; in it, per backend and reference workload, readings of launches. Per backend, because the same
reference workload reads 9% higher beside one runtime than beside another. The cache may lie on a disk that many
machines share.

The reference stands still: the first `LEARN` launches make it, and later ones only tell whether the machine has become
another (`bench doctor` says so, `--forget` learns anew). A reference that moved would move every latency told for it.
"""

from __future__ import annotations

import json
import math
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.base import cache
from bench.base.errors import OutputError
from bench.base.files import write_whole
from bench.machine import runs
from bench.machine.environment import Environment
from bench.machine.identity import machine_of
from bench.machine.workload import Beside

LEARN = 40  # launches that make the reference
KEPT = 300  # launches per backend: those of the reference, and the latest
LEAST = 5  # launches before a memory counts
# The baseline speed is the one met in at least a quarter of the launches: the minimum creeps down to what is met
# almost never, and then nothing counts as quiet.
QUIET_QUANTILE = 0.25
# How much slower than its quiet speed a machine may be for minutes, as a standard deviation of the log: what is assumed
# until it has shown its own, counted like one visit.
SLOW_SD = 0.08
VISIT_S = 30.0  # launches closer together than this meet the same moods of the machine
SHIFT = 0.05  # how far the latest launches may be from the reference before it is said


@dataclass(frozen=True, slots=True)
class BaselineSpeed:
    """The machine's baseline speed beside a backend: times of the reference workload's parts in ns, and what is behind
    them.

    `launches` were read at `visits` different times; 0 where a case's own blocks had to tell. `spread` is the
    standard deviation of the log of the product between visits.
    """

    gemm_ns: float
    copy_ns: float
    launches: int = 0
    visits: int = 0
    spread: float = 0.0

    @property
    def unsure(self) -> float:
        """How much slower than the quiet machine this may be: a log of the product's time, at 95%.

        Of a machine met once it is what machines differ by from one minute to the next; every further visit tells.
        """
        visits = max(1, self.visits)
        variance = (SLOW_SD**2 + (visits - 1) * self.spread**2) / visits
        return 1.96 * math.sqrt(variance / visits)


def path(environment: Environment) -> Path:
    """Return the file of a machine."""
    return cache.folder("machines") / f"{machine_of(environment)}.json"


def recall(environment: Environment, backend: str, workload: str) -> BaselineSpeed | None:
    """Return the baseline speed beside `backend`, or None on a machine that is not known yet."""
    readings = _read(path(environment)).get(f"{backend} {workload}", [])
    return reference(readings[:LEARN]) if len(readings) >= LEAST else None


def remember(environment: Environment, backend: str, workload: str, blocks: Sequence[Beside]) -> None:
    """Add one launch: the median of its blocks' readings. A cache that cannot be written costs the memory alone."""
    if not blocks:
        return
    beside = of_launch(blocks)
    found = [beside.gemm_ns, beside.copy_ns, time.time()]
    try:
        file = path(environment)
        with cache.locked(file.with_suffix(".lock")):
            known = _read(file)
            readings = [*known.get(key := f"{backend} {workload}", []), found]
            known[key] = readings[:LEARN] + readings[LEARN:][-(KEPT - LEARN) :]
            write_whole(file, json.dumps(known).encode())
    except (OSError, OutputError):
        return


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered beside one backend: the launches, and how far the latest are from the reference (a log)."""

    backend: str
    launches: int
    shift: float = 0.0


def known(environment: Environment) -> list[Known]:
    """Return what is remembered of a machine's speed, by backend."""
    found = []
    for key, readings in sorted(_read(path(environment)).items()):
        latest = readings[LEARN:][-LEARN:]
        shift = 0.0
        if len(latest) == LEARN:
            shift = math.log(reference(latest).gemm_ns / reference(readings[:LEARN]).gemm_ns)
        found.append(Known(key.split()[0], len(readings), shift))
    return found


def forget(environment: Environment) -> bool:
    """Forget this machine's speed and how its cases repeat; tell whether anything was known."""
    file, folders = path(environment), runs.folders(environment)
    known = file.exists() or bool(folders)
    file.unlink(missing_ok=True)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return known


def reading(block: Beside) -> BaselineSpeed:
    """Return the reference workload beside a block: the mean of the products before and after, and the copy after."""
    before, after = block["canary"]
    return BaselineSpeed((before["gemm_ns"] + after["gemm_ns"]) / 2, after["copy_ns"])


def of_launch(blocks: Sequence[Beside]) -> BaselineSpeed:
    """Return a launch's reading: the medians of its blocks', of which there must be one."""
    beside = [reading(block) for block in blocks]
    return BaselineSpeed(statistics.median(r.gemm_ns for r in beside), statistics.median(r.copy_ns for r in beside))


def baseline_of(readings: Sequence[BaselineSpeed]) -> BaselineSpeed:
    """Return the baseline speed among readings, of which there must be one."""
    return BaselineSpeed(
        float(np.quantile([r.gemm_ns for r in readings], QUIET_QUANTILE)),
        float(np.quantile([r.copy_ns for r in readings], QUIET_QUANTILE)),
    )


def reference(readings: Sequence[Sequence[float]]) -> BaselineSpeed:
    """Return what launches make the reference; each reading is product and copy in ns, and when it was, in s."""
    found = baseline_of([BaselineSpeed(gemm, copy) for gemm, copy, _ in readings])
    visits: dict[int, list[float]] = {}
    for gemm, _, at_s in readings:
        visits.setdefault(int(at_s // VISIT_S), []).append(math.log(gemm))
    levels = [statistics.fmean(logs) for logs in visits.values()]
    spread = statistics.stdev(levels) if len(levels) > 1 else 0.0
    return replace(found, launches=len(readings), visits=len(visits), spread=spread)


def _read(file: Path) -> dict[str, list[list[float]]]:
    """Read what is known; a file that does not parse is as good as none."""
    try:
        known = json.loads(file.read_text())
        return {
            str(key): [[float(gemm), float(copy), float(at)] for gemm, copy, at in rows if gemm > 0 and copy > 0]
            for key, rows in known.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
