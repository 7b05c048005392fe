"""What of files and processes differs from system to system, in one place: locks, pipes, ends of processes, counters.

Linux has all of it, macOS most, Windows little. What is missing degrades here and nowhere else, and
`bench.machine.systems` says in rows and in the doctor what is not told for it.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import IO, Any


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


_fcntl, _resource, _msvcrt = map(_module, ("fcntl", "resource", "msvcrt"))
# The number of the signal that nothing survives. Windows has no signals; a process ended there leaves with code 1.
KILLED: int = getattr(signal, "SIGKILL", 9)
# Whether a child can be forked and its end awaited beside a pipe's (Linux).
SPLITS = hasattr(os, "fork") and hasattr(os, "pidfd_open")
# Whether `select` takes pipes: on Windows it takes sockets alone.
SELECTS = sys.platform != "win32"
# Windows locks bytes against everybody, readers too: one far behind the end of any file locks nothing that is read.
FAR = 1 << 40
AGAIN_S = 0.05


def lock(handle: IO[Any], wait: bool = True) -> None:
    """Hold an exclusive lock on an open file among processes, until it is closed or this process ends.

    Raises:
        BlockingIOError: somebody else holds it, and this is not to wait.
    """
    if _fcntl is not None:
        _fcntl.flock(handle, _fcntl.LOCK_EX | (0 if wait else _fcntl.LOCK_NB))
        return
    while _msvcrt is not None and not _locking(handle, _msvcrt.LK_NBLCK):
        if not wait:
            raise BlockingIOError("another process holds the lock")
        time.sleep(AGAIN_S)


def share(handle: int) -> None:
    """Hold a lock that others may share on an open file, by its number; nothing where a system has none (Windows)."""
    if _fcntl is not None:
        _fcntl.flock(handle, _fcntl.LOCK_SH)


def unlock(handle: IO[Any]) -> None:
    """Let go of the lock."""
    if _fcntl is not None:
        _fcntl.flock(handle, _fcntl.LOCK_UN)
    elif _msvcrt is not None:
        _locking(handle, _msvcrt.LK_UNLCK)


def _locking(handle: IO[Any], how: int) -> bool:
    """Do as asked with the byte that stands for a file; tell whether that was granted."""
    number = handle.fileno()
    at = os.lseek(number, 0, os.SEEK_CUR)
    os.lseek(number, FAR, os.SEEK_SET)
    try:
        _msvcrt.locking(number, how, 1)
    except OSError:
        return False
    finally:
        os.lseek(number, at, os.SEEK_SET)
    return True


def sync(path: Path) -> None:
    """Put a file's content on the disk. Windows asks for a handle that may write."""
    with path.open("rb" if os.name == "posix" and _fcntl is not None else "r+b") as handle:
        os.fsync(handle.fileno())


def usage() -> dict[str, float]:
    """Return context switches and page faults of this process so far; nothing where they are not counted."""
    if _resource is None:
        return {}
    found = _resource.getrusage(_resource.RUSAGE_SELF)
    return {
        "involuntary_switches": found.ru_nivcsw,
        "voluntary_switches": found.ru_nvcsw,
        "minor_faults": found.ru_minflt,
        "major_faults": found.ru_majflt,
    }


def ticks_per_s() -> float:
    """Return the unit of the times in /proc, as ticks a second; ValueError where there is none."""
    if not hasattr(os, "sysconf"):
        raise ValueError("this system has no clock ticks")
    return float(os.sysconf("SC_CLK_TCK"))


def peak_rss_bytes() -> int:
    """Return the peak resident memory of this process, as the system counts it."""
    if _resource is not None:
        unit = 1 if sys.platform == "darwin" else 1024
        return int(_resource.getrusage(_resource.RUSAGE_SELF).ru_maxrss) * unit
    import psutil

    told = psutil.Process().memory_info()
    return int(getattr(told, "peak_wset", told.rss))


def limit_data(more: int, now: int) -> None:
    """Let this process have no more private memory than it has `now`, and so many bytes; not where nothing limits."""
    if _resource is None or not hasattr(_resource, "RLIMIT_DATA"):
        return
    _, hard = _resource.getrlimit(_resource.RLIMIT_DATA)
    wanted = now + more
    soft = wanted if hard == _resource.RLIM_INFINITY else min(wanted, hard)
    _resource.setrlimit(_resource.RLIMIT_DATA, (soft, hard))


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started in a session of its own, with whatever it has started."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, KILLED)
        except (ProcessLookupError, PermissionError):  # macOS refuses where all of a group have ended
            process.kill()
        return
    end_family(process)


def end_family(process: subprocess.Popen[bytes]) -> None:
    """End a process and its descendants, as far as they can still be found."""
    import psutil

    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for one in family:
        with contextlib.suppress(psutil.Error):
            one.kill()


def killed_by(code: int) -> str:
    """Name the signal that ended a process, from its negative exit code."""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


class Incoming:
    """What comes through a pipe, read with a limit of time and without burning CPU time."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._pieces: queue.SimpleQueue[bytes] | None = None
        if not SELECTS:
            self._pieces = queue.SimpleQueue()
            threading.Thread(target=self._pump, args=(self._pieces,), daemon=True).start()

    def read(self, timeout_s: float, size: int = 1 << 16) -> bytes:
        """Block until there is something, and return it: nothing at the end. TimeoutError if nothing comes in time."""
        if self._pieces is None:
            if timeout_s <= 0 or not select.select([self._number], [], [], timeout_s)[0]:
                raise TimeoutError
            return os.read(self._number, size)
        try:
            piece = self._pieces.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            raise TimeoutError from None
        if not piece:
            self._pieces.put(b"")  # its end stays its end
        return piece

    def _pump(self, pieces: queue.SimpleQueue[bytes]) -> None:
        piece = b"-"
        while piece:
            try:
                piece = os.read(self._number, 1 << 16)
            except OSError:
                piece = b""
            pieces.put(piece)
