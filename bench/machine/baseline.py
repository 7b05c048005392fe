"""The machine's baseline speed, remembered between runs in the user's cache.

One file per machine; in it, per backend and reference workload, the readings of the latest launches. Per backend,
because the same reference workload reads 9% higher beside one runtime than beside another. The cache may lie on a disk
that many machines share.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.base import cache
from bench.base.errors import OutputError
from bench.base.files import write_whole
from bench.machine.environment import Environment
from bench.machine.identity import machine_of

KEPT = 300  # launches per backend; older ones are forgotten, so a machine that has changed is believed again
LEAST = 5  # launches before a memory counts
# The baseline speed is the one met in at least a quarter of the launches: the minimum creeps down to what is met
# almost never, and then nothing counts as quiet.
QUIET_QUANTILE = 0.25


@dataclass(frozen=True, slots=True)
class BaselineSpeed:
    """The machine's baseline speed beside a backend: times of the reference workload's parts in ns."""

    gemm_ns: float
    copy_ns: float


def path(environment: Environment) -> Path:
    """Return the file of a machine."""
    return cache.folder("machines") / f"{machine_of(environment)}.json"


def recall(environment: Environment, backend: str, workload: str) -> BaselineSpeed | None:
    """Return the baseline speed beside `backend`, or None on a machine that is not known yet."""
    readings = _read(path(environment)).get(f"{backend} {workload}", [])
    return baseline_of([BaselineSpeed(*r) for r in readings]) if len(readings) >= LEAST else None


def remember(environment: Environment, backend: str, workload: str, blocks: Sequence[dict[str, Any]]) -> None:
    """Add one launch: the median of its blocks' readings. A cache that cannot be written costs the memory alone."""
    beside = [reading(block) for block in blocks]
    if not beside:
        return
    found = [statistics.median(r.gemm_ns for r in beside), statistics.median(r.copy_ns for r in beside)]
    try:
        file = path(environment)
        with cache.locked(file.with_suffix(".lock")):
            known = _read(file)
            key = f"{backend} {workload}"
            known[key] = [*known.get(key, []), found][-KEPT:]
            write_whole(file, json.dumps(known).encode())
    except (OSError, OutputError):
        return


def known(environment: Environment) -> dict[str, int]:
    """Return how many launches are remembered, by backend and reference workload."""
    return {key: len(readings) for key, readings in _read(path(environment)).items()}


def forget(environment: Environment) -> bool:
    """Forget this machine's speed; tell whether anything was known."""
    file = path(environment)
    known = file.exists()
    file.unlink(missing_ok=True)
    return known


def reading(block: dict[str, Any]) -> BaselineSpeed:
    """Return the reference workload beside a block: the mean of the products before and after, and the copy after."""
    before, after = block["canary"]
    return BaselineSpeed((before["gemm_ns"] + after["gemm_ns"]) / 2, after["copy_ns"])


def baseline_of(readings: Sequence[BaselineSpeed]) -> BaselineSpeed:
    """Return the baseline speed among readings, of which there must be one."""
    return BaselineSpeed(
        float(np.quantile([r.gemm_ns for r in readings], QUIET_QUANTILE)),
        float(np.quantile([r.copy_ns for r in readings], QUIET_QUANTILE)),
    )


def _read(file: Path) -> dict[str, list[list[float]]]:
    """Read what is known; a file that does not parse is as good as none."""
    try:
        known = json.loads(file.read_text())
        return {
            str(key): [[float(gemm), float(copy)] for gemm, copy in rows if gemm > 0 and copy > 0]
            for key, rows in known.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
