"""The artifact of a probe, from its ONNX file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.artifact.artifact import MacOp, TensorInfo
from bench.artifact.probe import Probe
from bench.graph.reading import OnnxModel, OnnxValue


def examine(path: Path) -> Probe:
    """Read a probe's ONNX file, which has static shapes."""
    import onnx

    from bench.graph.onnx_read import lighten

    model = onnx.load(path)
    lighten(model)
    return describe(model, path)


def describe(model: OnnxModel, path: Path) -> Probe:
    """Make the artifact of a model that is (or will be) in `path`."""
    from onnx import helper

    from bench.graph.complexity import count

    weights = {t.name for t in model.graph.initializer}

    def infos(values: Iterable[OnnxValue]) -> tuple[TensorInfo, ...]:
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
