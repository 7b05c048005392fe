"""What else happened while a block ran: recorded with every block, never used to choose among latencies by value."""

from __future__ import annotations

import contextlib
import time
from functools import cache
from pathlib import Path

from bench.base import system
from bench.machine import cgroup

_STAT = Path("/proc/stat")
_PRESSURE = Path("/proc/pressure/cpu")


def read(cores: list[int]) -> dict[str, float]:
    """Read every counter there is, as a running total (units in the names); absent ones are left out."""
    usage = system.usage()
    counters: dict[str, float] = {"wall_ns": time.perf_counter_ns(), "cpu_ns": time.process_time_ns(), **usage}
    with contextlib.suppress(OSError, ValueError, IndexError):
        ticks = 1000 / system.ticks_per_s()
        names = {f"cpu{core}" for core in cores}
        rows = [line.split() for line in _STAT.read_text().splitlines() if line.split()[0] in names]
        counters["steal_ms"] = sum(int(row[8]) for row in rows) * ticks
    with contextlib.suppress(OSError, ValueError, IndexError):
        some = _PRESSURE.read_text().split("\n")[0]
        counters["pressure_us"] = int(some.rpartition("total=")[2])
    throttled = cgroup.throttled(_groups())
    if throttled is not None:
        counters["throttled"] = throttled
    return counters


@cache
def _groups() -> list[Path]:
    """Return the groups of this process, which stays in them."""
    return cgroup.folders()


def difference(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Return what each counter rose by, whole numbers as such."""
    return {k: round(after[k] - before[k], 3) for k in after if k in before}
