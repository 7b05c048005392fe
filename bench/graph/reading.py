"""An ONNX graph as counting needs it: shapes, element types, and which nodes run at every inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from bench.graph.classes import Attributes

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
    number of the others: all their inputs are constant (or the shape of something), so that every runtime computes
    them once, when it loads. `shapes` and `types` (ONNX element types) hold every tensor whose shape is static;
    `constants` are the names of weights and of all that is computed from them alone; `origins` says which weights.
    """

    nodes: tuple[onnx.NodeProto, ...]
    shapes: dict[str, Shape]
    types: dict[str, int]
    constants: frozenset[str]
    origins: dict[str, frozenset[str]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constant_nodes: int


def infer(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with the shape of every tensor that can be inferred, and its own functions written out."""
    import onnx
    import onnx.inliner

    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def read_graph(inferred: onnx.ModelProto) -> Reading:
    """Read a model that went through `infer`."""
    graph = inferred.graph
    shapes: dict[str, Shape] = {i.name: tuple(i.dims) for i in graph.initializer}
    types: dict[str, int] = {i.name: i.data_type for i in graph.initializer}
    for sparse in graph.sparse_initializer:
        shapes[sparse.values.name], types[sparse.values.name] = tuple(sparse.dims), sparse.values.data_type
    origins = {name: frozenset([name]) for name in shapes}
    for value in (*graph.input, *graph.output, *graph.value_info):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim):
            shapes.setdefault(value.name, tuple(d.dim_value for d in tensor.shape.dim))
            types.setdefault(value.name, tensor.elem_type)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        names = [name for name in node.input if name]
        if node.op_type in ("Shape", "Size") and names[0] in shapes:
            origins |= dict.fromkeys(node.output, frozenset())
        elif all(name in origins for name in names) and not node.op_type.startswith("Random"):
            of_all = frozenset().union(*(origins[name] for name in names))
            origins |= dict.fromkeys(node.output, of_all)
        else:
            nodes.append(node)
    weights = {i.name for i in graph.initializer}
    return Reading(
        nodes=tuple(nodes),
        shapes=shapes,
        types=types,
        constants=frozenset(origins),
        origins=origins,
        inputs=tuple(i.name for i in graph.input if i.name not in weights),
        outputs=tuple(o.name for o in graph.output),
        constant_nodes=len(graph.node) - len(nodes),
    )


def attributes_of(node: onnx.NodeProto) -> Attributes:
    """Return a node's attributes as plain numbers, texts and tuples; tensors and graphs are left out."""
    found: Attributes = {}
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
