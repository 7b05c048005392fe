"""Where things are kept between runs, and how a file or folder appears there whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.base.errors import OutputError


def root() -> Path:
    """Return the cache folder: ``$ISOFLOPS_CACHE``, else ``isoflops`` in the user's cache folder."""
    override = os.environ.get("ISOFLOPS_CACHE")
    if override:
        return Path(override).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_path("isoflops"))


def folder(*parts: str) -> Path:
    """Return a folder of the cache, made if missing; OutputError if it cannot be made."""
    path = root().joinpath(*parts)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the cache folder {path} cannot be made: {error.strerror}", "set ISOFLOPS_CACHE to a folder you can write"
        ) from error
    return path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` among processes; the kernel lets go of it when a holder dies."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


@contextlib.contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `final` by one rename when the block ends well, and vanishes otherwise.

    A reader sees all of `final` or none of it. If another process was faster, its folder stays.
    """
    draft = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    try:
        yield draft
        for file in draft.rglob("*"):
            if file.is_file():
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
        try:
            draft.rename(final)
        except OSError:
            if not final.exists():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
