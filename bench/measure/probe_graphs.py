"""The probes of a roofline: matrix products and convolutions for the peak, an addition of arrays for bandwidth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.graph.reading import OnnxModel, OnnxNode, OnnxValue

GEMM_SIDES = (256, 512, 1024)
# kernel, channels, side: channels are multiples of every SIMD block, so that no lane computes padding.
CONVOLUTIONS = ((3, 64, 56), (3, 128, 28), (3, 256, 28), (3, 256, 14), (1, 128, 56), (1, 256, 28), (1, 512, 14))
# What fills a device of thousands of lanes; a core would take seconds over them.
LARGE_GEMM_SIDES = (2048, 4096)
LARGE_CONVOLUTIONS = ((3, 256, 112), (3, 512, 56), (1, 1024, 56))
DEPTH = 4  # convolutions in a row: the change of layout at both ends weighs less
# Bytes of each of the three arrays.
ARRAY_BYTES = tuple(1 << power for power in range(15, 28))
OPSET, IR_VERSION = 17, 8


Shapes = dict[str, tuple[int, ...]]
Graph = tuple[str | int, ...]  # its kind and its sizes: what `make` takes


def make(graph: Graph) -> OnnxModel:
    """Make a graph of the kind ``gemm``, ``conv`` or ``add``; ``gemm int8`` and ``conv int8`` are quantised."""
    kinds: dict[str | int, Callable[..., OnnxModel]] = {"gemm": gemm, "conv": convolutions, "add": addition}
    kind, _, int8 = str(graph[0]).partition(" ")
    made = kinds[kind](*graph[1:])
    return quantised(made) if int8 else made


def compute_probes(large: bool = False, int8: bool = False) -> dict[str, Graph]:
    """Return the probes of the peak, by what a person calls them; with `large` those, too, that fill a GPU.

    With `int8` they are quantised.
    """
    if int8:
        return {f"{name}, int8": (f"{graph[0]} int8", *graph[1:]) for name, graph in compute_probes(large).items()}
    sides = (*GEMM_SIDES, *(LARGE_GEMM_SIDES if large else ()))
    found: dict[str, Graph] = {f"gemm {side}x{side}x{side}": ("gemm", side) for side in sides}
    for kernel, channels, side in (*CONVOLUTIONS, *(LARGE_CONVOLUTIONS if large else ())):
        name = f"conv {kernel}x{kernel} {channels} to {channels} at {side}x{side}"
        found[name] = ("conv", kernel, channels, side)
    return found


def stream_probes(largest_bytes: int) -> dict[int, Graph]:
    """Return the probes of bandwidth, by bytes of an array, up to `largest_bytes`, and one of a single element (0)."""
    return {size: ("add", max(1, size // 4)) for size in (0, *(s for s in ARRAY_BYTES if s <= largest_bytes))}


def gemm(side: int) -> OnnxModel:
    """Return the product of an input and a weight, both `side` x `side`."""
    from onnx import helper

    node = helper.make_node("MatMul", ["x", "w"], ["y"], "product")
    return _model([node], {"x": (side, side)}, {"y": (side, side)}, {"w": _weight((side, side), side)})


def convolutions(kernel: int, channels: int, side: int) -> OnnxModel:
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


def quantised(model: OnnxModel) -> OnnxModel:
    """Return a probe in 8 bits: QDQ around every operator, unsigned activations, signed weights.

    Activations of the probes lie between 0 and 1: one step is 1/255.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    nodes: list[OnnxNode] = []
    stored = [numpy_helper.from_array(np.float32(1 / 255), "s"), numpy_helper.from_array(np.uint8(0), "z")]
    stored.append(numpy_helper.from_array(np.int8(0), "wz"))
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        scale = np.float32(values.max() / 127)
        stored.append(numpy_helper.from_array(np.round(values / scale).astype(np.int8), f"{tensor.name}/q"))
        stored.append(numpy_helper.from_array(scale, f"{tensor.name}/s"))
        taken = [f"{tensor.name}/q", f"{tensor.name}/s", "wz"]
        nodes.append(helper.make_node("DequantizeLinear", taken, [tensor.name], f"{tensor.name}/dq"))

    def through(name: str, result: str) -> None:
        nodes.append(helper.make_node("QuantizeLinear", [name, "s", "z"], [f"{result}/q"], f"{result}/quantize"))
        nodes.append(helper.make_node("DequantizeLinear", [f"{result}/q", "s", "z"], [result], f"{result}/dequantize"))

    renamed = {value.name: f"{value.name}/rounded" for value in graph.input}
    for name, result in renamed.items():
        through(name, result)
    for node in graph.node:
        (output,) = node.output
        inputs = [renamed.get(name, name) for name in node.input]
        mine = helper.make_node(node.op_type, inputs, [f"{output}/exact"], node.name)
        mine.attribute.extend(node.attribute)
        nodes.append(mine)
        through(f"{output}/exact", output)
    made = helper.make_graph(nodes, graph.name, list(graph.input), list(graph.output), stored)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def addition(elements: int) -> OnnxModel:
    """Return the sum of two inputs."""
    from onnx import helper

    node = helper.make_node("Add", ["a", "b"], ["c"], "sum")
    return _model([node], {"a": (elements,), "b": (elements,)}, {"c": (elements,)}, {})


def _weight(shape: tuple[int, ...], fan_in: int) -> NDArray[np.float32]:
    """Draw weights that keep the magnitude of what goes through."""
    return np.random.default_rng(0).uniform(0.5 / fan_in, 1.5 / fan_in, shape).astype(np.float32)


def _model(
    nodes: list[OnnxNode], inputs: Shapes, outputs: Shapes, weights: dict[str, NDArray[np.float32]]
) -> OnnxModel:
    from onnx import TensorProto, helper, numpy_helper

    def values(shapes: Shapes) -> list[OnnxValue]:
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in shapes.items()]

    stored = [numpy_helper.from_array(w, name) for name, w in weights.items()]
    graph = helper.make_graph(nodes, "probe", values(inputs), values(outputs), stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
