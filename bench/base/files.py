"""A file that appears whole or not at all, where a person asked for it."""

from __future__ import annotations

import errno
import gzip
import os
import tempfile
import zlib
from pathlib import Path
from typing import IO

from bench.base.errors import OutputError, clip

# A folder that takes no new file, or a single file that is mounted: the file itself may still be written.
NO_RENAME = (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EXDEV)
FULL = (errno.ENOSPC, errno.EDQUOT)  # where making room helps
PACKED = ".gz"
DAMAGED = (OSError, EOFError, zlib.error, ValueError)  # what reading a file of `opened` may raise


class Unwritable(OSError):
    """What is measured cannot be kept any more: its file cannot be written."""


def opened(path: Path) -> IO[str]:
    """Open a text to read it, UTF-8, compressed (``.gz``) or not; one of `DAMAGED` where it cannot be read."""
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == PACKED else path.open(encoding="utf-8")


def remedy(error: OSError, otherwise: str, where: Path | None = None) -> str:
    """Say what to do where something cannot be written: to make room (`where`) only where that is what is missing."""
    place = "" if where is None else f" in {where}"
    return f"make room{place}, or {otherwise}" if error.errno in FULL else otherwise


def says_full(error: BaseException | None) -> bool:
    """Tell whether an error, or what it came of, is that of a full disk; one from another process says so in words."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if any(os.strerror(number) in str(error) for number in FULL):
            return True
        error = error.__cause__
    return False


def scratch(prefix: str) -> IO[bytes]:
    """Open a temporary file without a name; OutputError where no folder takes one."""
    try:
        return tempfile.TemporaryFile(prefix=prefix)
    except OSError as error:
        raise OutputError(
            f"no temporary file can be written: {error.strerror}", "set TMPDIR to a folder that can be written"
        ) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file by one rename, so that a full disk leaves what was there before; a device or pipe as it is.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        final = path.resolve()  # a link stays one
        draft = final.with_name(f".{final.name}.{os.getpid()}.part")
        try:
            draft.write_bytes(content)
            os.replace(draft, final)
        except OSError as error:
            if error.errno not in NO_RENAME:
                raise
            final.write_bytes(content)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{clip(str(path))} cannot be written: {error.strerror}", remedy(error, "choose another --output")
        ) from error
