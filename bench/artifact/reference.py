"""The reference: inputs, the outputs they must give, and who computed them. Beside an ONNX file it travels with it.

``net.reference.npz`` belongs to ``net.onnx``: it holds ``input_0``, ..., ``output_0``, ... and, as JSON text in
``meta``, the SHA-256 of the ONNX file, who computed the outputs, the names of the outputs, the model's name and its
number of parameters. So PyTorch's own outputs are at hand on a device without PyTorch. How far other outputs are from
them, two functions at the end tell.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np

from bench.artifact.artifact import Array, Quantization, TensorInfo
from bench.base.errors import ArtifactError, clip

LARGEST_BYTES = 2**31


@dataclass
class Reference:
    """Inputs and outputs in the model's order, the outputs' names, who computed them, the model's parameters.

    `quantization` says how the model came to be of 8 bits.
    """

    inputs: list[Array]
    outputs: list[Array]
    names: list[str]
    by: str
    params: int = 0
    quantization: Quantization | None = None

    def output_infos(self) -> tuple[TensorInfo, ...]:
        """Describe the outputs."""
        return tuple(TensorInfo(n, str(y.dtype), y.shape) for n, y in zip(self.names, self.outputs, strict=True))

    def save(self, path: Path, **meta: object) -> None:
        """Write arrays and `meta` to an ``.npz`` file."""
        arrays = {f"input_{i}": x for i, x in enumerate(self.inputs)}
        arrays |= {f"output_{i}": y for i, y in enumerate(self.outputs)}
        if meta:
            told: dict[str, object] = {"reference_by": self.by, "outputs": self.names, "params": self.params}
            told |= {} if self.quantization is None else {"quantization": asdict(self.quantization)}
            arrays["meta"] = np.array(json.dumps(told | meta))
        with path.open("wb") as handle:  # given a name, NumPy would add an ending to it
            np.savez(handle, allow_pickle=False, **arrays)


def beside(onnx: Path) -> Path:
    """Return where the reference of an ONNX file is, if it has one."""
    return onnx.with_name(onnx.name.removesuffix(".onnx") + ".reference.npz")


def find(onnx: Path, digest: str, inputs: list[TensorInfo], name: str) -> Reference | None:
    """Read the reference beside an ONNX file whose SHA-256 is `digest`; None where there is none.

    Raises:
        ArtifactError: there is one, and it does not read, or belongs to another file or to other shapes.
    """
    path = beside(onnx)
    if not path.exists():
        return None
    called = clip(path.name)
    remedy = f"remove it, or write both again: bench export MODEL --output {clip(onnx.name)} --force"
    try:
        found, meta = _read(path)
    except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{called}, beside {name}, is no reference that can be read", remedy) from error
    if meta["sha256"] != digest:
        raise ArtifactError(f"{called} belongs to another version of {name}: the SHA-256 differs", remedy)
    there = [(str(x.dtype), x.shape) for x in found.inputs]
    wanted = [(info.dtype, info.shape) for info in inputs]
    if there != wanted:
        raise ArtifactError(f"{called} has inputs of other shapes or types than {name}", remedy)
    return found


def _read(path: Path) -> tuple[Reference, dict[str, str]]:
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > LARGEST_BYTES:
            raise ValueError("too large")
    with np.load(path, allow_pickle=False) as data:
        meta = json.loads(str(data["meta"]))
        names = [str(n) for n in meta["outputs"]]
        count = sum(key.startswith("input_") for key in data)
        inputs = [data[f"input_{i}"] for i in range(count)]
        outputs = [data[f"output_{i}"] for i in range(len(names))]
    if any(a.dtype.kind not in "fiub" for a in (*inputs, *outputs)) or not outputs:
        raise ValueError("not numbers")
    by = f"{clip(str(meta['reference_by']))}, carried in {clip(path.name)}"
    quantization = msgspec.convert(meta["quantization"], Quantization) if "quantization" in meta else None
    return Reference(inputs, outputs, names, by, int(meta["params"]), quantization), {"sha256": str(meta["sha256"])}


def relative_l2(outputs: list[Array], reference: list[Array]) -> float:
    """Return ``||y - r|| / ||r||`` of the worst output; NaN counts as infinitely wrong.

    Each is held against its own size: beside a large output (a feature map, indices) a small one could be anything.
    """
    if [y.shape for y in outputs] != [r.shape for r in reference]:
        return float("inf")
    return max((_relative(y, r) for y, r in zip(outputs, reference, strict=True)), default=0.0)


def _relative(output: Array, reference: Array) -> float:
    difference = float(np.sum(np.square(output.astype(np.float64) - reference)))
    norm = float(np.sum(np.square(reference.astype(np.float64))))
    if not np.isfinite(difference):
        return float("inf")
    return float(np.sqrt(difference / norm)) if norm else float(np.sqrt(difference))


def top1_agrees(outputs: list[Array], reference: list[Array]) -> bool:
    """Tell whether the first output picks the same class as the reference for every element of the batch."""
    y, r = outputs[0], reference[0]
    if not (y.size and r.size):
        return y.shape == r.shape
    return y.shape == r.shape and bool(np.array_equal(y.argmax(axis=-1), r.argmax(axis=-1)))
