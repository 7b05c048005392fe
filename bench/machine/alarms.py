"""Pairs of a case with itself, kept per machine: what tells how often a comparison here is wrong.

One file per machine in the user's cache; in it, per backend and threads, the log-ratios of the latest pairs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.base import cache
from bench.base.errors import OutputError
from bench.base.files import write_whole
from bench.machine.environment import Environment
from bench.machine.identity import machine_of

KEPT = 300  # pairs per backend; older ones are forgotten


def path(environment: Environment) -> Path:
    """Return the file of a machine."""
    return cache.folder("machines") / f"{machine_of(environment)}.alarms.json"


def key(backend: str, threads: int, more: str = "") -> str:
    """Name what pairs are kept for: the canonical spec of a backend, its threads, and what else keeps them apart."""
    return f"{backend} threads={threads}{more and f' {more}'}"


def recall(environment: Environment, keys: Iterable[str], least: int) -> list[float]:
    """Return the pairs kept for all `keys`; none where one of them has fewer than `least`."""
    known = _read(path(environment))
    found = [known.get(key, []) for key in dict.fromkeys(keys)]
    return [ratio for ratios in found for ratio in ratios] if all(len(ratios) >= least for ratios in found) else []


def remember(environment: Environment, key: str, log_ratios: Sequence[float]) -> None:
    """Add the pairs of a comparison of a case with itself. A cache that cannot be written costs the memory alone."""
    try:
        file = path(environment)
        with cache.locked(file.with_suffix(".lock")):
            known = _read(file)
            known[key] = [*known.get(key, []), *log_ratios][-KEPT:]
            write_whole(file, json.dumps(known).encode())
    except (OSError, OutputError):
        return


def _read(file: Path) -> dict[str, list[float]]:
    """Read what is known; a file that does not parse is as good as none."""
    try:
        known = json.loads(file.read_text())
        return {str(key): [float(r) for r in ratios if math.isfinite(r)] for key, ratios in known.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
