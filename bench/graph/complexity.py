"""Multiply-accumulates of an ONNX graph, node by node.

Counted from shapes alone, by definition: a convolution costs every output element times the weights of one filter,
a transposed convolution every input element times the weights it is spread by, a matrix product every output element
times the shared length. Additions of a bias, activations and normalisations are no MACs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from bench.graph.attention import ATTENTION, attention_macs
from bench.graph.classes import CLASSES, Attributes, OpClass, channels_second
from bench.graph.nodes import STANDARD, attributes_of, everywhere, subgraphs
from bench.graph.reading import OnnxModel, OnnxNode, Reading, Shape, infer, read_graph

# Position of the data and of the weight among the inputs.
CONVOLUTIONS = {"Conv": (0, 1), "ConvInteger": (0, 1), "QLinearConv": (0, 3), "NhwcConv": (0, 1)}
PRODUCTS = {
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearMatMul": (0, 3),
    "QGemm": (0, 3),
    "DynamicQuantizeMatMul": (0, 1),
    "MatMulIntegerToFloat": (0, 1),
    "MatMulInteger16": (0, 1),
}
# Operators of ONNX Runtime that compute what one of the above does, and an activation.
FUSED = {
    "FusedConv": "Conv",
    "NhwcFusedConv": "NhwcConv",
    "FusedGemm": "Gemm",
    "GemmFloat8": "Gemm",
    "FusedMatMul": "MatMul",
    "TransposeMatMul": "MatMul",
    "FusedMatMulActivation": "MatMul",
}
# Operators that multiply and accumulate in a way that has no closed form here, or one that not all of them fit
# (`bench.graph.attention`): those are named, never skipped silently.
UNCOUNTED = frozenset(
    (
        *("LSTM", "GRU", "RNN", "Attention", "MultiHeadAttention", "GroupQueryAttention", "LinearAttention"),
        *("DeformConv", "MatMulNBits", "CausalConvWithState", "If", "Loop", "Scan", "DFT", "STFT", "Det"),
        *("MatMulBnb4", "QAttention", "PackedAttention", "PackedMultiHeadAttention", "SequenceMap"),
    )
)
CONTROL = frozenset(("If", "Loop", "Scan", "SequenceMap"))  # what is inside may run never, once or often
# Operators of ONNX without MACs whose class says nothing of them (`bench.graph.classes`).
FREE = frozenset(
    (
        *("AffineGrid", "BlackmanWindow", "Bernoulli", "Gradient", "GridSample"),
        *("HammingWindow", "HannWindow", "ImageDecoder", "MelWeightMatrix", "Multinomial"),
        *("NegativeLogLikelihoodLoss", "NonMaxSuppression", "NonZero", "Optional", "OptionalGetElement"),
        *("OptionalHasElement", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
        *("RegexFullMatch", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert"),
        *("SequenceLength", "SoftmaxCrossEntropyLoss", "StringConcat", "StringNormalizer", "StringSplit"),
        *("TfIdfVectorizer", "TopK", "Unique"),
    )
)

FREE_OF_RUNTIME = frozenset(
    (
        *("BiasDropout", "BitmaskDropout", "BitmaskBiasDropout", "ExpandDims", "GatherBlockQuantized", "IsAllFinite"),
        *("RemovePadding", "RestorePadding", "QuantizeWithOrder", "DequantizeWithOrder", "QEmbedLayerNormalization"),
        *("ReduceSumInteger", "MulInteger"),
    )
)


@dataclass(frozen=True, slots=True)
class MacNode:
    """A node that multiplies and accumulates.

    `weight` is the shape of its second operand as stored, empty where a product has two activations (attention);
    `group` is the number of groups of a convolution.
    """

    name: str
    op: str
    macs: int
    weight: Shape
    group: int = 1


@dataclass(frozen=True, slots=True)
class Complexity:
    """MACs of a graph: the nodes that have any, and the names of operators that could not be counted."""

    nodes: tuple[MacNode, ...]
    uncounted: tuple[str, ...]

    @property
    def macs(self) -> int:
        """Sum over all counted nodes."""
        return sum(node.macs for node in self.nodes)


def count(model: OnnxModel, inferred: OnnxModel | None = None) -> Complexity:
    """Count the MACs of an ONNX model with static shapes; `inferred` is what `infer` made of it, if that is at hand.

    A node whose inputs are all constant is not counted: every runtime computes it once, when it loads.
    A node whose shapes cannot be inferred is listed as uncounted, and so is one of a domain that is not known.
    """
    reading = read_graph(inferred or infer(model))
    nodes: list[MacNode] = []
    uncounted: set[str] = set()
    for node in reading.nodes:
        try:
            found = count_node(node, reading)
        except Unknown:
            uncounted.add(node.op_type)
            continue
        if found is not None:
            nodes.append(found)
    return Complexity(tuple(nodes), tuple(sorted(uncounted)))


class Unknown(Exception):
    """A node's MACs cannot be told from the graph."""


