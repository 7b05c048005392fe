"""Which threads of this process compute: told by the CPU time that each one got, not by what a runtime says of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.base import system

ROOT = Path("/")
# Less than this share of what the fullest thread got is no computing: it starts inferences, or waits.
BUSY = 0.1
WATCH_S = 0.1
LOOKS = 5


def cpu_ns(root: Path = ROOT) -> dict[int, int]:
    """Return the CPU time of every thread of this process so far, in ns by its id; nothing where that is not told."""
    found = {}
    for folder in (root / "proc/self/task").glob("[0-9]*"):
        try:
            found[int(folder.name)] = _spent(folder)
        except (OSError, ValueError, IndexError):  # it has just ended, or nothing is told of threads
            continue
    return found


def computing(before: Mapping[int, int], after: Mapping[int, int]) -> int | None:
    """Count the threads that computed between two readings of `cpu_ns`; None where nothing tells."""
    spent = [ns - before.get(thread, 0) for thread, ns in after.items()]
    fullest = max(spent, default=0)
    return sum(ns >= BUSY * fullest for ns in spent) if fullest > 0 else None


def count_computing(work: Callable[[], object], wanted: int, watch_s: float = WATCH_S) -> int | None:
    """Do some work again and again for a moment, and count the threads that did it; None where nothing tells.

    Where they are fewer than `wanted` it is looked at again, and the most counts: on a busy machine one thread may have
    done short work before the others got a core; one that something withholds from computing never does.
    """
    work()  # threads start with the first of it
    most = None
    for _ in range(LOOKS):
        before, begin = cpu_ns(), time.monotonic()
        while True:
            work()
            if time.monotonic() - begin >= watch_s:
                break
        found = computing(before, cpu_ns())
        most = found if most is None or found is None else max(most, found)
        if most is None or most >= wanted:
            break
    return most


def _spent(folder: Path) -> int:
    """Read a thread's CPU time: in ns where the scheduler tells it, else in ticks of the clock."""
    try:
        return int((folder / "schedstat").read_text().split()[0])
    except OSError:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()  # its name may hold anything
        return round((int(fields[11]) + int(fields[12])) * 1e9 / system.ticks_per_s())
