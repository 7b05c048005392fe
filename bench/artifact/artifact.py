"""The artifact: an ONNX file and what was derived from it, read back without PyTorch or onnx."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.artifact import store
from bench.artifact.digest import sha256_of, sha256_with_data
from bench.base import cache
from bench.base.errors import ArtifactError

Array = NDArray[Any]  # of any type of numbers

FORMAT = 4  # raise it when the content of the folder changes its meaning

CHANGED, WEIGHTS = "changed.pt", "weights.pt"


@dataclass(frozen=True)
class TensorInfo:
    """Name, NumPy dtype and static shape of an input or output."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class MacOp:
    """A multiply-accumulating node of the source graph: see `bench.graph.complexity.MacNode`."""

    name: str
    op: str
    macs: int
    weight: tuple[int, ...]
    group: int


@dataclass(frozen=True)
class Stamp:
    """A file of the person's that the artifact depends on, besides the ONNX file: by size and time of last change."""

    path: str
    bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Look at a file."""
        found = os.stat(path)
        return cls(str(path), found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class Converted:
    """A file that a backend made of the artifact: its path in the artifact's folder, and its size."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Quantization:
    """How a network came to compute in 8 bits.

    `recipe` says by what and in which form, `calibration` on what its ranges were found. `cost` is the relative L2
    distance of the outputs of the quantised network, as the reference implementation runs it, from those of the network
    in fp32: the worst of several inputs. `macs` are the multiply-accumulates of the quantised network by the precision
    that it asks for, `between` the operators in it that quantise or dequantise and belong to no other; both are None
    where the runtime itself tells what ran.
    """

    recipe: str
    calibration: str
    cost: float
    macs: dict[str, int] | None = None
    between: int | None = None


@dataclass(frozen=True)
class Artifact:
    """An exported model, addressed by the hash of what it was made from.

    The folder holds ``artifact.json``, ``reference.npz`` (inputs and outputs of the reference), ``model.onnx`` unless
    the model was a person's ONNX file (then `onnx` is that file, in its place, or a copy with static shapes), and
    ``changed.pt`` where PyTorch made it: the weights that do not follow from the seed, such as BatchNorm's statistics.
    ``weights.pt``, all of them, is laid beside it for whoever loads the module, and may be removed. `data` are the
    files of external data, relative to the ONNX file's folder; `sha256` covers them, too. `precision` is that of the
    weights, `computes` that of most products where it is told (`bench.export.activations`). `macs` are multiply-
    accumulates of one inference at `batch`; where operators are `uncounted` they are a lower bound. `complaint` says
    why it must not be measured, only counted; `remarks` are what may make two runtimes disagree on it. With `converted`
    files the folder holds those and the reference, and neither ONNX file nor weights. `noise` is the relative L2
    distance of the reference outputs from those of the same module in float64: what fp32 itself costs this network; 0
    where that is not known. `rounding` says the same of lower precisions (`bench.export.rounded`), `quantization` how
    it came to be of 8 bits: then the reference outputs are those of the quantised network. `digests` are the SHA-256
    of the folder's other files, by name, as they were saved.
    """

    folder: str
    model: str
    kind: str
    onnx: str
    sha256: str
    bytes: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    batch: int
    resolution: int | None
    precision: str
    macs: int
    params: int
    mac_ops: tuple[MacOp, ...]
    uncounted: tuple[str, ...]
    reference_by: str
    made_by: dict[str, str]
    seed: int
    source: str = ""
    data: tuple[str, ...] = ()
    stamps: tuple[Stamp, ...] = ()
    converted: tuple[Converted, ...] = ()
    complaint: str = ""
    remarks: tuple[str, ...] = ()
    computes: str = ""
    noise: float = 0.0
    rounding: dict[str, float] = field(default_factory=dict)
    quantization: Quantization | None = None
    digests: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @cached_property
    def path(self) -> Path:
        """Where the ONNX file is."""
        return Path(self.folder, self.onnx)  # an absolute `onnx` wins

    @property
    def weights(self) -> Path:
        """Where all of PyTorch's weights are, once they are laid out (`bench.export.lay_weights`)."""
        return Path(self.folder, WEIGHTS)

    def converted_path(self, name: str) -> Path:
        """Where a file is that the backend's `prepare` wrote."""
        return Path(self.folder, name)

    def reference(self) -> tuple[list[Array], list[Array]]:
        """Return the reference inputs and outputs, in the model's order."""
        with np.load(Path(self.folder, "reference.npz"), allow_pickle=False) as data:
            inputs = [data[f"input_{i}"] for i in range(len(self.inputs))]
            return inputs, [data[f"output_{i}"] for i in range(len(self.outputs))]

    def save(self, folder: Path) -> None:
        """Write ``artifact.json`` into `folder`, with the hashes of what lies there already."""
        data = asdict(self)
        del data["folder"]
        names = ("reference.npz", CHANGED, *(file.name for file in self.converted))
        data["digests"] = {name: sha256_of(folder / name) for name in names if (folder / name).exists()}
        folder.joinpath("artifact.json").write_text(json.dumps(data, indent=1), "utf-8")


