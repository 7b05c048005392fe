"""Shapes of every tensor of an ONNX graph: inferred from its inputs and weights, never read off the file.

What a file stores about its inner tensors may be stale (a batch that was made dynamic later), so it is forgotten.
ONNX's own inference goes first. Where it ends (a Reshape, Slice or Expand to a computed shape), a pass in the graph's
order goes on: small tensors that are computed from constants and shapes are computed here, a branch of an ``If`` whose
condition is such a tensor takes the place of the ``If``, and each node whose shape is still open is inferred anew,
knowing those. A node that ONNX does not know is asked of ONNX Runtime, alone and without its weights.

Nothing of more than `SMALL` elements is computed, so that a file of a few bytes cannot take memory.
"""

from __future__ import annotations

import contextlib
from copy import deepcopy
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.graph.nodes import STANDARD, attributes_of, constant_of, is_random, renamed, subgraphs, uses
from bench.graph.runtime_shapes import of_form, of_runtime

if TYPE_CHECKING:
    import onnx

    from bench.graph.reading import OnnxTensor

SMALL = 4096  # elements; what shapes, indices and sizes are computed from is smaller by far
# Operators that are computed here: what exporters compute shapes, indices and conditions with.
FOLDED = frozenset(
    (
        *("Shape", "Size", "Gather", "GatherElements", "GatherND", "Slice", "Concat", "Split", "Squeeze", "Unsqueeze"),
        *("Reshape", "Flatten", "Expand", "Tile", "Transpose", "Identity", "Cast", "CastLike", "Add", "Sub", "Mul"),
        *("Div", "Mod", "Neg", "Abs", "Floor", "Ceil", "Round", "Sqrt", "Pow", "Min", "Max", "Sum", "Range", "Clip"),
        *("ConstantOfShape", "Where", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "And", "Or"),
        *("Xor", "ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "NonZero", "ScatterND", "Sign"),
        *("ScatterElements", "OneHot", "TopK", "ArgMax", "ArgMin", "CumSum", "Compress", "EyeLike", "Trilu", "Pad"),
    )
)
# Poolings that may round the number of windows up, and the version of ONNX since which one that would begin in the
# padding behind the image is none. PyTorch and ONNX Runtime never took it for one.
POOLS, WINDOWS_INSIDE = ("MaxPool", "AveragePool", "LpPool"), 22
BOUNDED = ("NonZero", "Compress")  # no shape can be inferred, but the result is no larger than the input, by its rank


def infer(model: onnx.ModelProto, believe: bool = False) -> onnx.ModelProto:
    """Return the model with the shape of every tensor that can be inferred, and its own functions written out.

    With `believe`, the shapes that the file stores are kept: for a file that this program made.
    """
    import onnx
    import onnx.inliner

    model = onnx.inliner.inline_local_functions(model) if model.functions else deepcopy(model)
    if not believe:
        _forget(model.graph)
    # Without its data propagation, which computes tensors of any size.
    inferred = onnx.shape_inference.infer_shapes(model)
    if _has_windows_outside(inferred):
        inferred = model  # from the beginning, node by node: what follows has false shapes, too
    work = _Pass(inferred)
    if not work.done():
        work.run()
    return inferred


def _version(model: onnx.ModelProto) -> int:
    return max((opset.version for opset in model.opset_import if opset.domain in STANDARD), default=1)


def _has_windows_outside(inferred: onnx.ModelProto) -> bool:
    """Tell whether ONNX gave a pooling a window that begins behind the image."""
    graph = inferred.graph
    pools = [node for node in graph.node if node.op_type in POOLS and attributes_of(node).get("ceil_mode")]
    if not pools or _version(inferred) >= WINDOWS_INSIDE:
        return False
    shapes = {value.name: known(value.type) for value in (*graph.input, *graph.value_info, *graph.output)}
    for node in pools:
        attributes, before, after = attributes_of(node), shapes.get(node.input[0]), shapes.get(node.output[0])
        if before is None or after is None:
            return True
        axes = len(before) - 2
        strides, pads = attributes.get("strides", (1,) * axes), attributes.get("pads", (0,) * 2 * axes)
        sides = zip(before[2:], after[2:], strides, pads, strict=False)
        if any((windows - 1) * stride >= side + pad for side, windows, stride, pad in sides):
            return True
    return False


def known(kind: Any) -> tuple[int, ...] | None:
    """Return the shape of a tensor's type if it is static, else None."""
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    if all(d.HasField("dim_value") and d.dim_value >= 0 for d in dims):
        return tuple(int(d.dim_value) for d in dims)
    return None


class _Pass:
    """One walk through a graph that has been through ONNX's own inference; changes it in place."""

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import helper

        self.model, self.graph = model, model.graph
        self.types: dict[str, Any] = {}
        self.data: dict[str, NDArray[Any]] = {}
        self._answers: dict[bytes, tuple[list[Any], list[NDArray[Any]] | None]] = {}
        self._branches = 0
        for tensor in model.graph.initializer:
            self.types[tensor.name] = helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))
        for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
            self.types.setdefault(value.name, value.type)

    def done(self) -> bool:
        """Tell whether nothing is open: every tensor has a static shape, and no branch waits to be chosen."""
        for node in self.graph.node:
            if node.op_type == "If" or not all(self._settled(name) for name in node.output):
                return False
        return True

    def run(self) -> None:
        """Walk through the nodes, which are in topological order, and write down what was found."""
        for tensor in self.graph.initializer:
            self._remember(tensor.name, tensor)
        nodes: list[onnx.NodeProto] = []
        todo = list(reversed(self.graph.node))
        while todo:
            node = todo.pop()
            branch = self._branch(node)
            if branch is not None:
                todo += reversed(self._inlined(node, branch))
                continue
            nodes.append(node)
            self._visit(node)
        self._write(nodes)

    def _settled(self, name: str) -> bool:
        kind = self.types.get(name)
        if not name or known(kind) is not None:
            return True
        return kind is not None and kind.WhichOneof("value") not in (None, "tensor_type")  # a sequence has no shape

    def _remember(self, name: str, tensor: OnnxTensor) -> None:
        from onnx import TensorProto, numpy_helper

        if tensor.data_location == TensorProto.EXTERNAL or prod(tensor.dims) > SMALL:
            return
        with contextlib.suppress(TypeError, ValueError):  # of a type that NumPy does not have: no shape comes from it
            self.data[name] = numpy_helper.to_array(tensor)

    def _branch(self, node: onnx.NodeProto) -> onnx.GraphProto | None:
        """Return the branch that an ``If`` always takes, if its condition is known."""
        condition = self.data.get(node.input[0]) if node.op_type == "If" and node.domain in STANDARD else None
        if condition is None or condition.size != 1:
            return None
        name = "then_branch" if condition.item() else "else_branch"
        return next((a.g for a in node.attribute if a.name == name), None)

    def _inlined(self, node: onnx.NodeProto, branch: onnx.GraphProto) -> list[onnx.NodeProto]:
        """Return a branch's nodes under names of their own, and with the names that the ``If`` gives its outputs."""
        from onnx import helper

        self._branches += 1
        prefix = f"{node.name or node.output[0]}/{self._branches}/"
        names: dict[str, str] = {}
        for tensor in branch.initializer:
            names[tensor.name] = prefix + tensor.name
            copy = self.graph.initializer.add()
            copy.CopyFrom(tensor)
            copy.name = names[tensor.name]
            self.types[copy.name] = helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))
            self._remember(copy.name, copy)
        names |= {name: prefix + name for inner in branch.node for name in inner.output if name}
        passed = []
        for inside, outside in zip(branch.output, node.output, strict=False):
            if names.get(inside.name, "").startswith(prefix) and inside.name not in {
                t.name for t in branch.initializer
            }:
                names[inside.name] = outside
            else:  # what comes from outside, or goes out twice
                source = names.get(inside.name, inside.name)
                passed.append(helper.make_node("Identity", [source], [outside], f"{prefix}{outside}"))
        return [*(renamed(inner, names) for inner in branch.node), *passed]

    def _visit(self, node: onnx.NodeProto) -> None:
        self._constant(node)
        outputs = [name for name in node.output if name]
        names = [name for name in dict.fromkeys(uses(node)) if name]
        if any(name not in self.types for name in names):
            return
        open_ones = not all(self._settled(name) for name in outputs)
        foldable = bool(names) and node.op_type in FOLDED and node.domain in STANDARD
        computed = foldable and node.output[0] not in self.data and all(name in self.data for name in names)
        if not (open_ones or computed):
            return
        kinds, values = self._ask(node, names, computed)
        for name, kind in zip(outputs, kinds, strict=True):
            if kind.WhichOneof("value") is not None and not (name in self.types and self._settled(name)):
                self.types[name] = kind
        self.data |= zip(outputs, values or (), strict=False)

    def _constant(self, node: onnx.NodeProto) -> None:
        """Note what a ``Constant`` holds, and what ``Shape`` and ``Size`` tell of a known shape."""
        if node.domain not in STANDARD or not node.output:
            return
        shape = known(self.types.get(node.input[0])) if node.input else None
        if node.op_type == "Constant":
            held = constant_of(node)
            if held is not None:
                self._remember(node.output[0], held)
        elif node.op_type == "Shape" and shape is not None:
            attributes = attributes_of(node)
            self.data[node.output[0]] = np.array(shape[attributes.get("start", 0) : attributes.get("end")], np.int64)
        elif node.op_type == "Size" and shape is not None:
            self.data[node.output[0]] = np.array(min(prod(shape), 2**63 - 1), np.int64)

    def _ask(
        self, node: onnx.NodeProto, names: list[str], compute: bool
    ) -> tuple[list[Any], list[NDArray[Any]] | None]:
        """Infer a node alone, and compute it if its result is small; equal nodes are asked once."""
        from onnx import helper, numpy_helper

        outputs = [name for name in node.output if name]
        short = {name: f"__in{i}" for i, name in enumerate(names)}
        short |= {name: f"__out{i}" for i, name in enumerate(outputs)}
        one = renamed(node, short)
        one.name, one.doc_string = "", ""
        del one.metadata_props[:]
        graph = helper.make_graph(
            [one],
            "one",
            [helper.make_value_info(short[name], self.types[name]) for name in names if name not in self.data],
            [helper.make_empty_tensor_value_info(short[name]) for name in outputs],
            [numpy_helper.from_array(self.data[name], short[name]) for name in names if name in self.data],
        )
        opsets = self.model.opset_import
        if node.op_type in POOLS and node.domain in STANDARD and attributes_of(node).get("ceil_mode"):
            opsets = [helper.make_opsetid("", max(WINDOWS_INSIDE, _version(self.model)))]
        alone = helper.make_model(graph, opset_imports=opsets, ir_version=self.model.ir_version)
        key = alone.SerializeToString(deterministic=True)
        if key not in self._answers:
            kinds = _kinds(alone, node.domain)
            sizes = [known(kind) for kind in kinds]
            small = all(s is not None and prod(s) <= SMALL for s in sizes) or node.op_type in BOUNDED
            self._answers[key] = kinds, _compute(alone) if compute and small else None
        return self._answers[key]

    def _write(self, nodes: list[onnx.NodeProto]) -> None:
        ends = {value.name for value in self.graph.output}
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        del self.graph.value_info[:]
        for name in dict.fromkeys(name for node in nodes for name in node.output):
            if name in self.types and name not in ends:
                self.graph.value_info.add(name=name).type.CopyFrom(self.types[name])
        for value in self.graph.output:
            if value.name in self.types and value.type is not self.types[value.name]:
                value.type.CopyFrom(self.types[value.name])


