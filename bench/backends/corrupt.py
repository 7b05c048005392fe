"""What a backend makes of half a file, for the conformance kit: tried in a child, because it may take one down."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from bench import backends
from bench.artifact.artifact import CHANGED, Artifact, load
from bench.artifact.digest import sha256_of
from bench.base.child import ChildFailed, ask
from bench.base.errors import BenchError, first_line
from bench.base.wire import Unchecked
from bench.plan.case import BackendRef, Settings

TIMEOUT_S = 120.0
REFUSED = "refused: "


def attempt(ready: Artifact, ref: BackendRef) -> tuple[bool, str]:
    """Load half of an artifact's file; tell whether the backend refused it, and in which words, or what it did."""
    with tempfile.TemporaryDirectory(prefix="bench-corrupt-") as folder:
        damaged = _damaged(
            ready,
            Path(folder, "artifact"),
            "converted" if ready.converted else backends.get(ref.name).capabilities.form,
        )
        request = {"artifact": damaged.folder, "backend": ref.name, "options": ref.options}
        try:
            ask("bench.backends.corrupt:load_corrupt", request, TIMEOUT_S)
        except ChildFailed as error:
            if error.told is None:
                return False, f"the process {error.message}"
            return error.message.startswith(REFUSED), error.message.removeprefix(REFUSED)
    return False, "half a file was loaded without a word"


def load_corrupt(request: Unchecked) -> None:
    """Load a damaged artifact, in a child: it may take the process down."""
    backend = backends.get(request["backend"])
    backend.import_runtime()
    try:
        session = backends.session(backend, load(Path(request["artifact"])), Settings(), request["options"])
        session.infer()
    except Exception as error:
        said = first_line(error)
        raise BenchError(f"{REFUSED}{said}") from error


def _damaged(artifact: Artifact, folder: Path, form: str) -> Artifact:
    """Copy an artifact with half of the file that is loaded."""
    shutil.copytree(artifact.folder, folder)
    if form == "converted":
        name = max(artifact.converted, key=lambda file: file.bytes).name
    else:
        read = artifact.path
        if form == "module":  # weights are kept once, and may be laid out by nobody yet
            read = artifact.weights if artifact.weights.exists() else Path(artifact.folder, CHANGED)
        name = read.name if form == "module" else "model.onnx"
        shutil.copyfile(read, folder / name)
    path = folder / name
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    size = len(data) // 2
    damaged = replace(
        artifact,
        folder=str(folder),
        onnx="model.onnx",
        stamps=(),
        bytes=size if form == "onnx" else artifact.bytes,
        sha256=sha256_of(path) if form == "onnx" else artifact.sha256,
        converted=tuple(replace(f, bytes=size) if f.name == name else f for f in artifact.converted),
    )
    damaged.save(folder)
    return damaged
