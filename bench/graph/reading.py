"""An ONNX graph as counting needs it: shapes, element types, and which nodes run at every inference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from bench.graph.inference import infer as infer
from bench.graph.inference import known
from bench.graph.nodes import STANDARD, constant_of, is_random, uses
from bench.graph.nodes import attributes_of as attributes_of

if TYPE_CHECKING:
    import onnx

# For annotations alone: onnx is imported inside functions.
OnnxModel: TypeAlias = "onnx.ModelProto"
OnnxGraph: TypeAlias = "onnx.GraphProto"
OnnxNode: TypeAlias = "onnx.NodeProto"
OnnxTensor: TypeAlias = "onnx.TensorProto"
OnnxValue: TypeAlias = "onnx.ValueInfoProto"

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a graph says of itself.

    `nodes` are those that run at every inference, in the file's order, which is topological. `constant_nodes` is the
    number of those whose inputs are all constant (or the shape of something), so that every runtime computes them
    once, when it loads; `unused_nodes` of those whose results no output needs, which every runtime drops. `shapes` and
    `types` (ONNX element types) hold every tensor whose shape is static; `constants` are the names of weights and of
    all that is computed from them alone, `stored` those of the weights, in initializers or ``Constant`` nodes, and
    `makers` says which node computes another constant.
    """

    nodes: tuple[OnnxNode, ...]
    shapes: Mapping[str, Shape]
    types: Mapping[str, int]
    constants: frozenset[str]
    stored: frozenset[str]
    makers: Mapping[str, OnnxNode]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constant_nodes: int
    unused_nodes: int = 0


def read_graph(inferred: OnnxModel) -> Reading:
    """Read a model that went through `infer`."""
    graph = inferred.graph
    shapes: dict[str, Shape] = {i.name: tuple(i.dims) for i in graph.initializer}
    types: dict[str, int] = {i.name: i.data_type for i in graph.initializer}
    for sparse in graph.sparse_initializer:
        shapes[sparse.values.name], types[sparse.values.name] = tuple(sparse.dims), sparse.values.data_type
    stored = set(shapes)
    for value in (*graph.input, *graph.output, *graph.value_info):
        shape = known(value.type)
        if shape is not None:
            shapes.setdefault(value.name, shape)
            types.setdefault(value.name, value.type.tensor_type.elem_type)
    constants = set(stored)
    makers: dict[str, OnnxNode] = {}
    nodes: list[OnnxNode] = []
    for node in graph.node:
        names = [name for name in uses(node) if name]
        if node.op_type in ("Shape", "Size") and names and names[0] in shapes:
            constants |= set(node.output)
        elif all(name in constants for name in names) and not is_random(node):
            constants |= set(node.output)
            if node.op_type == "Constant" and node.domain in STANDARD:
                stored |= set(node.output)
                _note(node, shapes, types)
            else:
                makers |= dict.fromkeys(node.output, node)
        else:
            nodes.append(node)
    run = _needed(nodes, {value.name for value in graph.output})
    weights = {i.name for i in graph.initializer}
    return Reading(
        nodes=run,
        shapes=shapes,
        types=types,
        constants=frozenset(constants),
        stored=frozenset(stored),
        makers=makers,
        inputs=tuple(i.name for i in graph.input if i.name not in weights),
        outputs=tuple(o.name for o in graph.output),
        constant_nodes=len(graph.node) - len(nodes),
        unused_nodes=len(nodes) - len(run),
    )


def _note(node: OnnxNode, shapes: dict[str, Shape], types: dict[str, int]) -> None:
    """Note shape and type of what a ``Constant`` holds, in case inference did not tell."""
    held = constant_of(node)
    if held is not None:
        shapes.setdefault(node.output[0], tuple(held.dims))
        types.setdefault(node.output[0], held.data_type)


def _needed(nodes: list[OnnxNode], outputs: set[str]) -> tuple[OnnxNode, ...]:
    """Leave out the nodes whose results nobody needs; of an operator that is not known nobody can tell."""
    wanted, found = set(outputs), []
    for node in reversed(nodes):
        known = node.domain in STANDARD or node.domain.startswith("com.microsoft")
        if not (known and wanted.isdisjoint(node.output)):
            wanted.update(uses(node))
            found.append(node)
    return tuple(reversed(found))
