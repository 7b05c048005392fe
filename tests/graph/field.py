"""Graphs as files from the field have them, each valid, or nearly, and odd in one way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from tests.backends.networks import FLOAT, SAME, given, model, node, value, weight
from tests.backends.quantised import whole


def product(batch: int | str = 2) -> Any:
    """One product of 64 x 64."""
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    return model(nodes, [value("x", batch, 64)], [value("y", batch, 64)], [weight("w", 64, 64)])


def two_convs(inputs: Any, outputs: Any, inside: Any) -> Any:
    nodes = [
        node("Conv", ["x", "w1"], ["a"], "first", **SAME),
        node("Relu", ["a"], ["b"], "relu"),
        node("Conv", ["b", "w2"], ["y"], "second", **SAME),
    ]
    return model(nodes, inputs, outputs, [weight("w1", 4, 3, 3, 3), weight("w2", 4, 4, 3, 3)], inside=inside)


def stale_batch() -> Any:
    """Shapes kept inside the file say batch 1, the input says N."""
    inside = [value("a", 1, 4, 8, 8), value("b", 1, 4, 8, 8)]
    return two_convs([value("x", "N", 3, 8, 8)], [value("y", "N", 4, 8, 8)], inside)


def stale_resolution() -> Any:
    """Shapes kept inside the file say 8 x 8 pixels, the input says H x W."""
    inside = [value("a", 1, 4, 8, 8), value("b", 1, 4, 8, 8)]
    return two_convs([value("x", 1, 3, "H", "W")], [value("y", 1, 4, "H", "W")], inside)


def stale_and_static() -> Any:
    """Everything is static, and what is kept inside is too large."""
    inside = [value("a", 2, 4, 80, 80), value("b", 2, 4, 80, 80)]
    return two_convs([value("x", 1, 3, 8, 8)], [value("y", 3, 4, 80, 80)], inside)


def stale_in_a_branch() -> Any:
    """The stale shape is inside a branch that is always taken."""
    then = helper.make_graph([node("Conv", ["x", "w"], ["a"], "inner", **SAME)], "then", [], [value("a", 1, 4, 8, 8)])
    other = helper.make_graph([node("Conv", ["x", "w"], ["b"], "other")], "else", [], [value("b", 1, 4, 6, 6)])
    nodes = [node("If", ["yes"], ["y"], "if", then_branch=then, else_branch=other)]
    weights = [given("yes", True, np.bool_), weight("w", 4, 3, 3, 3)]
    return model(nodes, [value("x", "N", 3, 8, 8)], [value("y", 1, 4, 8, 8)], weights)


def value_floats() -> Any:
    """A Constant with a list of numbers as its attribute, made a matrix."""
    nodes = [
        node("Constant", [], ["flat"], value_floats=[0.1] * 24),
        node("Constant", [], ["shape"], value_ints=[8, 3]),
        node("Reshape", ["flat", "shape"], ["w"]),
        node("MatMul", ["x", "w"], ["y"], "fc"),
    ]
    return model(nodes, [value("x", 2, 8)], [value("y", 2, 3)])


def in_a_function() -> Any:
    """The weight is a Constant inside a function of the file."""
    inside = [node("Constant", [], ["w"], value=weight("w", 8, 3)), node("MatMul", ["a", "w"], ["b"], "fc")]
    function = helper.make_function("mine", "Layer", ["a"], ["b"], inside, [helper.make_opsetid("", 17)])
    made = model([node("Layer", ["x"], ["y"], "layer", domain="mine")], [value("x", 2, 8)], [value("y", 2, 3)])
    made.functions.append(function)
    return made


def qdq_conv() -> Any:
    """A quantised convolution in QDQ form: scales and zero points, an int32 bias, and a Clip with stored bounds."""
    weights = [whole("w", 8, 3, 3, 3), given("ws", [0.01] * 8), given("wz", [0] * 8, np.int8)]
    weights += [given("b", [5] * 8, np.int32), given("bs", [0.001] * 8), given("bz", [0] * 8, np.int32)]
    weights += [given("xs", 0.02), given("xz", 128, np.uint8), given("low", 0), given("high", 6)]
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        node("DequantizeLinear", ["q", "xs", "xz"], ["d"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["dw"], axis=0),
        node("DequantizeLinear", ["b", "bs", "bz"], ["db"], axis=0),
        node("Conv", ["d", "dw", "db"], ["c"], "conv", **SAME),
        node("Clip", ["c", "low", "high"], ["y"], "clip"),
    ]
    return model(nodes, [value("x", 1, 3, 16, 16)], [value("y", 1, 8, 16, 16)], weights)


def empty_cache() -> Any:
    """One step of attention with a cache whose length P may be 0."""
    nodes = [
        node("MatMul", ["q", "wq"], ["qq"], "query"),
        node("MatMul", ["q", "wk"], ["k"], "key"),
        node("Concat", ["past", "k"], ["present"], axis=1),
        node("Transpose", ["present"], ["kt"], perm=[0, 2, 1]),
        node("MatMul", ["qq", "kt"], ["y"], "scores"),
    ]
    ins, outs = [value("q", 1, "S", 16), value("past", 1, "P", 16)], [value("y", 1, "S", "L")]
    return model(nodes, ins, [*outs, value("present", 1, "L", 16)], [weight("wq", 16, 16), weight("wk", 16, 16)])


def unsorted_nodes() -> Any:
    """A node stands before the one whose result it takes."""
    nodes = [node("Relu", ["a"], ["y"], "too_early"), node("MatMul", ["x", "w"], ["a"], "fc")]
    return model(nodes, [value("x", 2, 16)], [value("y", 2, 8)], [weight("w", 16, 8)])


def sequence(lengths: Sequence[int] = ()) -> Any:
    """The output is a sequence, of tensors of different lengths if so given."""
    cut = [given("lengths", lengths, np.int64)] if lengths else []
    nodes = [node("MatMul", ["x", "w"], ["a"], "fc")]
    nodes += [node("SplitToSequence", ["a", *(t.name for t in cut)], ["y"], axis=0)]
    end = helper.make_tensor_sequence_value_info("y", FLOAT, None)
    return model(nodes, [value("x", 4, 64)], [end], [weight("w", 64, 32), *cut])


def open_by_minus_one() -> Any:
    """Open axes are -1, as converters write them."""
    return two_convs([value("x", -1, 3, -1, -1)], [value("y", -1, 4, -1, -1)], [value("a", -1, 4, -1, -1)])


def pooled(op: str, opset: int, side: int, kernel: int, stride: int, pad: int) -> Any:
    """Pooling whose number of windows is rounded up, and a convolution behind it."""
    pads = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "ceil_mode": 1}
    nodes = [node(op, ["x"], ["p"], "pool", **pads), node("Conv", ["p", "w"], ["y"], "conv")]
    return model(nodes, [value("x", 1, 3, side, side)], [value("y", 1, 4, "H", "W")], [weight("w", 4, 3, 1, 1)], opset)


def four_bits(kind: int = TensorProto.INT4) -> Any:
    packed = helper.make_tensor("w", kind, [64, 32], np.zeros(2048, np.int8))
    nodes = [node("DequantizeLinear", ["w", "s"], ["d"], axis=1), node("MatMul", ["x", "d"], ["y"], "fc")]
    made = model(nodes, [value("x", 1, 64)], [value("y", 1, 32)], [packed, given("s", [0.1] * 32)])
    made.opset_import[0].version = 21
    return made
