"""A kernel: one operator of the graph that a runtime really runs, cut out so that it can be timed alone.

Its key is equal for operators that do the same work: operator, attributes, shapes and types of all operands, and the
values of small constants (axes, sizes, bounds). Names and the content of weights are no part of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from math import prod

from bench.base.wire import Unchecked
from bench.graph.classes import Attributes, OpClass, Shape, classify
from bench.graph.reading import OnnxModel, OnnxNode, OnnxTensor

SMALL = 64  # elements of an integer constant up to which its values belong to the key
NEVER_SMALL = 4  # the same of a float constant: bounds and exponents, not weights
BLOCKED = "com.microsoft.nchwc"


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor of a kernel. `values` is the base64 of a small constant's bytes, empty for any other tensor.

    `name` is its place (``i0``, ``o1``); a tensor that an operator reads twice has one name.
    """

    name: str
    shape: tuple[int, ...]
    data_type: int
    constant: bool = False
    values: str = ""

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)


@dataclass(frozen=True)
class Kernel:
    """An operator with its operands. `node` is the base64 of the ONNX node, whose tensors are called by place."""

    op: str
    node: str
    attributes: Attributes
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    opset: int

    @cached_property
    def key(self) -> str:
        """Equal for equal work."""
        data = {k: v for k, v in asdict(self).items() if k != "attributes"}
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:20]

    @cached_property
    def op_class(self) -> OpClass:
        """What kind of work it is."""
        return classify(self.op, self.attributes, [operand.shape for operand in self.inputs])

    @property
    def moves_nothing(self) -> bool:
        """Whether it is a view, which costs a dispatch and nothing else."""
        return self.op_class is OpClass.VIEW

    @property
    def label(self) -> str:
        """Say operator and shapes, for a person."""
        shapes = " ".join("x".join(map(str, o.shape)) for o in self.inputs if not o.values)
        return f"{self.op.rpartition('.')[2]} {shapes}"

    def record(self) -> dict[str, object]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def read(cls, data: Unchecked) -> Kernel:
        """Make a kernel of what `record` gave."""

        def operands(rows: list[Unchecked]) -> tuple[Operand, ...]:
            return tuple(Operand(**row | {"shape": tuple(row["shape"])}) for row in rows)

        attributes = {k: tuple(v) if isinstance(v, list) else v for k, v in data["attributes"].items()}
        return cls(
            **data
            | {
                "attributes": attributes,
                "inputs": operands(data["inputs"]),
                "outputs": operands(data["outputs"]),
            }
        )

    def model(self) -> OnnxModel:
        """Return a model of this operator alone, with made-up weights."""
        import numpy as np
        from onnx import NodeProto, helper, numpy_helper

        from bench.artifact.artifact import TensorInfo
        from bench.artifact.probe import fill

        node = NodeProto()
        node.ParseFromString(base64.b64decode(self.node))
        weights, inputs = [], []
        for operand in {o.name: o for o in self.inputs}.values():
            if not operand.constant:
                inputs.append(helper.make_tensor_value_info(operand.name, operand.data_type, operand.shape))
                continue
            dtype = helper.tensor_dtype_to_np_dtype(operand.data_type)
            if operand.values:
                data = np.frombuffer(base64.b64decode(operand.values), dtype).reshape(operand.shape)
            else:
                data = fill(TensorInfo(operand.name, str(dtype), operand.shape))
            weights.append(numpy_helper.from_array(data, operand.name))
        outputs = [helper.make_tensor_value_info(o.name, o.data_type, o.shape) for o in self.outputs]
        graph = helper.make_graph([node], "kernel", inputs, outputs, weights)
        domains = [("", self.opset), ("com.microsoft", 1), (BLOCKED, 1)]
        return helper.make_model(graph, opset_imports=[helper.make_opsetid(*d) for d in domains], ir_version=8)


def cut(node: OnnxNode, shapes: dict[str, Shape], types: dict[str, int], constants: dict[str, OnnxTensor],
        opset: int) -> Kernel:  # fmt: skip
    """Cut an operator out of its graph.

    Args:
        node: the operator.
        shapes: of every tensor it touches.
        types: ONNX element types of the same.
        constants: the weights of the graph, by name.
        opset: version of the standard operators.

    Raises:
        KeyError: a shape or type is not known.
        ValueError: it holds a graph of its own.
    """
    from onnx import NodeProto

    from bench.graph.reading import attributes_of

    if any(a.HasField("g") or a.graphs for a in node.attribute):
        raise ValueError("holds a graph of its own")
    places: dict[str, str] = {}
    inputs = []
    for i, name in enumerate(node.input):
        if not name:
            continue
        places.setdefault(name, f"i{i}")
        values = ""
        if name in constants:
            values = _values(constants[name])
        inputs.append(Operand(places[name], shapes[name], types[name], name in constants, values))
    outputs = []
    for i, name in enumerate(node.output):
        if name:
            places[name] = f"o{i}"
            outputs.append(Operand(places[name], shapes[name], types[name]))
    bare = NodeProto()
    bare.op_type, bare.domain = node.op_type, node.domain
    bare.input.extend(places.get(name, "") for name in node.input)
    bare.output.extend(places.get(name, "") for name in node.output)
    for attribute in sorted(node.attribute, key=lambda a: a.name):
        bare.attribute.add().CopyFrom(attribute)
        bare.attribute[-1].ClearField("doc_string")
    text = base64.b64encode(bare.SerializeToString(deterministic=True)).decode()
    op = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    return Kernel(op, text, attributes_of(node), tuple(inputs), tuple(outputs), opset)


def _values(tensor: OnnxTensor) -> str:
    from onnx import TensorProto, numpy_helper

    elements = prod(tensor.dims)
    floating = tensor.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
    if elements > (NEVER_SMALL if floating else SMALL):
        return ""
    return base64.b64encode(numpy_helper.to_array(tensor).tobytes()).decode()
