"""An artifact on its way to a device: a manifest, addressed by its hash, and the files that it lists with theirs.

The manifest is the text of a JSON object with `artifact` (what ``artifact.json`` says, without a path of the
coordinator's) and `files`. A device keeps bundles in its cache, ``fleet/HASH``, and believes nothing that does not hash
to what was announced.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bench.artifact.artifact import Artifact, load
from bench.artifact.digest import sha256_of
from bench.base import cache
from bench.base.errors import ArtifactError, OutputError, UnknownName
from bench.plan import zoo
from bench.plan.spec import LIBRARIES

CHUNK_BYTES = 4 << 20  # Dask warns of a task that brings more than 10 MB
OWN = ("model.onnx", "reference.npz", "weights.pt")
LONGEST_MANIFEST = 8 << 20


@dataclass(frozen=True, slots=True)
class Bundle:
    """An artifact as the coordinator sends it; `paths` says where each file is here."""

    manifest: str
    paths: dict[str, str]

    @property
    def hash(self) -> str:
        """SHA-256 of the manifest, and so of everything that it lists."""
        return hashlib.sha256(self.manifest.encode()).hexdigest()

    def chunks(self, name: str) -> Generator[tuple[int, bytes], None, None]:
        """Yield the parts of a file and where each begins."""
        with open(self.paths[name], "rb") as handle:
            offset = 0
            while chunk := handle.read(CHUNK_BYTES):
                yield offset, chunk
                offset += len(chunk)


def pack(artifact: Artifact) -> Bundle:
    """List an artifact's files with their hashes; nothing is copied.

    A Python file that builds the network does not travel: neither its path nor its code.

    Raises:
        ArtifactError: a file cannot be read, or lies outside the model's folder.
    """
    folder = Path(artifact.folder)
    paths = {"model.onnx": artifact.path, "reference.npz": folder / "reference.npz"}
    paths |= {"weights.pt": artifact.weights} if artifact.weights.exists() else {}
    paths |= {location: artifact.path.parent / location for location in artifact.data}
    told = asdict(artifact) | {"onnx": "model.onnx", "stamps": ()}
    del told["folder"]
    if artifact.kind not in ("zoo", *LIBRARIES):
        told["source"] = ""
    try:
        files = [
            {"name": _relative(name), "bytes": path.stat().st_size, "sha256": sha256_of(path)}
            for name, path in sorted(paths.items())
        ]
    except OSError as error:
        raise ArtifactError(f"{error.filename} cannot be read: {error.strerror}", "export the model again") from error
    manifest = json.dumps({"artifact": told, "files": files}, sort_keys=True)
    return Bundle(manifest, {name: str(path) for name, path in paths.items()})


def find(hash: str) -> Artifact | None:
    """Return the artifact of a bundle that this device has, or None."""
    try:
        return load(_folder(hash))
    except ArtifactError:
        return None  # not here, or damaged: it comes anew


def begin(manifest: str) -> list[str]:
    """Open a draft for a bundle; return the names of the files that are in it already, whole.

    Raises:
        ArtifactError: the manifest is not what a coordinator writes.
    """
    files = _checked(manifest)
    draft = _draft(hashlib.sha256(manifest.encode()).hexdigest())
    draft.mkdir(parents=True, exist_ok=True)
    (draft / "manifest.json").write_text(manifest, "utf-8")
    return [name for name, row in files.items() if _is(draft / name, row)]


def put(hash: str, name: str, offset: int, chunk: bytes) -> None:
    """Write a part of a file into the draft, where the manifest has that file and room for the part."""
    draft = _draft(hash)
    if not draft.exists() and find(hash) is not None:
        return  # another coordinator, or a second worker of this device, was faster
    row = _checked(_manifest(draft)).get(name)
    if row is None or not 0 <= offset <= row["bytes"] - len(chunk):
        raise ArtifactError("a part of a file came that the bundle does not have", "run it again")
    path = draft / name
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(descriptor, chunk, offset)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OutputError(f"the device cannot keep the artifact: {error.strerror}", "make room in its cache") from error


def finish(hash: str) -> None:
    """Make the draft the bundle, by one rename, if every file hashes to what was announced.

    Raises:
        ArtifactError: one does not; the draft is thrown away.
    """
    draft, final = _draft(hash), _folder(hash)
    if find(hash) is not None:
        return shutil.rmtree(draft, ignore_errors=True)
    manifest = _manifest(draft)
    wrong = [name for name, row in _checked(manifest).items() if not _is(draft / name, row)]
    if wrong or hashlib.sha256(manifest.encode()).hexdigest() != hash:
        shutil.rmtree(draft, ignore_errors=True)
        raise ArtifactError(f"{(wrong or ['the manifest'])[0]} did not arrive as it was sent", "run it again")
    told = json.loads(manifest)["artifact"]
    (draft / "artifact.json").write_text(json.dumps(told), "utf-8")
    with cache.locked(final.with_name(".lock")):
        if find(hash) is None:
            shutil.rmtree(final, ignore_errors=True)
            draft.rename(final)


def _checked(manifest: str) -> dict[str, dict[str, Any]]:
    """Return the rows of a manifest's files by name, if everything in it is as `pack` writes it.

    What it says of the source must lead to nothing but this program's zoo and the two libraries of networks: the torch
    backend builds the network from it.
    """
    try:
        if len(manifest) > LONGEST_MANIFEST:
            raise ValueError("long")
        data = json.loads(manifest)
        told, files = data["artifact"], {_relative(row["name"]): row for row in data["files"]}
        if told["onnx"] != "model.onnx" or told["stamps"] or not {"model.onnx", "reference.npz"} <= set(files):
            raise ValueError("files")
        if set(files) - set(OWN) != set(told["data"]) - set(OWN) or "artifact.json" in files:
            raise ValueError("data")
        for row in files.values():
            if type(row["bytes"]) is not int or row["bytes"] < 0 or len(row["sha256"]) != 64:
                raise ValueError("row")
        if told["kind"] == "zoo":
            if json.loads(told["source"])["source"] not in zoo.cards():
                raise ValueError("source")
        elif told["kind"] not in LIBRARIES and told["source"]:
            raise ValueError("source")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError("the device refuses the artifact: its manifest is none", "run it again") from error
    return files


def _relative(name: str) -> str:
    """Return the name of a file if it stays inside a folder.

    Raises:
        ArtifactError: it leads out of it.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name or name == "manifest.json":
        raise ArtifactError("data of the model lies outside its folder", "put the model's files into one folder")
    return str(path)


def _is(path: Path, row: dict[str, Any]) -> bool:
    """Tell whether a file is there as the manifest has it."""
    try:
        return bool(path.stat().st_size == row["bytes"]) and sha256_of(path) == str(row["sha256"])
    except OSError:
        return False


def _manifest(draft: Path) -> str:
    try:
        return (draft / "manifest.json").read_text("utf-8")
    except OSError as error:
        raise ArtifactError("the device does not expect this artifact", "run it again") from error


def _folder(hash: str) -> Path:
    if len(hash) != 64 or not set(hash) <= set("0123456789abcdef"):
        raise UnknownName("bundle", hash, ())
    return cache.folder("fleet") / hash


def _draft(hash: str) -> Path:
    return _folder(hash).with_name(f".{hash}.part")
