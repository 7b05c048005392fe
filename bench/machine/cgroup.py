"""The control groups that this process is in: how many cores they let it have, and how often they stopped it.

A limit may stand in any group above a process: a container's, a slice's, a service's. Version 2 keeps ``cpu.max`` and
``cpu.stat`` in one tree, version 1 ``cpu.cfs_quota_us``, ``cpu.cfs_period_us`` and ``cpu.stat`` in a tree of the
controller. Inside a container the tree usually begins at its own group, whatever ``/proc/self/cgroup`` says.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from bench.machine.sysfs import text

ROOT = Path("/")
FILES = ("cpu.max", "cpu.cfs_quota_us", "cpu.stat")


def folders(root: Path = ROOT) -> list[Path]:
    """Return the folders of this process's groups that govern the CPU, innermost first."""
    found: list[Path] = []
    for line in text(root / "proc/self/cgroup").splitlines() or ["0::/"]:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        trees = ["", "unified"] if not controllers else ["cpu", controllers]
        if controllers and "cpu" not in controllers.split(","):
            continue
        for tree in trees:
            top = root / "sys/fs/cgroup" / tree
            inner = PurePosixPath(path.lstrip("/"))
            for group in (inner, *inner.parents):
                folder = top / group
                if folder not in found and any((folder / name).exists() for name in FILES):
                    found.append(folder)
    return found


def quota_cores(groups: list[Path]) -> float | None:
    """Return how many cores the tightest of the groups allows, or None where none limits it."""
    limits = []
    for folder in groups:
        both = text(folder / "cpu.max").split() or [
            text(folder / "cpu.cfs_quota_us"),
            text(folder / "cpu.cfs_period_us"),
        ]
        if len(both) == 2 and both[0].isdigit() and both[1].isdigit() and int(both[1]):
            limits.append(int(both[0]) / int(both[1]))
    return min(limits, default=None)


def throttled(groups: list[Path]) -> int | None:
    """Return how often the groups were stopped so far because their quota was used up; None where none tells."""
    total = None
    for folder in groups:
        for line in text(folder / "cpu.stat").splitlines():
            key, _, value = line.partition(" ")
            if key == "nr_throttled" and value.isdigit():
                total = (total or 0) + int(value)
    return total
