"""Element-wise operations of a node: everything that is no multiply-accumulate, in a unit of its own.

One operation is one addition, multiplication, division, comparison or elementary function (exp, tanh, erf, sqrt) on
one element. Moving an element is none. The tables below say how many an operator has; `docs/profile.md` prints them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from bench.graph.classes import CLASSES, CONVOLUTIONS, FAMILIES, Attributes, OpClass

Shape = tuple[int, ...]


def _each(operations: int, names: str) -> dict[str, int]:
    return dict.fromkeys(names.split(), operations)


# Operations per element of the first output.
PER_OUTPUT = {
    **_each(1, "Relu ThresholdedRelu Tanh Hardmax Cast CastLike BitCast Mod Where"),
    **_each(2, "Clip Relu6 LeakyRelu PRelu"),  # two comparisons; a comparison and a product
    **_each(3, "Softplus Softsign Shrink"),
    **_each(4, "Sigmoid HardSigmoid Elu"),  # negate, exp, add, divide; multiply, add, clip
    **_each(5, "HardSwish Swish Silu QuickGelu Selu Celu Mish Gelu"),
    "FastGelu": 9,  # of tanh; also Gelu with approximate=tanh
    "BatchNormalization": 2,  # scale and shift: mean and variance are folded into them
    **_each(7, "LayerNormalization InstanceNormalization GroupNormalization"),
    # mean 1; subtract, square, sum 3; times 1 / sigma, scale, shift 3
    "MeanVarianceNormalization": 5,
    **_each(4, "RMSNormalization SimplifiedLayerNormalization"),  # square, sum, two products
    "LpNormalization": 3,
    **_each(5, "Softmax LogSoftmax"),  # maximum, subtract, exp, sum, divide
    **_each(2, "QuantizeLinear DequantizeLinear"),
    "DynamicQuantizeLinear": 4,
    "QLinearAdd": 1,
    "QLinearMul": 1,
    "CumSum": 1,
    "CumProd": 1,
}
# Operations per element of the first input.
PER_INPUT = {
    **_each(1, "GlobalAveragePool GlobalMaxPool ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd"),
    **_each(1, "ArgMax ArgMin ReduceLogSum QLinearGlobalAveragePool TopK Col2Im"),
    **_each(2, "ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp GlobalLpPool"),
}
# Operators that combine any number of operands, one operation for each after the first.
VARIADIC = {"Sum", "Mean", "Min", "Max"}
WINDOWS = {"MaxPool", "AveragePool", "LpPool", "QLinearAveragePool", "NhwcMaxPool"}
# Neighbours along one axis that an interpolation weighs and sums; the nearest neighbour is only moved.
NEIGHBOURS = {"nearest": 0, "linear": 2, "bilinear": 2, "cubic": 4}
ONE = {name for name, c in CLASSES.items() if c in (OpClass.ADD, OpClass.MULTIPLY, OpClass.ELEMENTWISE)}
# Where the bias is among the inputs; ConvInteger has none.
WITH_BIAS = {
    **{name: 2 for name in CONVOLUTIONS if name != "ConvInteger"},
    "QLinearConv": 8,
    "ConvTranspose": 2,
    "Gemm": 2,
    "FusedGemm": 2,
    "GemmFloat8": 2,
    "QGemm": 6,
    "MatMulIntegerToFloat": 6,
    "DynamicQuantizeMatMul": 4,
    "MatMulNBits": 5,
}
# Attention computes a softmax inside, and more.
UNKNOWN = {"RotaryEmbedding", "MaxRoiPool", "RoiAlign", "Compress"} | {n for n in CLASSES if "Attention" in n}


def elementwise_ops(
    op: str, attributes: Attributes, inputs: Sequence[Shape | None], outputs: Sequence[Shape]
) -> int | None:
    """Return the number of element-wise operations of a node, None where that is not known.

    `inputs` are the shapes of its inputs (None: left out or unknown), `outputs` those of its outputs.

    A bias is one addition per output; pooling is one operation per element of the window and output.
    """
    size = prod(outputs[0])
    data = inputs[0] if inputs else None
    if op in WITH_BIAS:
        position = WITH_BIAS[op]
        bias = len(inputs) > position and inputs[position] is not None
        return size * (bias + _activation(attributes))
    if op == "Gelu" and attributes.get("approximate") == "tanh":
        return size * PER_OUTPUT["FastGelu"]
    if op in WINDOWS:
        return size * int(prod(attributes["kernel_shape"]))
    if op in VARIADIC:
        return size * max(len(inputs) - 1, int(op == "Mean"))
    if op == "LRN":
        return size * (int(attributes["size"]) + 5)  # square; sum; times alpha / size, add, power, divide
    if op in ("Resize", "Upsample"):
        return _resize(attributes, data, outputs[0])
    if op in PER_OUTPUT:
        return size * PER_OUTPUT[op]
    if op in PER_INPUT:
        return prod(data) * PER_INPUT[op] if data is not None else None
    if op in UNKNOWN:
        return None
    if op in ONE:
        return size
    op_class = CLASSES.get(op, OpClass.OTHER)
    return 0 if op_class is OpClass.MATMUL or FAMILIES.get(op_class) == "data movement" else None


def _activation(attributes: Attributes) -> int:
    """Return the operations per element of the activation that is fused into an operator of ONNX Runtime."""
    return PER_OUTPUT.get(str(attributes.get("activation", "")), 0)


def _resize(attributes: Attributes, before: Shape | None, after: Shape) -> int | None:
    neighbours = NEIGHBOURS.get(str(attributes.get("mode", "nearest")))
    if before is None or neighbours is None:
        return None
    if not neighbours:
        return 0
    resized = sum(a != b for a, b in zip(before, after, strict=True))
    return prod(after) * int(neighbours**resized) if resized else 0
