"""What an operator does, in the classes of the ShuffleNet V2 paper's Figure 2, finer.

Figure 2 (Ma et al. 2018, arXiv 1807.11164) splits run time into convolution, data (movement), element-wise operations,
channel shuffle and others. The kinds of operators are those of ONNX, ONNX Runtime, OpenVINO and ATen.
"""

from __future__ import annotations

CONV_POINTWISE = "conv pointwise"
CONV_DEPTHWISE = "conv depthwise"
CONV_GROUPED = "conv grouped"
CONV_DENSE = "conv dense"
MATMUL = "matmul"
SHUFFLE = "shuffle"
TRANSPOSE_RESHAPE = "transpose/reshape"
SPLIT_SLICE = "split/slice"
CONCAT = "concat"
PAD = "pad"
REORDER = "reorder"
ACTIVATION = "activation"
ADD = "add"
NORMALISATION = "normalisation"
ELEMENTWISE = "other element-wise"
POOLING = "pooling"
REST = "rest"

# The groups of Figure 2; what belongs to none of its first four is its "others".
GROUPS = {
    "convolution": (CONV_POINTWISE, CONV_DEPTHWISE, CONV_GROUPED, CONV_DENSE),
    "data movement": (SHUFFLE, TRANSPOSE_RESHAPE, SPLIT_SLICE, CONCAT, PAD, REORDER),
    "element-wise": (ACTIVATION, ADD, NORMALISATION, ELEMENTWISE),
    "matmul": (MATMUL,),
    "pooling": (POOLING,),
    "rest": (REST,),
}
GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}

_KINDS: dict[str, str] = {}
for _name, _kinds in {
    SHUFFLE: "ShuffleChannels ChannelShuffle channel_shuffle",
    TRANSPOSE_RESHAPE: "Transpose Reshape Flatten Squeeze Unsqueeze Expand DepthToSpace SpaceToDepth transpose permute "
    "view reshape flatten squeeze unsqueeze _unsafe_view expand t",
    SPLIT_SLICE: "Split VariadicSplit Slice StridedSlice Crop Gather chunk split slice narrow select split_with_sizes",
    CONCAT: "Concat cat concat concatenate",
    PAD: "Pad pad constant_pad_nd",
    REORDER: "Reorder ReorderInput ReorderOutput Convert Cast contiguous clone copy_ to _to_copy",
    ACTIVATION: "Relu Clip Sigmoid HardSigmoid HardSwish Swish Silu Gelu QuickGelu Elu LeakyRelu PRelu Tanh Softplus "
    "Mish Softmax Clamp relu relu_ clamp clamp_ clamp_min_ hardtanh hardtanh_ relu6 silu silu_ gelu sigmoid sigmoid_ "
    "hardsigmoid hardsigmoid_ hardswish hardswish_ leaky_relu leaky_relu_ softmax tanh elu Erf",
    ADD: "Add Sum add add_",
    NORMALISATION: "BatchNormalization LayerNormalization InstanceNormalization GroupNormalization MVN batch_norm "
    "layer_norm group_norm SkipLayerNormalization LRN Normalize",
    ELEMENTWISE: "Mul Sub Div Pow Sqrt Exp Abs Neg Eltwise Subgraph Max Min mul mul_ sub div pow sqrt MulAdd "
    "Math Reciprocal Multiply",
    POOLING: "MaxPool AveragePool AvgPool GlobalAveragePool GlobalMaxPool Pooling ReduceMean Reduce max_pool2d "
    "avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d mean ReduceMax",
    MATMUL: "MatMul Gemm FusedMatMul FusedGemm FullyConnected MatMulInteger QLinearMatMul linear addmm mm matmul bmm",
}.items():
    _KINDS |= dict.fromkeys(_kinds.split(), _name)
_CONVOLUTIONS = (
    "Conv FusedConv NhwcFusedConv ConvTranspose ConvInteger QLinearConv Convolution GroupConvolution Deconvolution "
    "GroupDeconvolution conv1d conv2d conv3d conv_transpose2d convolution"
)
CONVOLUTIONS = tuple(_CONVOLUTIONS.split())
MULTIPLIES = (*CONVOLUTIONS, *(kind for kind, name in _KINDS.items() if name == MATMUL))


def classify(kind: str, weight: tuple[int, ...] = (), group: int = 1, shuffles: bool = False) -> str:
    """Return the class of an operator.

    Args:
        kind: the runtime's word for it.
        weight: of a convolution, ``[out, in / group, *kernel]`` as in the source graph.
        group: of a convolution.
        shuffles: it is part of a channel shuffle (reshape, transpose, reshape) of the source graph.
    """
    if kind in CONVOLUTIONS:
        if group > 1:
            return CONV_DEPTHWISE if len(weight) > 1 and weight[1] == 1 else CONV_GROUPED
        return CONV_POINTWISE if weight and all(side == 1 for side in weight[2:]) else CONV_DENSE
    found = _KINDS.get(kind, REST)
    return SHUFFLE if shuffles and found in (TRANSPOSE_RESHAPE, REORDER) else found
