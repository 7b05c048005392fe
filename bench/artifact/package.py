"""An artifact as it travels: every file that a worker needs, none that it does not, known by what is in them."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from bench.artifact.artifact import Artifact
from bench.artifact.digest import sha256_of
from bench.base.errors import ArtifactError, clip


@dataclass(frozen=True, slots=True)
class File:
    """A file of a parcel: its path inside, and either where it is here or what is in it."""

    name: str
    size_bytes: int
    sha256: str
    source: Path | None = None
    text: bytes = b""

    def open(self) -> BinaryIO:
        """Open it for reading."""
        return io.BytesIO(self.text) if self.source is None else self.source.open("rb")


@dataclass(frozen=True, slots=True)
class Parcel:
    """The files of an artifact, and the hash of them all, which names the folder there."""

    digest: str
    files: tuple[File, ...]


def pack(artifact: Artifact, form: str) -> Parcel:
    """Name the files of an artifact that are needed in a `form` (`bench.backends.base.Capabilities.form`).

    A person's own ONNX file lies wherever it lies and is known by its time of change; in a parcel it is `model.onnx`,
    known by its size. PyTorch's weights go along only in the form ``module``; a converted artifact goes as it is, with
    neither.

    Raises:
        ArtifactError: a file cannot be read, or its external data lies outside of its folder.
    """
    there = {"reference.npz": Path(artifact.folder, "reference.npz")}
    there |= {file.name: artifact.converted_path(file.name) for file in artifact.converted}
    if not artifact.converted:
        there["model.onnx"] = artifact.path
    if form == "module" and artifact.weights.exists():
        there["weights.pt"] = artifact.weights
    for location in () if artifact.converted else artifact.data:
        if PurePosixPath(location).is_absolute() or ".." in PurePosixPath(location).parts:
            raise ArtifactError(f"external data in {clip(location)} cannot be carried", "keep it beside the ONNX file")
        there[location] = artifact.path.parent / location
    try:
        files = [File(name, path.stat().st_size, sha256_of(path), path) for name, path in sorted(there.items())]
    except OSError as error:
        raise ArtifactError(
            f"{clip(str(error.filename))} cannot be read: {error.strerror}", "export it anew"
        ) from error
    described = asdict(replace(artifact, onnx="model.onnx", stamps=()))
    del described["folder"]
    text = json.dumps(described, indent=1).encode()
    files.append(File("artifact.json", len(text), hashlib.sha256(text).hexdigest(), None, text))
    names = "".join(f"{file.sha256} {file.name}\n" for file in files)
    return Parcel(hashlib.sha256(names.encode()).hexdigest()[:32], tuple(files))
