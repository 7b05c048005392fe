"""A limit on the memory of this process: what a stranger's file asks for fails here, and not on the machine."""

from __future__ import annotations

from pathlib import Path

from bench.base import system

GIB = 1 << 30


def allow(more: int) -> None:
    """Let this process take `more` bytes beyond the private memory that it has now; another allocation fails.

    Counts what can be written and is no stack, as Linux does (``RLIMIT_DATA``). Without /proc nothing is limited.
    """
    try:
        lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
        now = next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return
    system.limit_data(more, now)
