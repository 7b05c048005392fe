"""Data that a person gives as input, ``--input data.npz``: where it lies, and the hash that a case is known by.

Nothing of it is read here but its bytes: the process that exports makes arrays of it (`bench.export.given`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.base import cache
from bench.base.errors import ArtifactError, clip

ARRAYS = (".npz", ".npy")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".tif", ".tiff")
HOW = "give a .npz or .npy file, or a folder of images"
DIGITS = 16  # of the hash: as many as tell apart whatever one person has


@dataclass(frozen=True, slots=True)
class Given:
    """Data by what is in it: two that hold the same bytes are equal, wherever they lie."""

    digest: str
    path: str = field(compare=False)

    def __str__(self) -> str:
        return self.digest


def read(text: str) -> Given:
    """Find data and hash it.

    Raises:
        ArtifactError: it is not there, cannot be read, or is neither arrays nor images.
    """
    path = Path(text)
    if path.is_dir():
        files = pictures(path)
        if not files:
            raise ArtifactError(f"--input {clip(text)} holds no images", f"it takes {', '.join(PICTURES)}")
    elif path.suffix.lower() not in (*ARRAYS, *PICTURES):
        why = "is no data that can be read" if path.exists() else "is not there"
        raise ArtifactError(f"--input {clip(text)} {why}", HOW)
    else:
        files = [path]
    digest = hashlib.sha256()
    try:
        for file in files:
            with file.open("rb") as handle:
                digest.update(hashlib.file_digest(handle, "sha256").digest())
    except OSError as error:
        raise ArtifactError(f"--input {clip(text)} cannot be read: {error.strerror}", HOW) from error
    return Given(digest.hexdigest()[:DIGITS], str(path.absolute()))


def kept(arrays: Mapping[str, Any]) -> Path:
    """Keep arrays that Python code gives, by the hash of their content; return where.

    Raises:
        ArtifactError: one is no array of numbers.
    """
    import numpy as np

    named = {}
    for name, value in arrays.items():
        try:
            named[str(name)] = np.asarray(value, order="C")
        except ValueError as error:  # lists in it have several lengths
            raise ArtifactError(f"the input {clip(str(name))} is no array: {error}", HOW) from error
    digest = hashlib.sha256()
    for name, array in sorted(named.items()):
        if array.dtype.kind not in "fiub":
            raise ArtifactError(f"the input {clip(name)} is {array.dtype}, no numbers", HOW)
        digest.update(f"{name}\0{array.dtype}\0{array.shape}\0".encode() + array.tobytes())
    path = cache.folder("given") / f"{digest.hexdigest()[:24]}.npz"
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.npz")
        np.savez(draft, allow_pickle=False, **dict(sorted(named.items())))
        os.replace(draft, path)
    return path


def pictures(folder: Path) -> list[Path]:
    """Return the images of a folder, in the order of their names; a picture alone is one."""
    if not folder.is_dir():
        return [folder]
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.is_file())
