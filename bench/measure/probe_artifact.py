"""A probe as a backend sees it: an artifact whose inputs are made up when it is loaded, and that has no reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.artifact.artifact import Artifact, MacOp, TensorInfo


@dataclass(frozen=True)
class Probe(Artifact):
    """An ONNX file of one or a few operators. Its results are not compared with anything: only its time counts."""

    def reference(self) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Return inputs in the range where every operator is defined and no product underflows, and no outputs."""
        return [fill(info) for info in self.inputs], []


def fill(info: TensorInfo) -> NDArray[Any]:
    """Make up a tensor: numbers from 0.5 to 1, ones where the type is no float. Every page of it is written."""
    if np.dtype(info.dtype).kind != "f":
        return np.ones(info.shape, info.dtype)
    size = int(np.prod(info.shape, dtype=np.int64))
    flat = np.empty(size, info.dtype)
    step = 1 << 16
    pattern = np.linspace(0.5, 1.0, step, dtype=info.dtype)
    for at in range(0, size, step):
        flat[at : at + step] = pattern[: size - at]
    return flat.reshape(info.shape)


def examine(path: Path) -> Probe:
    """Read a probe's ONNX file, which has static shapes."""
    import onnx

    from bench.graph.onnx_read import lighten

    model = onnx.load(path)
    lighten(model)
    return describe(model, path)


def describe(model: Any, path: Path) -> Probe:
    """Make the artifact of a model that is (or will be) in `path`."""
    from onnx import helper

    from bench.graph.complexity import count

    weights = {t.name for t in model.graph.initializer}

    def infos(values: Any) -> tuple[TensorInfo, ...]:
        return tuple(
            TensorInfo(
                v.name,
                str(helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type)),
                tuple(d.dim_value for d in v.type.tensor_type.shape.dim),
            )
            for v in values
            if v.name not in weights
        )

    complexity = count(model)
    return Probe(
        folder=str(path.parent),
        model=path.stem,
        kind="onnx",
        onnx=path.name,
        sha256="",
        bytes=0,
        inputs=infos(model.graph.input),
        outputs=infos(model.graph.output),
        batch=1,
        resolution=None,
        precision="fp32",
        macs=complexity.macs,
        params=0,
        mac_ops=tuple(MacOp(n.name, n.op, n.macs, n.weight, n.group) for n in complexity.nodes),
        uncounted=complexity.uncounted,
        reference_by="",
        made_by={},
        seed=0,
    )