def _forget(graph: onnx.GraphProto) -> None:
    """Drop what a graph and its subgraphs say of the shapes inside; types stay."""
    del graph.value_info[:]
    for value in graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    for node in graph.node:
        for inner in subgraphs(node):
            _forget(inner)


def _kinds(alone: onnx.ModelProto, domain: str) -> list[Any]:
    """Return the types of a lone node's outputs, as ONNX infers them, or ONNX Runtime where ONNX does not know it."""
    import onnx

    try:
        kinds = [value.type for value in onnx.shape_inference.infer_shapes(alone).graph.output]
    except Exception:  # its errors share no base class; the node stays open
        kinds = [value.type for value in alone.graph.output]
    if domain not in STANDARD and not all(known(kind) is not None for kind in kinds):
        return of_runtime(alone) or of_form(alone) or kinds
    return kinds


def _compute(alone: onnx.ModelProto) -> list[NDArray[Any]] | None:
    """Compute a lone node of constants; None where ONNX's reference does not do it."""
    from onnx.reference import ReferenceEvaluator

    if is_random(alone.graph.node[0]):
        return None
    try:
        values = [np.asarray(value) for value in ReferenceEvaluator(alone).run(None, {})]
    except Exception:  # a stranger's file can make it raise anything
        return None
    return values if all(value.size <= SMALL and value.dtype.kind in "fiub" for value in values) else None
