"""Where things are kept between runs, and how a file or folder appears there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.base import system
from bench.base.errors import OutputError
from bench.base.files import remedy, says_full

LEAST_BYTES = 1 << 16  # less room than this is none


def root() -> Path:
    """Return the cache folder: ``$ISOFLOPS_CACHE``, else ``isoflops`` in the user's cache folder.

    Raises:
        OutputError: it is in a home that is not there, as that of a container's user without an account.
    """
    override = os.environ.get("ISOFLOPS_CACHE")
    try:
        if override:
            return Path(override).expanduser().absolute()  # a worker may begin in another folder
        import platformdirs

        path = Path(platformdirs.user_cache_path("isoflops"))
        if not path.is_absolute():  # of a platformdirs that makes a folder called ~
            raise RuntimeError
    except RuntimeError:
        raise OutputError(
            "there is no folder for the cache: this user has no home", "set ISOFLOPS_CACHE to a folder you can write"
        ) from None
    return path


def folder(*parts: str) -> Path:
    """Return a folder of the cache, made if missing; OutputError if it cannot be made."""
    path = root().joinpath(*parts)
    with _told(path, "made"):
        path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def _told(path: Path, what: str = "written") -> Iterator[None]:
    """Say in a line what cannot be done with the cache."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"the cache folder {path} cannot be {what}: {error.strerror}",
            remedy(error, "set ISOFLOPS_CACHE to a folder you can write", path),
        ) from error


@contextlib.contextmanager
def with_room(path: Path) -> Iterator[None]:
    """Tell a full disk as such, whatever fails for it inside, in this process or in another.

    Not every program names it: one that fails where there is no room left failed for that.

    Raises:
        OutputError: there is no room in the folder, or where temporary files go.
    """
    try:
        yield
    except Exception as error:
        full, told = _full(path), says_full(error)
        if not full and not told:
            raise
        missing = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        scratch = Path(tempfile.gettempdir())
        if not full and _full(scratch):
            raise OutputError(
                f"no temporary file can be written: {missing.strerror}",
                remedy(missing, "set TMPDIR to another folder", scratch),
            ) from error
        with _told(path):
            raise missing from error


def _full(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return shutil.disk_usage(path).free < LEAST_BYTES
    return False


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` among processes; the kernel lets go of it when a holder dies.

    Raises:
        OutputError: it cannot be written.
    """
    with contextlib.ExitStack() as stack:
        with _told(path.parent):
            handle = stack.enter_context(path.open("w"))
            system.lock(handle)
        try:
            yield
        finally:
            system.unlock(handle)


def lock_of(final: Path) -> Path:
    """Return the file that is locked while a folder is made."""
    return final.with_name(f".{final.name}.lock")


def lock_of_draft(draft: Path) -> Path:
    """Return the same file, from what `whole_folder` yields."""
    return draft.with_name(draft.name.rpartition("-")[0] + ".lock")


@contextlib.contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `final` by one rename when the block ends well, and vanishes otherwise.

    A reader sees all of `final` or none of it. If another process was faster, its folder stays. Call it with `lock_of`
    locked: a draft whose lock nobody holds is taken for what a killed process left.

    Raises:
        OutputError: it cannot be written.
    """
    with _told(final.parent):
        draft = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    try:
        with with_room(final.parent):
            yield draft
        with _told(final.parent):
            for file in draft.rglob("*"):
                if file.is_file():
                    system.sync(file)
            try:
                draft.rename(final)
            except OSError:
                if not final.exists():
                    raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
