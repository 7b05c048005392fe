"""An artifact as it travels: a manifest, known by its hash, and the files that it lists with theirs.

The manifest is the text of a JSON object: `artifact` (what ``artifact.json`` says, without a path of the sender's) and
`files`. A device keeps what arrives in its cache, ``carried/HASH OF THE MANIFEST``, whole or not at all, and believes
nothing that does not hash to what was announced.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from bench.artifact import store
from bench.artifact.artifact import Artifact, load
from bench.artifact.digest import sha256_of
from bench.base import cache
from bench.base.errors import ArtifactError, OutputError, Unsupported, clip
from bench.base.files import remedy

LONGEST_MANIFEST = 8 << 20
OWN = {"model.onnx", "reference.npz", "weights.pt"}


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a package."""

    name: str
    bytes: Annotated[int, Meta(ge=0)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """What is in a package."""

    artifact: Artifact
    files: tuple[Entry, ...]


class Held(Struct, frozen=True):
    """What a device has of a package: its `folder` if it is whole, else how many bytes are `here` of each file."""

    folder: str = ""
    here: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Package:
    """An artifact to be sent; `paths` says where each file is here."""

    manifest: bytes
    paths: dict[str, Path]

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, and so of everything that it lists."""
        return hashlib.sha256(self.manifest).hexdigest()


def pack(artifact: Artifact, form: str) -> Package:
    """List the files of an artifact that are needed in a `form`, with their hashes; nothing is copied.

    Forms are those of `bench.backends.base.Capabilities.form`. A person's own ONNX file lies wherever it lies and is
    known by its time of change; in a package it is `model.onnx`, known by its size. PyTorch's weights go along only in
    the form ``module``; a converted artifact goes as it is, with neither. A Python file that builds the network does
    not travel, neither its path nor its code.

    Raises:
        ArtifactError: a file cannot be read, or lies outside the model's folder.
        Unsupported: the network would have to be built there from a Python file.
    """
    if form == "module" and artifact.kind == "python":
        raise Unsupported(
            "a Python file does not travel to a device, and this backend would need it",
            "a backend that reads the exported ONNX file measures it, e.g. onnxruntime",
        )
    paths = {"reference.npz": Path(artifact.folder, "reference.npz")}
    paths |= {_inside(file.name): artifact.converted_path(file.name) for file in artifact.converted}
    if not artifact.converted:
        paths["model.onnx"] = artifact.path
        paths |= {_inside(location): artifact.path.parent / location for location in artifact.data}
    if form == "module" and artifact.weights.exists():
        paths["weights.pt"] = artifact.weights
    try:
        files = [Entry(name, path.stat().st_size, sha256_of(path)) for name, path in sorted(paths.items())]
    except OSError as error:
        named = clip(str(error.filename))
        raise ArtifactError(f"{named} cannot be read: {error.strerror}", "export the model again") from error
    source = "" if artifact.kind in ("python", "onnx") else artifact.source
    described = replace(artifact, folder="", onnx="model.onnx", stamps=(), source=source, digests={})
    return Package(msgspec.json.encode(Manifest(described, tuple(files)), order="sorted"), paths)


def lay(package: Package) -> Path:
    """Lay a package into this machine's own store, readable to all: a container's user is somebody else."""
    with cache.locked(cache.folder("carried") / ".laying"):
        held = want(package.manifest, lambda kind, source: True)
        with cache.with_room(cache.folder("carried")):
            for name, path in package.paths.items() if not held.folder else ():
                shutil.copyfile(path, _place(_draft(package.digest), name))
        final = Path(done(package.digest))
    for path in (final, *final.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return final


def want(manifest: bytes, buildable: Callable[[str, str], bool]) -> Held:
    """Open a draft for a package, unless it is here; return what is here of it.

    `buildable` tells of the artifact's kind and source whether a network may be built from them here.

    Raises:
        ArtifactError: the manifest is not what `pack` writes.
    """
    found = _checked(manifest, buildable)
    digest = hashlib.sha256(manifest).hexdigest()
    if _whole(digest):
        return Held(str(_folder(digest)))
    draft = _draft(digest)
    draft.mkdir(parents=True, exist_ok=True)
    (draft / store.MANIFEST).write_bytes(manifest)
    store.hold(draft)
    here = {}
    for entry in found.files:
        path = _place(draft, entry.name)
        held = path.stat().st_size if path.exists() else 0
        here[entry.name] = held if held <= entry.bytes else 0
    return Held("", here)


def put(digest: str, name: str, at: int, piece: bytes) -> None:
    """Write a piece of a file, where the manifest has that file and room for the piece.

    Nothing behind it is cut off: two senders of one package send the same bytes.
    """
    draft = _draft(digest)
    if not draft.exists() and _whole(digest):
        return  # another sender was faster
    entry = next((entry for entry in _announced(draft).files if entry.name == name), None)
    if entry is None or not 0 <= at <= entry.bytes - len(piece):
        raise ArtifactError("a piece of a file came that the package does not have", "run it again")
    try:
        descriptor = os.open(_place(draft, name), os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            os.lseek(descriptor, at, os.SEEK_SET)
            left = memoryview(piece)
            while left:  # the last bytes that a full disk takes come as a short write, and only then the error
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OutputError(
            f"the artifact cannot be kept there: {error.strerror}",
            remedy(error, "set ISOFLOPS_CACHE there to a folder that can be written"),
        ) from error


def done(digest: str) -> str:
    """Make the draft the package's folder, by one rename, if every file hashes to what was announced; return it.

    Raises:
        OutputError: one does not. It is removed, so that the next attempt begins it anew.
    """
    draft, final = _draft(digest), _folder(digest)
    with cache.locked(final.with_name(".lock")):
        if _whole(digest):
            shutil.rmtree(draft, ignore_errors=True)
            return str(final)
        manifest = _announced(draft)
        for entry in manifest.files:
            path = _place(draft, entry.name)
            if not path.exists() and entry.bytes == 0:
                path.touch()
            if not path.exists() or path.stat().st_size != entry.bytes or sha256_of(path) != entry.sha256:
                path.unlink(missing_ok=True)
                raise OutputError(f"{clip(entry.name)} arrived damaged", "run it again: it is sent anew")
        manifest.artifact.save(draft)
        store.let_go(draft)
        (draft / store.MANIFEST).unlink()
        for path in draft.rglob("*"):
            if path.is_file():
                with path.open("rb") as handle:
                    os.fsync(handle.fileno())
        shutil.rmtree(final, ignore_errors=True)  # damaged since it came
        draft.rename(final)
    return str(final)


def _checked(manifest: bytes, buildable: Callable[[str, str], bool] | None = None) -> Manifest:
    """Read a manifest, if everything in it is as `pack` writes it."""
    try:
        if len(manifest) > LONGEST_MANIFEST:
            raise ValueError("long")
        found = msgspec.json.decode(manifest, type=Manifest)
        artifact, names = found.artifact, {_inside(entry.name) for entry in found.files}
        if artifact.onnx != "model.onnx" or artifact.stamps or artifact.folder or len(names) != len(found.files):
            raise ValueError("another's files")
        needed = {file.name for file in artifact.converted} or {"model.onnx", *artifact.data}
        if not needed | {"reference.npz"} <= names or names - OWN != needed - OWN:
            raise ValueError("files")
        if artifact.source and buildable is not None and not buildable(artifact.kind, artifact.source):
            raise ValueError("source")
    except (ValueError, RecursionError) as error:
        raise ArtifactError("the device refuses the artifact: its manifest is none", "run it again") from error
    return found


def _announced(draft: Path) -> Manifest:
    try:
        return _checked((draft / store.MANIFEST).read_bytes())
    except OSError as error:
        raise ArtifactError("the device does not expect this artifact", "run it again") from error


def _whole(digest: str) -> bool:
    try:
        load(_folder(digest))
    except ArtifactError:
        return False  # not here, or damaged: it comes anew
    return True


def _folder(digest: str) -> Path:
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ArtifactError("that is no hash of an artifact")
    return cache.folder("carried") / digest


def _draft(digest: str) -> Path:
    return _folder(digest).with_name(f".{digest}{store.PART}")


def _place(draft: Path, name: str) -> Path:
    path = draft / _inside(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _inside(name: str) -> str:
    """Return the name of a file if it stays inside a folder, and is none of the store's own.

    Raises:
        ArtifactError: it leads out of it.
    """
    path = PurePosixPath(name)
    own = name in (store.MANIFEST, "artifact.json")
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name or own:
        raise ArtifactError("data of the model lies outside its folder", "put the model's files into one folder")
    return str(path)
