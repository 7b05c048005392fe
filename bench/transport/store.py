"""Artifacts that were carried to this machine: one folder each, named by the hash of its files, whole or not there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

from bench.artifact.package import Parcel
from bench.base import cache
from bench.base.errors import OutputError


def want(digest: str, files: list[list[Any]]) -> dict[str, Any]:
    """Return the ``folder`` of a parcel, or for each of its files ``[NAME, BYTES]`` how many bytes are ``here``."""
    final = _folder(digest)
    if final.is_dir():
        return {"folder": str(final)}
    draft = _draft(digest)
    here = {}
    for name, size in files:
        path = _inside(draft, name)
        held = path.stat().st_size if path.exists() else 0
        here[name] = held if held <= size else 0
    return {"here": here}


def put(digest: str, name: str, at: int, data: bytes) -> None:
    """Write a piece of a file at its place; what is behind it, from an older attempt, goes."""
    path = _inside(_draft(digest), name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("r+b" if path.exists() else "wb") as handle:
        handle.seek(at)
        handle.write(data)
        handle.truncate()


def done(digest: str, files: list[list[str]]) -> str:
    """Check each file ``[NAME, SHA256]``, make the folder appear by one rename, and return it.

    Raises:
        OutputError: a file has another content. It is removed, so that the next attempt begins it anew.
    """
    final, draft = _folder(digest), _draft(digest)
    for name, expected in files:
        path = _inside(draft, name)
        with contextlib.suppress(OSError), path.open("rb") as handle:
            found = hashlib.file_digest(handle, "sha256").hexdigest()
            os.fsync(handle.fileno())
            if found == expected:
                continue
        path.unlink(missing_ok=True)
        raise OutputError(f"{name} arrived damaged", "run it again: it is sent anew")
    try:
        draft.rename(final)
    except OSError:
        if not final.is_dir():  # else another line was faster
            raise
        shutil.rmtree(draft, ignore_errors=True)
    return str(final)


def _folder(digest: str) -> Path:
    if not re.fullmatch(r"[0-9a-f]{32}", digest):
        raise OutputError("that is no hash of an artifact")
    return cache.folder("carried") / digest


def _draft(digest: str) -> Path:
    return _folder(digest).with_name(f".{digest}.part")


def _inside(folder: Path, name: str) -> Path:
    """Return the path of a file in `folder`, refusing every name that leads out of it."""
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts:
        raise OutputError("that is no name of a file of an artifact")
    return folder.joinpath(*parts)


def lay(found: Parcel) -> Path:
    """Lay a parcel into this machine's own store, readable to all (a container's user is somebody else)."""
    final = _folder(found.digest)
    if final.is_dir():
        return final
    with cache.whole_folder(final) as draft:
        for file in found.files:
            path = _inside(draft, file.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with file.open() as source, path.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            path.chmod(0o644)
        for folder in (draft, *(p for p in draft.rglob("*") if p.is_dir())):
            folder.chmod(0o755)
    return final
