"""Which cores a launch runs on: the quietest of those it may use, one per physical core, of one kind and one node."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.base.errors import Unsupported
from bench.machine import sysfs
from bench.machine.environment import pick_cores, usable_cores

WATCH_S = 0.05
# What a container's filter of system calls answers, or a kernel without the call: no fault of the cores asked for.
# EINVAL says that they are not there.
FORBIDDEN = (errno.EPERM, errno.EACCES, errno.ENOSYS)
# Less than this share busy is as good as idle: one tick of the kernel's clock is already a fifth of the watch.
IDLE = 0.25
# Cores of one kind: their top clocks differ by less. Favoured cores of a chip are a few percent faster than the rest,
# small ones slower by half.
ALIKE = 0.85
ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class Pinned:
    """The cores that a process runs on, and why it could not be pinned to those asked for; empty if it was."""

    cores: list[int]
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class _Core:
    """A core as it is weighed: its kind (0 is the fastest), how busy its physical core is, who shares it, its node."""

    number: int
    kind: int
    busy: float
    siblings: frozenset[int]
    node: str


def quietest(threads: int, allowed: Sequence[int], root: Path = ROOT) -> list[int]:
    """Watch the cores for a moment and return as many as there are threads, in rising order.

    The last cores are preferred (interrupts tend to go to the first), a busy one is avoided, and so is the second
    hardware thread of a core that is already taken. Where nothing can be watched it is the last of the fastest kind.

    Raises:
        Unsupported: there are fewer cores than threads.
    """
    fallback = pick_cores(threads, list(allowed))
    if threads >= len(allowed):
        return fallback
    before = _busy(root)  # an app on Android may not read it: then kinds and siblings decide
    if before:
        time.sleep(WATCH_S)
    after = _busy(root)
    busy = {core: max(0.0, after.get(core, 0) - before.get(core, 0)) / WATCH_S for core in allowed}
    kinds = _kinds({core: _capacity(root, core) for core in allowed})
    cores = []
    for core in allowed:
        siblings = _siblings(root, core)
        crowd = max(busy.get(c, 0.0) for c in siblings)
        crowd = crowd if crowd > IDLE else 0.0
        cores.append(_Core(core, kinds[core], crowd, frozenset(siblings), _node(root, core)))
    nodes = sorted({core.node for core in cores})
    sets = [_pick([core for core in cores if core.node == node], threads) for node in nodes] + [_pick(cores, threads)]
    best = min((chosen for chosen in sets if len(chosen) == threads), key=_cost)
    return sorted(core.number for core in best)


def _pick(cores: Sequence[_Core], threads: int) -> list[_Core]:
    """Return the best cores for so many threads, one of each physical core as long as there are any."""
    order = sorted(cores, key=lambda core: (core.kind, core.busy, -core.number))
    chosen: list[_Core] = []
    for core in order:
        if not any(core.number in other.siblings for other in chosen):
            chosen.append(core)
    return [*chosen, *(core for core in order if core not in chosen)][:threads]


def _cost(chosen: Sequence[_Core]) -> tuple[float, ...]:
    """Say what speaks against a set of cores, the worst first: slow, busy, shared, of two nodes."""
    shared = sum(core.number in other.siblings for core in chosen for other in chosen if core is not other)
    return (
        sum(core.kind for core in chosen),
        sum(core.busy for core in chosen),
        shared,
        len({core.node for core in chosen}),
        -sum(core.number for core in chosen),
    )


def pin(cores: list[int]) -> Pinned:
    """Pin this process, and so the threads that it will start, to `cores`; say which those are that it really uses.

    Where pinning is forbidden it runs wherever the system likes.

    Raises:
        Unsupported: there are no such cores.
    """
    why_not = _forbidden(cores) if cores else ""
    return Pinned(usable_cores() if _confining() else [], why_not)


def pinning() -> bool:
    """Tell whether this process may pin itself, by pinning a thread to the cores that it has."""
    told: list[str] = []
    thread = threading.Thread(target=lambda: told.append(_forbidden(usable_cores())))
    thread.start()
    thread.join()
    return told == [""]


def _forbidden(cores: list[int]) -> str:
    """Pin the calling thread, and so those that it will start; say why it is not allowed to be, if it is not.

    Raises:
        Unsupported: there are no such cores.
    """
    confine = _confining()
    if confine is None:
        return "this system pins no threads"
    try:
        confine(cores)
    except (ValueError, psutil.Error) as error:  # Windows
        raise Unsupported(f"cannot run on cores {cores}: {error}", "check `cores` of the target") from error
    except OSError as error:
        if error.errno not in FORBIDDEN:
            raise Unsupported(
                f"cannot run on cores {cores}: {error.strerror}", "check `cores` of the target"
            ) from error
        return f"sched_setaffinity: {error.strerror}"
    return ""


def _confining() -> Callable[[list[int]], object] | None:
    """Return what confines to cores: a thread and those that it starts (Linux), all of a process (Windows)."""
    if hasattr(os, "sched_setaffinity"):
        return lambda cores: os.sched_setaffinity(0, cores)
    return psutil.Process().cpu_affinity if hasattr(psutil.Process, "cpu_affinity") else None


def kinds_of(root: Path = ROOT) -> list[list[int]]:
    """Return the cores of the machine by kind, the fastest kind first; one list where all are alike."""
    folders = root.glob("sys/devices/system/cpu/cpu[0-9]*")
    numbers = sorted(int(folder.name[3:]) for folder in folders if folder.name[3:].isdigit())
    kind = _kinds({core: _capacity(root, core) for core in numbers})
    return [[core for core in numbers if kind[core] == one] for one in sorted(set(kind.values()))]


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
    told = sysfs.text(root / f"sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    return sorted(sysfs.cores(told)) or [core]


def _capacity(root: Path, core: int) -> int:
    """Return how much a core can do beside the others: its capacity (ARM), else its top clock, else all the same."""
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        told = sysfs.number(root / f"sys/devices/system/cpu/cpu{core}/{name}")
        if told is not None:
            return told
    return 0


def _kinds(capacities: dict[int, int]) -> dict[int, int]:
    """Number the kinds of cores from the fastest: those within 15% of the fastest that is left are of one kind."""
    kinds: dict[int, int] = {}
    fastest, kind = 0, -1
    for core, capacity in sorted(capacities.items(), key=lambda item: -item[1]):
        if kind < 0 or capacity < ALIKE * fastest:
            fastest, kind = capacity, kind + 1
        kinds[core] = kind
    return kinds


def _node(root: Path, core: int) -> str:
    """Name the memory node that a core belongs to, or its socket; empty where nothing tells."""
    folder = root / f"sys/devices/system/cpu/cpu{core}"
    for path in folder.glob("node[0-9]*"):
        return path.name
    package = sysfs.text(folder / "topology/physical_package_id")
    return package and f"package{package}"
