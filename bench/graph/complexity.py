"""Multiply-accumulates of an ONNX graph, node by node.

Counted from shapes alone, by definition: a convolution costs every output element times the weights of one filter,
a transposed convolution every input element times the weights it is spread by, a matrix product every output element
times the shared length. Additions of a bias, activations and normalisations are no MACs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, ...]

# Position of the data and of the weight among the inputs.
CONVOLUTIONS = {"Conv": (0, 1), "ConvInteger": (0, 1), "QLinearConv": (0, 3)}
PRODUCTS = {"MatMul": (0, 1), "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3)}
# Operators that multiply and accumulate but are not counted: named, never skipped silently.
UNCOUNTED = frozenset(
    (
        *("Einsum", "LSTM", "GRU", "RNN", "Attention", "MultiHeadAttention", "GroupQueryAttention"),
        *("DeformConv", "MatMulNBits", "If", "Loop", "Scan"),
    )
)


@dataclass(frozen=True, slots=True)
class MacNode:
    """A node that multiplies and accumulates.

    `weight` is the shape of its second operand as stored, empty where a product has two activations (attention);
    `group` is the number of groups of a convolution.
    """

    name: str
    op: str
    macs: int
    weight: Shape
    group: int = 1


@dataclass(frozen=True, slots=True)
class Complexity:
    """MACs of a graph: the nodes that have any, and the names of operators that could not be counted."""

    nodes: tuple[MacNode, ...]
    uncounted: tuple[str, ...]

    @property
    def macs(self) -> int:
        """Sum over all counted nodes."""
        return sum(node.macs for node in self.nodes)


def infer(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with the shape of every tensor that can be inferred."""
    import onnx

    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def count(model: onnx.ModelProto, inferred: onnx.ModelProto | None = None) -> Complexity:
    """Count the MACs of an ONNX model with static shapes; `inferred` is what `infer` made of it, if that is at hand.

    A node whose inputs are all constant is not counted: every runtime computes it once, when it loads.
    A node whose shapes cannot be inferred is listed as uncounted.
    """
    graph = (inferred or infer(model)).graph
    shapes = _shapes(graph)
    constant = {i.name for i in graph.initializer} | {i.values.name for i in graph.sparse_initializer}
    nodes: list[MacNode] = []
    uncounted: list[str] = []
    for node in graph.node:
        if all(name in constant for name in node.input if name):
            constant |= set(node.output)
            continue
        if node.op_type in UNCOUNTED:
            uncounted.append(node.op_type)
            continue
        try:
            found = _count_node(node, shapes, constant)
        except (KeyError, IndexError):
            uncounted.append(node.op_type)
            continue
        if found is not None:
            nodes.append(found)
    return Complexity(tuple(nodes), tuple(sorted(set(uncounted))))


def _count_node(node: onnx.NodeProto, shapes: dict[str, Shape], constant: set[str]) -> MacNode | None:
    op = node.op_type
    attributes = {a.name: a for a in node.attribute}
    name = node.name or node.output[0]
    if op in CONVOLUTIONS:
        weight = shapes[node.input[CONVOLUTIONS[op][1]]]
        group = attributes["group"].i if "group" in attributes else 1
        return MacNode(name, op, prod(shapes[node.output[0]]) * prod(weight[1:]), weight, group)
    if op == "ConvTranspose":
        weight = shapes[node.input[1]]
        group = attributes["group"].i if "group" in attributes else 1
        return MacNode(name, op, prod(shapes[node.input[0]]) * prod(weight[1:]), weight, group)
    if op in PRODUCTS:
        left, right = (shapes[node.input[i]] for i in PRODUCTS[op])
        stored = any(node.input[i] in constant for i in PRODUCTS[op])
        return MacNode(name, op, prod(shapes[node.output[0]]) * left[-1], right if stored else ())
    if op == "Gemm":
        left, right = shapes[node.input[0]], shapes[node.input[1]]
        transposed = "transA" in attributes and attributes["transA"].i
        return MacNode(name, op, prod(shapes[node.output[0]]) * left[0 if transposed else 1], right)
    return None


def _shapes(graph: onnx.GraphProto) -> dict[str, Shape]:
    """Return every tensor's static shape; a tensor with an unknown dimension is left out."""
    shapes: dict[str, Shape] = {i.name: tuple(i.dims) for i in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim):
            shapes.setdefault(value.name, tuple(d.dim_value for d in tensor.shape.dim))
    return shapes
