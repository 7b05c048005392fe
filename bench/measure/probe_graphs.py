"""The probes of a roofline: matrix products and convolutions for the peak, an addition of arrays for bandwidth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

GEMM_SIDES = (256, 512, 1024)
# kernel, channels, side: channels are multiples of every SIMD block, so that no lane computes padding.
CONVOLUTIONS = ((3, 64, 56), (3, 128, 28), (3, 256, 28), (3, 256, 14), (1, 128, 56), (1, 256, 28), (1, 512, 14))
DEPTH = 4  # convolutions in a row: the change of layout at both ends weighs less
# Bytes of each of the three arrays.
ARRAY_BYTES = tuple(1 << power for power in range(15, 28))
OPSET, IR_VERSION = 17, 8


@dataclass(frozen=True, slots=True)
class ComputeProbe:
    """A graph whose time is nothing but multiply-accumulates."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class StreamProbe:
    """One addition ``c = a + b``; `array_bytes` is the size of each array."""

    array_bytes: int
    path: Path


def compute_probes(folder: Path) -> list[ComputeProbe]:
    """Write the probes of the peak into `folder`."""
    found = [_written(folder, f"gemm {side}x{side}x{side}", gemm(side)) for side in GEMM_SIDES]
    for kernel, channels, side in CONVOLUTIONS:
        name = f"conv {kernel}x{kernel} {channels} to {channels} at {side}x{side}"
        found.append(_written(folder, name, convolutions(kernel, channels, side)))
    return found


def stream_probes(folder: Path, largest_bytes: int) -> list[StreamProbe]:
    """Write the probes of bandwidth, up to arrays of `largest_bytes`, and one of a single element (0 bytes)."""
    found = []
    for size in (0, *(s for s in ARRAY_BYTES if s <= largest_bytes)):
        path = folder / f"add-{size}.onnx"
        _save(addition(max(1, size // 4)), path)
        found.append(StreamProbe(size, path))
    return found


def gemm(side: int) -> onnx.ModelProto:
    """Return the product of an input and a weight, both `side` x `side`."""
    from onnx import helper

    node = helper.make_node("MatMul", ["x", "w"], ["y"], "product")
    return _model([node], {"x": (side, side)}, {"y": (side, side)}, {"w": _weight((side, side), side)})


def convolutions(kernel: int, channels: int, side: int) -> onnx.ModelProto:
    """Return `DEPTH` convolutions in a row that keep channels and sides."""
    from onnx import helper

    names = ["x", *(f"t{i}" for i in range(1, DEPTH)), "y"]
    weights = {f"w{i}": _weight((channels, channels, kernel, kernel), channels * kernel * kernel) for i in range(DEPTH)}
    pads = [kernel // 2] * 4
    nodes = [
        helper.make_node("Conv", [names[i], f"w{i}"], [names[i + 1]], f"conv{i}", pads=pads, kernel_shape=[kernel] * 2)
        for i in range(DEPTH)
    ]
    shape = (1, channels, side, side)
    return _model(nodes, {"x": shape}, {"y": shape}, weights)


def addition(elements: int) -> onnx.ModelProto:
    """Return the sum of two inputs."""
    from onnx import helper

    node = helper.make_node("Add", ["a", "b"], ["c"], "sum")
    return _model([node], {"a": (elements,), "b": (elements,)}, {"c": (elements,)}, {})


def _weight(shape: tuple[int, ...], fan_in: int) -> Any:
    """Draw weights that keep the magnitude of what goes through."""
    return np.random.default_rng(0).uniform(0.5 / fan_in, 1.5 / fan_in, shape).astype(np.float32)


def _model(nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, Any], weights: dict[str, Any]) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    def values(shapes: dict[str, Any]) -> list[Any]:
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in shapes.items()]

    stored = [numpy_helper.from_array(w, name) for name, w in weights.items()]
    graph = helper.make_graph(nodes, "probe", values(inputs), values(outputs), stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _written(folder: Path, name: str, model: Any) -> ComputeProbe:
    path = folder / f"{name.replace(' ', '-')}.onnx"
    _save(model, path)
    return ComputeProbe(name, path)


def _save(model: Any, path: Path) -> None:
    import onnx

    onnx.save(model, path)