def count_node(node: OnnxNode, reading: Reading) -> MacNode | None:
    """Count one node; None where it has no MACs by definition.

    Raises:
        Unknown: the operator may have MACs that are not counted, or its shapes are not known.
    """
    if not (node.domain in STANDARD or node.domain.startswith("com.microsoft")):
        raise Unknown(node.op_type)
    try:
        return _count(node, FUSED.get(node.op_type, node.op_type), reading)
    except (KeyError, IndexError, ValueError) as error:
        raise Unknown(node.op_type) from error


def _count(node: OnnxNode, op: str, reading: Reading) -> MacNode | None:
    shapes, name = reading.shapes, node.name or node.output[0]
    attributes = attributes_of(node)
    group = int(attributes.get("group", 1))
    if op in CONVOLUTIONS:
        weight = shapes[node.input[CONVOLUTIONS[op][1]]]
        if op == "NhwcConv" == node.op_type:
            weight = channels_second(weight, shapes[node.input[0]], group)
        return MacNode(name, op, prod(shapes[node.output[0]]) * prod(weight[1:]), weight, group)
    if op == "ConvTranspose":
        weight = shapes[node.input[1]]
        return MacNode(name, op, prod(shapes[node.input[0]]) * prod(weight[1:]), weight, group)
    if op in PRODUCTS:
        left, right = (shapes[node.input[i]] for i in PRODUCTS[op])
        stored = any(node.input[i] in reading.constants for i in PRODUCTS[op])
        shared = left[_shared_axis(attributes, len(left))]
        return MacNode(name, op, prod(shapes[node.output[0]]) * shared, right if stored else ())
    if op == "Gemm":
        left, right = shapes[node.input[0]], shapes[node.input[1]]
        return MacNode(name, op, prod(shapes[node.output[0]]) * left[0 if attributes.get("transA") else 1], right)
    if op == "Einsum" and len(node.input) == 1:  # a sum, a diagonal, a transpose
        return None
    if op == "Einsum":
        return MacNode(name, op, einsum_macs(attributes["equation"], [shapes[i] for i in node.input]), ())
    if op in PACKED:  # weights of a few bits, whose stored shape says nothing
        k, n = int(attributes["K"]), int(attributes["N"])
        return MacNode(name, op, prod(shapes[node.input[0]]) * n, (n, k))
    if op in ATTENTION:
        return MacNode(name, op, attention_macs(node, attributes, shapes), ())
    inside = [one for graph in subgraphs(node) for one in everywhere(graph.node)]
    if not all(_is_free(one) or one.op_type in CONTROL for one in inside or [node]):
        raise Unknown(op)
    return None


def _is_free(node: OnnxNode) -> bool:
    """Tell whether an operator has no MACs, whatever its shapes are."""
    if node.op_type in UNCOUNTED:
        return False
    if not (node.domain in STANDARD or node.domain.startswith("com.microsoft")):
        return False
    if node.op_type in CLASSES:
        return CLASSES[node.op_type] not in (OpClass.MATMUL, OpClass.TRANSPOSED)
    return node.op_type in (FREE if node.domain in STANDARD else FREE_OF_RUNTIME)


# Products with weights of a few bits; K and N are attributes.
PACKED = ("MatMulNBits", "MatMulBnb4")


def _shared_axis(attributes: Attributes, rank: int) -> int:
    """Say which axis of a product's left operand is summed over; ``FusedMatMul`` may have it transposed."""
    if attributes.get("transBatchA"):
        return 0 if attributes.get("transA") else -1
    return -2 if attributes.get("transA") and rank > 1 else -1


def einsum_macs(equation: str, operands: list[Shape]) -> int:
    """Count the MACs of an ``Einsum`` of two operands: the product of the lengths of all its indices.

    An index of one operand alone that the output does not have is summed over first, as PyTorch does, and costs none.

    Raises:
        ValueError: there are more than two operands (the cost depends on the order), or the equation does not fit.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(operands) != 2 or len(terms) != 2:
        raise ValueError("not two operands")
    lengths: dict[str, int] = {}
    spelled = []
    for term, shape in zip(terms, operands, strict=True):
        letters = [c for c in term.replace("...", "") if c]
        rest = len(shape) - len(letters)
        # Axes under an ellipsis are named by their distance from its end: they broadcast from the right.
        ellipsis = [f"...{i}" for i in range(rest, 0, -1)] if "..." in term else []
        cut = len(term.partition("...")[0])
        names = letters[:cut] + ellipsis + letters[cut:]
        for index, length in zip(names, shape, strict=True):
            lengths[index] = max(length, lengths.get(index, 1))
        spelled.append(set(names))
    shared = spelled[0] & spelled[1]
    if arrow:
        kept = {i for i in lengths if (i.startswith("...") and "..." in right) or i in right}
    else:
        kept = {i for i in lengths if i.startswith("...") or left.count(i) == 1}
    return prod(n for index, n in lengths.items() if index in shared | kept)