_checked: dict[str, list[tuple[int, ...]]] = {}  # artifacts whose contents this process has read, as files were then


def _check_contents(artifact: Artifact, model: list[Path]) -> None:
    """Hold the files of an artifact against their hashes; `model` are the ONNX file and its data.

    Raises:
        ValueError: one has other content.
        OSError: one is not there.
    """
    found = [(Path(artifact.folder, name), digest) for name, digest in artifact.digests.items()]
    seen = [_times(path) for path in (*(path for path, _ in found), *model)]
    if _checked.get(artifact.folder) == seen:
        return
    if any(sha256_of(path) != digest for path, digest in found):
        raise ValueError("content")
    if model and sha256_with_data(artifact.path, artifact.path.parent, artifact.data) != artifact.sha256:
        raise ValueError("content")
    _checked[artifact.folder] = seen


def _times(path: Path) -> tuple[int, ...]:
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def made(final: Path, make: Callable[[Path], None], told: Callable[[], None] = lambda: None) -> Artifact:
    """Return the artifact in `final`; where there is none, or a damaged one, `make` fills a folder that becomes it.

    `told` is called before that. Of many processes that ask at once one makes it, the others wait for it.
    """
    found = _whole(final)
    if found is None:
        store.sweep(uploads=False)
        with cache.locked(cache.lock_of(final)):
            found = _whole(final)  # another process may have made it while this one waited
            if found is None:
                told()
                with cache.whole_folder(final) as draft:
                    make(draft)
                found = load(final)
                store.enforce()
    return found


def _whole(final: Path) -> Artifact | None:
    if not final.exists():
        return None
    try:
        return load(final)
    except ArtifactError:  # damaged since it was made (a full disk, a person's ONNX file that changed)
        store.let_go(final)
        shutil.rmtree(final, ignore_errors=True)
        return None


def load(folder: Path) -> Artifact:
    """Read an artifact and check that its files are those it was made with.

    Sizes and times are looked at every time, contents once per process and whenever a file's times have changed. From
    then on this process holds it (`bench.artifact.store`).

    Raises:
        ArtifactError: it is not there, not whole, or of another format.
    """
    store.hold(folder)
    try:
        data = json.loads(folder.joinpath("artifact.json").read_text("utf-8"))
        if data["format"] != FORMAT:
            raise KeyError("format")
        artifact = msgspec.convert(data | {"folder": str(folder)}, Artifact)
        if any(artifact.converted_path(file.name).stat().st_size != file.bytes for file in artifact.converted):
            raise ValueError("size")
        if artifact.converted:
            _check_contents(artifact, [])
            return artifact
        if artifact.path.stat().st_size != artifact.bytes:
            raise ValueError("size")
        if any(Stamp.of(Path(stamp.path)) != stamp for stamp in artifact.stamps):
            raise ValueError("external data")
        _check_contents(artifact, [artifact.path, *(artifact.path.parent / location for location in artifact.data)])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactError(f"the artifact in {folder} is not whole", "`bench cache clear` removes it") from error
    return artifact
