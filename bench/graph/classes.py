"""Classes of operators: what kind of work an operator is, whatever the runtime calls it.

`classify` is a pure function of an operator's name, attributes and input shapes. It knows the operators of ONNX and
those of ONNX Runtime's optimised graph (``FusedConv``, ``com.microsoft.nchwc.Conv``, ``ReorderInput``), so that a
source graph, an optimised graph and a profile can be summed by the same classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

Shape = tuple[int, ...]


class OpClass(StrEnum):
    """A class of operators; `family` gathers them into seven."""

    POINTWISE = "conv 1x1"
    DEPTHWISE = "conv depthwise"
    GROUPED = "conv grouped"
    DENSE = "conv dense"
    TRANSPOSED = "conv transposed"
    MATMUL = "matmul"
    TRANSPOSE = "transpose"
    REORDER = "reorder"
    VIEW = "view"
    SPLIT = "split/slice"
    CONCAT = "concat"
    PAD = "pad"
    COPY = "copy/resize"
    ACTIVATION = "activation"
    ADD = "add"
    MULTIPLY = "multiply"
    BATCHNORM = "batchnorm"
    ELEMENTWISE = "other element-wise"
    CONVERT = "cast/quantize"
    POOLING = "pooling"
    NORMALIZATION = "normalization"
    SOFTMAX = "softmax"
    OTHER = "other"

    @property
    def family(self) -> str:
        """Convolution, matmul, data movement, element-wise, pooling, normalization or other."""
        return FAMILIES.get(self, str(self))


FAMILIES = {
    **dict.fromkeys((OpClass.POINTWISE, OpClass.DEPTHWISE, OpClass.GROUPED, OpClass.DENSE), "convolution"),
    OpClass.TRANSPOSED: "convolution",
    **dict.fromkeys((OpClass.TRANSPOSE, OpClass.REORDER, OpClass.VIEW, OpClass.SPLIT), "data movement"),
    **dict.fromkeys((OpClass.CONCAT, OpClass.PAD, OpClass.COPY), "data movement"),
    **dict.fromkeys((OpClass.ACTIVATION, OpClass.ADD, OpClass.MULTIPLY, OpClass.BATCHNORM), "element-wise"),
    **dict.fromkeys((OpClass.ELEMENTWISE, OpClass.CONVERT), "element-wise"),
    OpClass.SOFTMAX: "normalization",
}

# Convolutions, and where their weight is among the inputs.
CONVOLUTIONS = dict.fromkeys(("Conv", "ConvInteger", "FusedConv", "NhwcConv", "NhwcFusedConv"), 1) | {"QLinearConv": 3}

_NAMES = {
    OpClass.TRANSPOSED: "ConvTranspose ConvTransposeWithDynamicPads QLinearConvTranspose",
    OpClass.MATMUL: "MatMul Gemm Einsum MatMulInteger QLinearMatMul FusedMatMul FusedGemm QGemm TransposeMatMul"
    " FusedMatMulActivation DynamicQuantizeMatMul MatMulIntegerToFloat MatMulNBits MatMulBnb4 MatMulFpQ4 GemmFloat8"
    " SparseToDenseMatMul Attention QAttention MultiHeadAttention GroupQueryAttention PackedAttention"
    " PackedMultiHeadAttention DecoderMaskedMultiHeadAttention LinearAttention",
    OpClass.TRANSPOSE: "Transpose DepthToSpace SpaceToDepth Col2Im ReverseSequence ShuffleChannels",
    OpClass.REORDER: "ReorderInput ReorderOutput MemcpyToHost MemcpyFromHost",
    OpClass.VIEW: "Reshape Flatten Squeeze Unsqueeze Identity Dropout Shape Size",
    OpClass.SPLIT: "Split Slice Gather GatherND GatherElements Compress SplitToSequence DynamicSlice CropAndResize",
    OpClass.CONCAT: "Concat QLinearConcat ConcatFromSequence",
    OpClass.PAD: "Pad CenterCropPad",
    OpClass.COPY: "Expand Tile Resize Upsample ConstantOfShape Constant EyeLike Range OneHot Scatter ScatterND"
    " ScatterElements TensorScatter Trilu MaxUnpool",
    OpClass.ACTIVATION: "Relu Clip LeakyRelu PRelu Elu Selu Celu Sigmoid Tanh HardSigmoid HardSwish Swish Mish Gelu"
    " Softplus Softsign ThresholdedRelu Shrink SwiGLU Silu FastGelu QuickGelu BiasGelu BiasSplitGelu QLinearSigmoid"
    " QLinearLeakyRelu Relu6",
    OpClass.ADD: "Add Sub Sum QLinearAdd BiasAdd",
    OpClass.MULTIPLY: "Mul Div QLinearMul",
    OpClass.BATCHNORM: "BatchNormalization",
    OpClass.ELEMENTWISE: "Abs Neg Floor Ceil Round Sign Sqrt Exp Log Erf Pow Reciprocal Sin Cos Tan Asin Acos Atan Sinh"
    " Cosh Asinh Acosh Atanh Min Max Mean Mod And Or Xor Not Equal Greater GreaterOrEqual Less LessOrEqual Where IsNaN"
    " IsInf BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot CumSum CumProd RotaryEmbedding QLinearWhere",
    OpClass.CONVERT: "Cast CastLike BitCast QuantizeLinear DequantizeLinear DynamicQuantizeLinear",
    OpClass.POOLING: "MaxPool AveragePool LpPool GlobalMaxPool GlobalAveragePool GlobalLpPool MaxRoiPool RoiAlign"
    " ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp"
    " ReduceSumSquare ArgMax ArgMin QLinearAveragePool QLinearGlobalAveragePool QLinearReduceMean NhwcMaxPool",
    OpClass.NORMALIZATION: "LayerNormalization InstanceNormalization GroupNormalization RMSNormalization LRN"
    " LpNormalization MeanVarianceNormalization SkipLayerNormalization SimplifiedLayerNormalization"
    " SkipSimplifiedLayerNormalization EmbedLayerNormalization GroupNorm SkipGroupNorm",
    OpClass.SOFTMAX: "Softmax LogSoftmax Hardmax QLinearSoftmax BiasSoftmax",
}
CLASSES = {name: op_class for op_class, names in _NAMES.items() for name in names.split()}


def classify(op: str, attributes: Mapping[str, Any] | None = None, shapes: Sequence[Shape | None] = ()) -> OpClass:
    """Return the class of an operator.

    Args:
        op: its type, with or without its domain: ``Conv``, ``com.microsoft.FusedConv``, ``com.microsoft.nchwc.Conv``.
        attributes: the plain values of its attributes; of a convolution ``group`` and ``kernel_shape`` matter.
        shapes: those of its inputs, as far as they are known (None or left out: unknown). Channels may be padded.

    A convolution is depthwise when each group has one input channel, then grouped when it has groups, then 1x1 when
    every axis of its kernel is 1. Without the weight's shape a depthwise convolution counts as grouped.
    """
    domain, _, name = op.rpartition(".")
    if name not in CONVOLUTIONS:
        return CLASSES.get(name, OpClass.OTHER)
    attributes = attributes or {}
    position = CONVOLUTIONS[name]
    weight = shapes[position] if len(shapes) > position else None
    kernel = tuple(weight[2:]) if weight else tuple(attributes.get("kernel_shape", ()))
    if int(attributes.get("group", 1)) > 1:
        if not weight or weight[1] != 1:
            return OpClass.GROUPED
        # ONNX Runtime makes a depthwise 1x1 convolution of a BatchNorm it cannot fold, to stay in its layout.
        folded = domain.endswith("nchwc") and set(kernel) <= {1}
        return OpClass.BATCHNORM if folded else OpClass.DEPTHWISE
    return OpClass.POINTWISE if kernel and set(kernel) == {1} else OpClass.DENSE
