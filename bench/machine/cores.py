"""Which cores a launch runs on: the quietest of those it may use, one per physical core, all of the fastest kind."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bench.base.errors import Unsupported
from bench.machine.environment import pick_cores

WATCH_S = 0.05
# What a sandbox answers that forbids the call; EINVAL says that the cores are not there.
FORBIDDEN = (errno.EPERM, errno.EACCES, errno.ENOSYS)
# Less than this share busy is as good as idle: one tick of the kernel's clock is already a fifth of the watch.
IDLE = 0.25
ROOT = Path("/")


def quietest(threads: int, allowed: Sequence[int], root: Path = ROOT, watch_s: float = WATCH_S) -> list[int]:
    """Watch the cores for a moment and return as many as there are threads, in rising order.

    The last cores are preferred (interrupts tend to go to the first), a busy one is avoided, and so is the second
    hardware thread of a core that is already taken. Where nothing can be watched it is the last ones.

    Raises:
        Unsupported: there are fewer cores than threads.
    """
    fallback = pick_cores(threads, list(allowed))
    if threads >= len(allowed):
        return fallback
    before = _busy(root)
    if not before:
        return fallback
    time.sleep(watch_s)
    after = _busy(root)
    busy = {core: max(0.0, after.get(core, 0) - before.get(core, 0)) / watch_s for core in allowed}
    groups = {core: _siblings(root, core) for core in allowed}
    crowd = {core: max(busy.get(c, 0.0) for c in groups[core]) for core in allowed}
    kind = {core: _capacity(root, core) for core in allowed}
    order = sorted(allowed, key=lambda core: (-kind[core], crowd[core] if crowd[core] > IDLE else 0.0, -core))
    chosen: list[int] = []
    for core in order:
        if not set(groups[core]) & set(chosen):
            chosen.append(core)
    chosen += [core for core in order if core not in chosen]
    return sorted(chosen[:threads])


def pin(cores: list[int]) -> list[int]:
    """Pin this process, and so the threads that it will start, to `cores`; return those it may really use.

    Where a sandbox forbids to pin (`pinning`) it runs wherever the system likes, and what is returned says so.

    Raises:
        Unsupported: there are no such cores for this process.
    """
    if not hasattr(os, "sched_setaffinity"):
        return []
    if cores:
        try:
            os.sched_setaffinity(0, cores)
        except OSError as error:
            if error.errno not in FORBIDDEN:
                raise Unsupported(
                    f"cannot run on cores {cores}: {error.strerror}", "check `cores` of the target"
                ) from error
    try:
        return sorted(os.sched_getaffinity(0))
    except OSError:
        return []


def pinning() -> bool:
    """Tell whether this process may pin itself, by pinning a thread to the cores that it has."""
    forbidden: list[Exception] = []

    def try_it() -> None:
        try:
            os.sched_setaffinity(0, os.sched_getaffinity(0))  # of this thread alone
        except (OSError, AttributeError) as error:
            forbidden.append(error)

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    return not forbidden


def _busy(root: Path) -> dict[int, float]:
    """Return the seconds each core has been busy so far, stolen time included."""
    found = {}
    try:
        for line in (root / "proc/stat").read_text().splitlines():
            name, *fields = line.split()
            if name[:3] == "cpu" and name[3:].isdigit():
                user, nice, system, _, _, interrupt, soft, steal = (int(f) for f in fields[:8])
                found[int(name[3:])] = (user + nice + system + interrupt + soft + steal) / 100
    except (OSError, ValueError):
        return {}
    return found


def _siblings(root: Path, core: int) -> list[int]:
    """Return the hardware threads of a core's physical core, itself among them."""
    try:
        text = (root / f"sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list").read_text().strip()
        cores: list[int] = []
        for part in text.split(","):
            first, _, last = part.partition("-")
            cores += range(int(first), int(last or first) + 1)
        return cores
    except (OSError, ValueError):
        return [core]


def _capacity(root: Path, core: int) -> int:
    """Return how much a core can do beside the others: its capacity (ARM), else its top clock, else all the same."""
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        try:
            return int((root / f"sys/devices/system/cpu/cpu{core}/{name}").read_text())
        except (OSError, ValueError):
            continue
    return 0
