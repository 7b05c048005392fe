"""What a node says of itself: its attributes, its subgraphs, and every tensor that it needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

STANDARD = ("", "ai.onnx")
# Operators whose result is another one at every inference.
RANDOM = frozenset(
    ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial")
)


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes as plain numbers, texts and tuples; tensors and graphs are left out."""
    found: dict[str, Any] = {}
    for a in node.attribute:
        if a.type == a.INT:
            found[a.name] = a.i
        elif a.type == a.FLOAT:
            found[a.name] = a.f
        elif a.type == a.STRING:
            found[a.name] = a.s.decode("utf-8", "replace")
        elif a.type == a.INTS:
            found[a.name] = tuple(a.ints)
    return found


def constant_of(node: onnx.NodeProto) -> Any:
    """Return the tensor of a ``Constant``; None where it is sparse or a text."""
    from onnx import TensorProto, helper

    for a in node.attribute:
        if a.name == "value":
            return a.t
        if a.name in ("value_float", "value_floats"):
            numbers = [a.f] if a.name == "value_float" else list(a.floats)
            return helper.make_tensor("", TensorProto.FLOAT, [len(numbers)][: a.name == "value_floats"], numbers)
        if a.name in ("value_int", "value_ints"):
            whole = [a.i] if a.name == "value_int" else list(a.ints)
            return helper.make_tensor("", TensorProto.INT64, [len(whole)][: a.name == "value_ints"], whole)
    return None


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yield the branches of an ``If``, the body of a ``Loop`` or ``Scan``."""
    for a in node.attribute:
        if a.type == a.GRAPH:
            yield a.g
        elif a.type == a.GRAPHS:
            yield from a.graphs


def everywhere(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Yield nodes and those of their subgraphs, at any depth."""
    for node in nodes:
        yield node
        for graph in subgraphs(node):
            yield from everywhere(graph.node)


def uses(node: onnx.NodeProto) -> list[str]:
    """Return the tensors that a node needs: its inputs (empty where one is left out) and what its subgraphs capture."""
    names = list(node.input)
    for graph in subgraphs(node):
        names += captured(graph)
    return names


def captured(graph: onnx.GraphProto) -> list[str]:
    """Return the tensors that a subgraph takes from around it, each once."""
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    own |= {tensor.values.name for tensor in graph.sparse_initializer}
    free: dict[str, None] = {}
    for node in graph.node:
        free |= dict.fromkeys(name for name in uses(node) if name and name not in own)
        own |= set(node.output)
    free |= dict.fromkeys(value.name for value in graph.output if value.name not in own)
    return list(free)


def is_random(node: onnx.NodeProto) -> bool:
    """Tell whether a node, or one inside it, draws its result anew at every inference."""
    return any(one.domain in STANDARD and one.op_type in RANDOM for one in everywhere([node]))


def renamed(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    """Return a copy of a node with other names of its tensors, also where its subgraphs capture them."""
    import onnx

    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [names.get(name, name) for name in node.input]
    copy.output[:] = [names.get(name, name) for name in node.output]
    for graph in subgraphs(copy):
        outer = {name: names[name] for name in captured(graph) if name in names}
        inner = [renamed(one, outer) for one in graph.node]
        del graph.node[:]
        graph.node.extend(inner)
        for value in graph.output:
            value.name = outer.get(value.name, value.name)
    return copy
