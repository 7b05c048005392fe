"""SHA-256 of files, read as a stream; the digest of a big file is kept, so that 3 GB are read once and not per case."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from bench.base import cache
from bench.base.errors import OutputError
from bench.base.files import write_whole

BIG_BYTES = 64 << 20
# A file that changed this recently may change again within one tick of the file system's clock.
SETTLED_NS = 2_000_000_000


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text.

    The digest of a file of more than 64 MiB is looked up by its path, inode, size and times of change.
    """
    before = _stamp(path)
    if path.stat().st_size < BIG_BYTES:
        return _read(path)
    kept = cache.folder("digests") / hashlib.sha256(before.encode()).hexdigest()
    try:
        digest = kept.read_text("ascii")
        if len(digest) == 64:
            return digest
    except (OSError, UnicodeDecodeError):
        pass  # not kept yet, or damaged: the file itself is the truth
    digest = _read(path)
    if _stamp(path) == before and time.time_ns() - path.stat().st_mtime_ns > SETTLED_NS:
        with suppress(OutputError):  # no room: it is read again next time
            write_whole(kept, digest.encode())
    return digest


def sha256_with_data(onnx: Path, folder: Path, locations: Iterable[str]) -> str:
    """Return the SHA-256 of an ONNX file and, where it has any, of the files in `folder` that hold its weights."""
    digest = sha256_of(onnx)
    parts = [f"{location}\0{sha256_of(folder / location)}\n" for location in sorted(locations)]
    return hashlib.sha256((digest + "\n" + "".join(parts)).encode()).hexdigest() if parts else digest


def _read(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _stamp(path: Path) -> str:
    found = path.stat()
    return f"{path.resolve()}\0{found.st_ino}\0{found.st_size}\0{found.st_mtime_ns}\0{found.st_ctime_ns}"
