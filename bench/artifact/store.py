"""What the cache holds of models and runtimes, how large it is, who uses it, and what goes where there is a limit.

A process that has loaded an artifact, or measures with a runtime that was installed for it, holds a shared lock on a
file of that folder until it ends (`_mark`): what is in use is known from the kernel, and never removed. When it was
last used is the time of that file.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.base import cache, system
from bench.base.errors import OutputError, UsageError, clip
from bench.base.files import write_whole

RUNTIMES = "runtimes"  # what `version=` installed
# Exported here, quantised, converted by a runtime's converter, uploaded here to be measured, installed.
PARTS = ("artifacts", "quantized", "converted", "carried", RUNTIMES)
GIVEN = "given"  # arrays that Python code gave, beside them
TOLD, CONFIG, MANIFEST = "artifact.json", "pyvenv.cfg", "manifest.json"
PART, GONE = ".part", ".gone"  # how the name ends of a folder that is still uploaded, or being removed
COPY, DIFFERENCE = "weights.pt", "changed.pt"  # the first is made of the second whenever it is needed
UNITS = {"": 1, "B": 1, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
MOST_HELD = 256  # locks of one process: every one is an open file

_held: OrderedDict[str, int] = OrderedDict()  # descriptors, by folder: they are open as long as the process lives
# A fork holds nothing of its own, and may have closed what its parent held and use the numbers for something else.
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing is forked
    os.register_at_fork(after_in_child=_held.clear)


@dataclass(frozen=True)
class Entry:
    """A folder of the cache: the `model` or runtime that it is of, its part (of `PARTS`), and when it was last used."""

    folder: Path
    part: str
    model: str
    bytes: int
    used_s: float

    @property
    def busy(self) -> bool:
        """Whether a process uses it now."""
        with _exclusive(self.folder) as mine:
            return not mine


def hold(folder: Path) -> None:
    """Say that this process uses a folder, and that it is used now; nothing where the file system cannot."""
    with contextlib.suppress(OSError):
        handle = _held.pop(str(folder), None)
        if handle is not None and os.fstat(handle).st_ino != os.stat(_mark(folder)).st_ino:  # made anew since
            os.close(handle)
            handle = None
        if handle is None:
            handle = os.open(_mark(folder), os.O_RDONLY)
        _held[str(folder)] = handle
        system.share(handle)
        while len(_held) > MOST_HELD:
            os.close(_held.popitem(last=False)[1])
    with contextlib.suppress(OSError):  # of somebody else, who keeps it for all
        os.utime(_mark(folder))


def let_go(folder: Path) -> None:
    """Say that this process uses an artifact no more."""
    handle = _held.pop(str(folder), None)
    if handle is not None:
        os.close(handle)


def entries() -> list[Entry]:
    """Return every artifact and runtime of the cache, the one that was used least recently first."""
    found = []
    for part in PARTS:
        for folder in sorted((cache.root() / part).glob("[!.]*")):
            with contextlib.suppress(OSError):  # removed since, or no whole one
                mark = _mark(folder)
                used_s = mark.stat().st_mtime
                named = _runtime(folder) if part == RUNTIMES else _model(mark)
                found.append(Entry(folder, part, named, _size(folder), used_s))
    return sorted(found, key=lambda entry: entry.used_s)


def wrecks() -> list[Path]:
    """Return the folders of runtimes that are no whole ones: nobody uses them, and they are no entries."""
    return [folder for folder in (cache.root() / RUNTIMES).glob("[!.]*") if not _mark(folder).exists()]


def unfinished() -> tuple[int, int]:
    """Return how many folders were begun by processes that are gone and never finished, and their bytes."""
    return _unfinished(lambda folder: None, uploads=True)


def sweep(uploads: bool = True) -> tuple[int, int]:
    """Remove them, and tell the same; without `uploads` those stay that would go on where the link was lost."""
    return _unfinished(lambda folder: shutil.rmtree(folder, ignore_errors=True), uploads)


def _unfinished(use: Callable[[Path], None], uploads: bool) -> tuple[int, int]:
    count, size = 0, 0
    for folder in (folder for part in PARTS for folder in (cache.root() / part).glob(".*") if folder.is_dir()):
        with contextlib.suppress(OSError), _abandoned(folder) as mine:  # removed since
            if mine and (uploads or not folder.name.endswith(PART)):
                count, size = count + 1, size + _size(folder)
                use(folder)
    return count, size


def remove(entry: Entry) -> bool:
    """Remove an artifact, unless it is in use; tell whether it is gone.

    Raises:
        OutputError: it cannot be removed.
    """
    with _exclusive(entry.folder) as mine:
        if not mine:
            return False
        away = entry.folder.with_name(f".{entry.folder.name}.{os.getpid()}{GONE}")
        try:
            entry.folder.rename(away)  # a reader finds all of it or nothing
            shutil.rmtree(away)
        except OSError as error:
            raise OutputError(f"{entry.folder} cannot be removed: {error.strerror}", "remove it by hand") from error
    return True


def trim(most: float) -> tuple[list[Entry], int]:
    """Remove what was used least recently until the cache takes at most so many bytes; return it, and the size left.

    First go full copies of weights that are kept as a difference, then whole artifacts and runtimes. What is in use
    stays, even where the limit is not met then. What was never finished goes without being asked.
    """
    sweep()
    some = entries()
    size, gone = sum(entry.bytes for entry in some), list[Entry]()
    for entry in some:
        copy = entry.folder / COPY
        if size > most and (entry.folder / DIFFERENCE).exists() and copy.exists():
            with _exclusive(entry.folder) as mine, contextlib.suppress(OSError):
                if mine:
                    saved = copy.stat().st_size
                    copy.unlink()
                    size -= saved
    for entry in some:
        if size <= most:
            break
        now = _size(entry.folder)
        if remove(entry):
            size -= now
            gone.append(entry)
    return gone, size


def limit() -> float | None:
    """Return the limit in bytes, if there is one."""
    try:
        return float((cache.root() / "limit").read_text("ascii"))
    except (OSError, ValueError):
        return None


def set_limit(most: float | None) -> None:
    """Keep a limit for all that is made from now on; None takes it away."""
    if most is None:
        (cache.root() / "limit").unlink(missing_ok=True)
    else:
        write_whole(cache.folder() / "limit", f"{most:.0f}\n".encode())


def enforce() -> None:
    """Keep to the limit, if there is one, after something was made."""
    most = limit()
    if most is not None:
        with contextlib.suppress(OutputError):  # of another user: who measures is not to fail for it
            trim(most)


def size(text: str) -> float | None:
    """Read ``5GB``, ``500 MB``, ``1.5GiB``; None for ``none``.

    Raises:
        UsageError: it is no size.
    """
    if text.strip().lower() == "none":
        return None
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT]?i?)B?", text.strip(), re.IGNORECASE | re.ASCII)
    unit = match[2].capitalize() if match else "?"
    bare = match is not None and text.strip() == match[1] != "0"  # 10 of what?
    if match is None or unit not in UNITS or bare:
        raise UsageError(f"{clip(text)!r} is no size", "write 5GB, 500MB, 0 or none")
    return float(match[1]) * UNITS[unit]


def ago(entry: Entry) -> float:
    """Return how many days ago it was used."""
    return max(0.0, time.time() - entry.used_s) / 86400


@contextmanager
def _abandoned(folder: Path) -> Iterator[bool]:
    """Hold a folder that is no whole one, if whoever made or removed it is gone."""
    if folder.name.endswith(GONE):
        import psutil

        yield not psutil.pid_exists(int(folder.name.split(".")[-2]))
    elif folder.name.endswith(PART):
        with _exclusive(folder) as mine:
            yield mine
    else:
        lock = cache.lock_of_draft(folder)
        with _alone(lock) as mine:
            yield mine or not lock.exists()


@contextmanager
def _exclusive(folder: Path) -> Iterator[bool]:
    """Hold an artifact alone, if nobody else holds it: not this process either."""
    if str(folder) in _held:
        yield False
        return
    with _alone(_mark(folder)) as mine:
        yield mine


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Lock a file that is there, if nobody else holds it."""
    try:
        handle = path.open("rb")
    except OSError:
        yield False
        return
    with handle:
        try:
            system.lock(handle, wait=False)
        except OSError:
            yield False
            return
        yield True


def _mark(folder: Path) -> Path:
    """Return the file of a folder that is locked while the folder is used."""
    if folder.name.endswith(PART):
        return folder / MANIFEST
    return folder / (CONFIG if folder.parent.name == RUNTIMES else TOLD)


def _size(folder: Path) -> int:
    """Return the bytes of a folder's own files; a link, as to an environment's interpreter, takes none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _runtime(folder: Path) -> str:
    """Name a runtime by its folder, NAME-VERSION-HASH."""
    name, _, rest = folder.name.partition("-")
    return f"{name} {rest.rpartition('-')[0]}"


def _model(told: Path) -> str:
    try:
        found = json.loads(told.read_text("utf-8"))
        return str(found["model"])
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown"
