"""The network of the conformance kit: small, with every kind of operator that has MACs, and a reference by ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.artifact.artifact import Artifact, MacOp, TensorInfo, made
from bench.artifact.digest import sha256_of
from bench.base import cache
from bench.graph.reading import OnnxModel

NAME = "conformance-1"  # another name for another network: it stays in the cache
SHAPES = {"w1": (16, 3, 3, 3), "w2": (16, 1, 3, 3), "w3": (18, 16, 1, 1), "w4": (10, 18)}


def sample() -> Artifact:
    """Return the network as an artifact, made once."""
    return made(cache.folder("samples") / NAME, _write)


def model(seed: int = 0) -> OnnxModel:
    """Return the network, with weights of a seed: ``[1, 3, 16, 16]`` through 3x3, depthwise, 1x1, product."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)
    weights = [numpy_helper.from_array(rng.standard_normal(s).astype(np.float32) * 0.3, n) for n, s in SHAPES.items()]
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], "first", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("Conv", ["b", "w2"], ["c"], "depthwise", group=16, pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["c", "w3"], ["d"], "pointwise"),
        helper.make_node("GlobalAveragePool", ["d"], ["e"], "pool"),
        helper.make_node("Flatten", ["e"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "w4"], ["y"], "classifier", transB=1),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 16])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])
    graph = helper.make_graph(nodes, NAME, [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _write(folder: Path) -> None:
    import onnx
    from onnx.reference import ReferenceEvaluator

    from bench.graph.complexity import count

    network, path = model(), folder / "model.onnx"
    onnx.save(network, path)
    x = np.random.default_rng(1).standard_normal((1, 3, 16, 16)).astype(np.float32)
    (y,) = ReferenceEvaluator(network).run(None, {"x": x})
    np.savez(folder / "reference.npz", input_0=x, output_0=y)
    found = count(network)
    Artifact(
        folder="",
        model=NAME,
        kind="onnx",
        onnx=path.name,
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        inputs=(TensorInfo("x", "float32", tuple(x.shape)),),
        outputs=(TensorInfo("y", "float32", tuple(y.shape)),),
        batch=1,
        resolution=16,
        precision="fp32",
        macs=found.macs,
        params=sum(int(np.prod(shape)) for shape in SHAPES.values()),
        mac_ops=tuple(MacOp(n.name, n.op, n.macs, n.weight, n.group) for n in found.nodes),
        uncounted=found.uncounted,
        reference_by=f"onnx {onnx.__version__}",
        made_by={},
        seed=0,
    ).save(folder)
