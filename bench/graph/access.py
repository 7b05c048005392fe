"""What a node reads and writes, as if nothing were cached or fused, and which of its inputs are parameters.

Each operand is read once and each result written once: for a 1x1 convolution h*w*(c1 + c2) + c1*c2 elements, the
"MAC" of ShuffleNet V2 (G1), and for a grouped one h*w*(c1 + c2) + c1*c2/g (G2).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from bench.graph.classes import CLASSES, OpClass
from bench.graph.nodes import attributes_of, constant_of, everywhere, subgraphs
from bench.graph.reading import Reading

if TYPE_CHECKING:
    import onnx

# Operators whose other inputs are settings (axes, sizes, bounds), not data.
FIRST_INPUT = frozenset((
    "Slice", "Pad", "Resize", "Upsample", "Expand", "Tile", "Split", "Clip", "TopK", "CumSum", "CumProd", "Trilu",
    "OneHot", "CenterCropPad",
))  # fmt: skip
# Operators that read of their first input no more than they write.
PARTIAL = frozenset(("Slice", "Gather", "GatherElements", "GatherND", "Compress"))
# Operators with scales and zero points, which are no parameters: where data, weight and bias are among the inputs.
QUANTIZED = {
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"), (0,)),
    **dict.fromkeys(("ConvInteger", "MatMulInteger"), (0, 1)),
    **dict.fromkeys(("QLinearMatMul", "QLinearAdd", "QLinearMul"), (0, 3)),
    "QLinearConv": (0, 3, 8),
    "QGemm": (0, 3, 6),
    "MatMulIntegerToFloat": (0, 1, 6),
    "DynamicQuantizeMatMul": (0, 1, 4),
    "MatMulNBits": (0, 1, 5),
    "MatMulBnb4": (0, 1),
    "GemmFloat8": (0, 1, 2),
    "QAttention": (0, 1, 2, 8),
    "QLinearWhere": (0, 1, 4),
    "GatherBlockQuantized": (0, 1),
    **dict.fromkeys(("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "QLinearReduceMean"), (0,)),
    **dict.fromkeys(("QLinearAveragePool", "QLinearGlobalAveragePool"), (0,)),
}
# Numbers of these types are shapes and indices, no parameters; 32 bits are a bias where the operator is quantised.
_WHOLE, _SHORT = (7, 13, 9, 8), (6, 12)  # INT64, UINT64, BOOL, STRING; INT32, UINT32
# Constants that stay as they are stored through these, once they are dequantised.
_MOVED = frozenset(("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Cast"))


def data_inputs(node: onnx.NodeProto) -> list[str]:
    """Return the inputs that a node reads, each once; of a view there are none."""
    if CLASSES.get(node.op_type) is OpClass.VIEW:
        return []
    first = node.op_type in FIRST_INPUT or node.op_type.startswith("Reduce")
    return list(dict.fromkeys(name for name in (node.input[:1] if first else node.input) if name))


def read_elements(node: onnx.NodeProto, reading: Reading) -> dict[str, int]:
    """Return how many elements a node reads of each input whose shape is known."""
    found = {name: prod(reading.shapes[name]) for name in data_inputs(node) if name in reading.shapes}
    output = node.output[0] if node.output else ""
    if node.op_type in PARTIAL and node.input[0] in found and output in reading.shapes:
        found[node.input[0]] = min(found[node.input[0]], prod(reading.shapes[output]))
    return found


def read_bytes(node: onnx.NodeProto, reading: Reading) -> dict[str, int]:
    """Return how many bytes a node reads of each input whose shape is known.

    A weight that is dequantised when it is used is read as it is stored: no runtime keeps it in another form.
    """
    found = {}
    for name, elements in read_elements(node, reading).items():
        whole, packed = prod(reading.shapes[name]), stored_as(name, reading)
        if packed and whole:
            found[name] = -(
                -sum(bytes_of(prod(reading.shapes[n]), reading.types[n]) for n in packed) * elements // whole
            )
        else:
            found[name] = bytes_of(elements, reading.types[name])
    return found


def stored_as(name: str, reading: Reading) -> list[str]:
    """Return the integers, scales and zero points that a constant is dequantised from; empty where it is not."""
    while name in reading.makers:
        maker = reading.makers[name]
        if maker.op_type == "DequantizeLinear":
            return [one for one in maker.input if one in reading.shapes]
        if maker.op_type not in _MOVED:
            break
        name = maker.input[0]
    return []


def bytes_of(elements: int, data_type: int) -> int:
    """Return the bytes of a number of elements of an ONNX data type."""
    from bench.graph.onnx_read import bits

    return -(-elements * bits(data_type, "the model") // 8)


def parameters(node: onnx.NodeProto, reading: Reading, seen: set[str]) -> int:
    """Count the parameters that this node is the first to use, and note in `seen` what was looked at.

    A parameter is an element of a stored tensor that is data of some node: no axis, size or bound, no scale or zero
    point, no lone number.
    """
    total = sum(_inside(graph) for graph in subgraphs(node))
    todo = [(one, name) for one in everywhere([node]) for name in parameter_inputs(one)]
    while todo:
        user, name = todo.pop()
        if name in seen or name not in reading.constants:
            continue
        seen.add(name)
        if name in reading.stored:
            total += _parameters(user, name, reading)
        elif name in reading.makers:
            maker = reading.makers[name]
            todo += [(maker, one) for one in parameter_inputs(maker)]
    return total


def parameter_inputs(node: onnx.NodeProto) -> list[str]:
    """Return the inputs that can be parameters, or be computed from some."""
    if node.op_type in QUANTIZED:
        return [node.input[i] for i in QUANTIZED[node.op_type] if i < len(node.input) and node.input[i]]
    if node.op_type == "QLinearConcat":
        return [name for name in node.input[2::3] if name]
    if CLASSES.get(node.op_type) is OpClass.VIEW or node.op_type in ("ConstantOfShape", "Range", "EyeLike"):
        return [name for name in node.input[:1] if name and CLASSES.get(node.op_type) is OpClass.VIEW]
    return data_inputs(node)


def _inside(graph: onnx.GraphProto) -> int:
    """Count the parameters that a subgraph holds itself, at any depth."""
    stored = list(graph.initializer)
    for node in graph.node:
        stored += [held] if node.op_type == "Constant" and (held := constant_of(node)) is not None else []
    own: int = sum(prod(t.dims) for t in stored if t.dims and t.data_type not in (*_WHOLE, *_SHORT))
    return own + sum(_inside(inner) for node in graph.node for inner in subgraphs(node))


def _parameters(user: onnx.NodeProto, name: str, reading: Reading) -> int:
    shape, kind = reading.shapes.get(name, ()), reading.types.get(name, 0)
    if not shape or kind in _WHOLE or (kind in _SHORT and user.op_type not in QUANTIZED):
        return 0
    if user.op_type in ("MatMulNBits", "MatMulBnb4") and name == user.input[1]:  # several in a byte
        attributes = attributes_of(user)
        return int(attributes["K"]) * int(attributes["N"])
    return prod(shape)
