"""Classes of operators: what kind of work an operator is, whatever the runtime calls it.

`classify` is a pure function of an operator's name, attributes and input shapes. It knows the operators of ONNX, those
of ONNX Runtime's optimised graph (``FusedConv``, ``com.microsoft.nchwc.Conv``, ``ReorderInput``), OpenVINO's layers and
the operators of MNN and ATen, so that a source graph, an optimised graph and a profile are summed by the same classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

Shape = tuple[int, ...]
Attributes = dict[str, Any]  # of an operator, by name: plain numbers, texts and tuples, as its type has them


class OpClass(StrEnum):
    """A class of operators; `family` gathers them into seven."""

    POINTWISE = "conv 1x1"
    DEPTHWISE = "conv depthwise"
    GROUPED = "conv grouped"
    DENSE = "conv dense"
    TRANSPOSED = "conv transposed"
    MATMUL = "matmul"
    SHUFFLE = "channel shuffle"
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
    OpClass.SHUFFLE: "data movement",
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
    OpClass.TRANSPOSE: "Transpose DepthToSpace SpaceToDepth Col2Im ReverseSequence",
    OpClass.SHUFFLE: "ShuffleChannels",
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

# Operators that only quantise or dequantise, in whatever graph.
QUANTIZERS = frozenset((
    *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "FakeQuantize", "QUANTIZE", "DEQUANTIZE"),
))  # fmt: skip

# What OpenVINO, MNN and ATen call operators, where ONNX does not use the word. They have no domain.
_RUNTIME_NAMES = {
    OpClass.TRANSPOSED: "Deconvolution GroupDeconvolution DeconvolutionDepthwise conv_transpose1d conv_transpose2d"
    " conv_transpose3d",
    OpClass.MATMUL: "FullyConnected linear addmm mm matmul bmm baddbmm scaled_dot_product_attention",
    OpClass.SHUFFLE: "ChannelShuffle channel_shuffle",
    OpClass.TRANSPOSE: "transpose permute t",
    OpClass.REORDER: "Reorder ConvertTensor",
    OpClass.VIEW: "view reshape flatten squeeze unsqueeze _unsafe_view expand",
    OpClass.SPLIT: "VariadicSplit StridedSlice Crop chunk split slice narrow select split_with_sizes",
    OpClass.CONCAT: "cat concat concatenate",
    OpClass.PAD: "pad constant_pad_nd",
    OpClass.COPY: "Broadcast Interpolate Raster Interp contiguous clone copy_ upsample_nearest2d upsample_bilinear2d",
    OpClass.ACTIVATION: "Clamp HSwish ReLU ReLU6 PReLU ELU relu relu_ clamp clamp_ clamp_min_ hardtanh hardtanh_ relu6"
    " silu silu_ gelu sigmoid sigmoid_ hardsigmoid hardsigmoid_ hardswish hardswish_ leaky_relu leaky_relu_ tanh elu",
    OpClass.ADD: "add add_ sub sub_",
    OpClass.MULTIPLY: "Multiply Divide mul mul_ div div_",
    OpClass.BATCHNORM: "Scale batch_norm",
    OpClass.ELEMENTWISE: "Eltwise BinaryOp UnaryOp Subgraph Math MulAdd pow sqrt",
    OpClass.CONVERT: "Convert to _to_copy FakeQuantize",
    OpClass.POOLING: "AvgPool Pooling Reduce Reduction max_pool2d avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d"
    " mean",
    OpClass.NORMALIZATION: "MVN Normalize RMSNorm layer_norm group_norm instance_norm",
    OpClass.SOFTMAX: "softmax",
}
RUNTIME_CLASSES = {name: op_class for op_class, names in _RUNTIME_NAMES.items() for name in names.split()}
RUNTIME_CONVOLUTIONS = dict.fromkeys(
    ("Convolution", "GroupConvolution", "ConvolutionDepthwise", "conv1d", "conv2d", "conv3d", "convolution"), 1
)
_ALL_CLASSES = CLASSES | RUNTIME_CLASSES
_ALL_CONVOLUTIONS = CONVOLUTIONS | RUNTIME_CONVOLUTIONS


def channels_second(weight: Shape, data: Shape | None, group: int) -> Shape:
    """Return the shape of a convolution's weight in ONNX's order; ``NhwcConv`` may have the channels last.

    `data` is the shape of what is convolved, whose channels are last.
    """
    last = not data or (weight[-1] * group == data[-1] and len(weight) > 2)
    return (weight[0], weight[-1], *weight[1:-1]) if last else weight


def classify(op: str, attributes: Attributes | None = None, shapes: Sequence[Shape | None] = ()) -> OpClass:
    """Return the class of an operator.

    Args:
        op: its type, with or without its domain: ``Conv``, ``com.microsoft.FusedConv``, ``com.microsoft.nchwc.Conv``.
        attributes: the plain values of its attributes; of a convolution ``group`` and ``kernel_shape`` matter.
        shapes: those of its inputs, as far as they are known (None or left out: unknown). Channels may be padded.

    A convolution is depthwise when each group has one input channel, then grouped when it has groups, then 1x1 when
    every axis of its kernel is 1. Without the weight's shape a depthwise convolution counts as grouped.
    """
    domain, _, name = op.rpartition(".")
    names = CLASSES if domain else _ALL_CLASSES
    positions = CONVOLUTIONS if domain else _ALL_CONVOLUTIONS
    if name not in positions:
        return names.get(name, OpClass.OTHER)
    attributes = attributes or {}
    position = positions[name]
    weight = shapes[position] if len(shapes) > position else None
    if weight and name == "NhwcConv":
        weight = channels_second(weight, shapes[0], int(attributes.get("group", 1)))
    kernel = tuple(weight[2:]) if weight else tuple(attributes.get("kernel_shape", ()))
    if int(attributes.get("group", 1)) > 1:
        if not weight or weight[1] != 1:
            return OpClass.GROUPED
        # ONNX Runtime makes a depthwise 1x1 convolution of a BatchNorm it cannot fold, to stay in its layout.
        folded = domain.endswith("nchwc") and set(kernel) <= {1}
        return OpClass.BATCHNORM if folded else OpClass.DEPTHWISE
    return OpClass.POINTWISE if kernel and set(kernel) == {1} else OpClass.DENSE
