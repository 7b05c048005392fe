"""Small ONNX networks that are odd in one way each, and valid; every function says in its docstring what is odd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

node = helper.make_node
SAME = {"pads": [1, 1, 1, 1]}
FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def value(name: str, *shape: object, kind: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def given(name: str, numbers: Any, dtype: Any = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.array(numbers, dtype), name)


def weight(name: str, *shape: int, dtype: Any = np.float32, scale: float = 0.1) -> TensorProto:
    return given(name, np.random.default_rng([*name.encode(), *shape]).standard_normal(shape) * scale, dtype)


def whole(name: str, *shape: int, least: int = -127) -> TensorProto:
    return given(name, np.random.default_rng([*name.encode(), *shape]).integers(least, 128, shape), np.int8)


def model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    weights: Sequence[Any] = (),
    opset: int = 17,
    inside: Sequence[Any] = (),
) -> ModelProto:
    """Make a model; `inside` are shapes of inner tensors that the file keeps."""
    domains = sorted({n.domain for n in nodes if n.domain})
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(weights), value_info=list(inside))
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def dense(last: str, name: str, a: int, b: int, out: str) -> tuple[list[NodeProto], list[TensorProto]]:
    nodes = [node("MatMul", [last, f"{name}_w"], [f"{name}_m"], name), node("Add", [f"{name}_m", f"{name}_b"], [out])]
    return nodes, [weight(f"{name}_w", a, b), weight(f"{name}_b", b)]


def mnist_mlp() -> ModelProto:
    """784-128-64-10: OpenVINO computes the last layers inside one Subgraph."""
    nodes, weights, last = [], [], "x"
    for i, (a, b) in enumerate(((784, 128), (128, 64), (64, 10))):
        more, held = dense(last, f"fc{i}", a, b, f"s{i}")
        nodes += [*more, node("Relu", [f"s{i}"], [f"r{i}"])]
        weights += held
        last = f"r{i}"
    return model(nodes[:-1], [value("x", 1, 784)], [value("s2", 1, 10)], weights)


def gemm_mlp() -> ModelProto:
    """The same of Gemm with transposed weights, at batch 2."""
    nodes, weights, last = [], [], "x"
    for i, (a, b) in enumerate(((784, 128), (128, 64), (64, 10))):
        weights += [weight(f"w{i}", b, a), weight(f"b{i}", b)]
        nodes += [
            node("Gemm", [last, f"w{i}", f"b{i}"], [f"s{i}"], f"fc{i}", transB=1),
            node("Relu", [f"s{i}"], [f"r{i}"]),
        ]
        last = f"r{i}"
    return model(nodes[:-1], [value("x", 2, 784)], [value("s2", 2, 10)], weights)


def strided_1x1() -> ModelProto:
    """A 1x1 convolution of stride 2 after a 3x3: OpenVINO moves the stride forward and does a quarter of the 3x3."""
    nodes = [
        node("Conv", ["x", "w1"], ["a"], "full", **SAME),
        node("Relu", ["a"], ["r"], "relu"),
        node("Conv", ["r", "w2"], ["y"], "down", strides=[2, 2]),
    ]
    weights = [weight("w1", 16, 16, 3, 3), weight("w2", 32, 16, 1, 1)]
    return model(nodes, [value("x", 1, 16, 32, 32)], [value("y", 1, 32, 16, 16)], weights)


def blocks_and_none() -> ModelProto:
    """Depthwise convolutions of 6 channels, which ONNX Runtime leaves as they are, and of 8, which become a block."""
    nodes = [
        node("Conv", ["x", "a_w"], ["a"]),
        node("Conv", ["a", "b_w"], ["b"], group=6, **SAME),
        node("Conv", ["b", "c_w"], ["c"], strides=[2, 2]),
        node("Conv", ["c", "d_w"], ["d"], group=8, **SAME),
        node("Conv", ["d", "e_w"], ["y"]),
    ]
    weights = [weight("a_w", 6, 3, 1, 1), weight("b_w", 6, 1, 3, 3), weight("c_w", 8, 6, 1, 1)]
    weights += [weight("d_w", 8, 1, 3, 3), weight("e_w", 16, 8, 1, 1)]
    return model(nodes, [value("x", 1, 3, 32, 32)], [value("y", 1, 16, 16, 16)], weights)


def dead_conv() -> ModelProto:
    """A convolution that no output needs."""
    nodes = [
        node("Conv", ["x", "w1"], ["a"], "needed", **SAME),
        node("Conv", ["a", "w2"], ["left"], "dead", **SAME),
        node("Relu", ["a"], ["y"], "relu"),
    ]
    weights = [weight("w1", 8, 3, 3, 3), weight("w2", 32, 8, 3, 3)]
    return model(nodes, [value("x", 1, 3, 16, 16)], [value("y", 1, 8, 16, 16)], weights)


def dynamic_int8_mlp() -> ModelProto:
    """DynamicQuantizeLinear and MatMulInteger, 64-64-32 at batch 4, which ONNX Runtime fuses."""
    nodes, weights, last = [], [], "x"
    for i, (a, b) in enumerate(((64, 64), (64, 32))):
        weights += [whole(f"w{i}", a, b), given(f"ws{i}", 0.001), given(f"wz{i}", 0, np.int8), weight(f"b{i}", b)]
        nodes += [
            node("DynamicQuantizeLinear", [last], [f"q{i}", f"s{i}", f"z{i}"]),
            node("MatMulInteger", [f"q{i}", f"w{i}", f"z{i}", f"wz{i}"], [f"i{i}"], f"fc{i}"),
            node("Cast", [f"i{i}"], [f"f{i}"], to=FLOAT),
            node("Mul", [f"s{i}", f"ws{i}"], [f"t{i}"]),
            node("Mul", [f"f{i}", f"t{i}"], [f"d{i}"]),
            node("Add", [f"d{i}", f"b{i}"], [f"a{i}"]),
            node("Relu", [f"a{i}"], [f"r{i}"]),
        ]
        last = f"r{i}"
    return model(nodes, [value("x", 4, 64)], [value("r1", 4, 32)], weights)


def static_qgemm() -> ModelProto:
    """QGemm of the com.microsoft domain, 64-64-32 at batch 4."""
    nodes = [node("QuantizeLinear", ["x", "s0", "z0"], ["q0"])]
    weights = []
    for i, (scale, zero) in enumerate(((0.03, 128), (0.02, 0), (0.05, 128))):
        weights += [given(f"s{i}", scale), given(f"z{i}", zero, np.uint8)]
    for i, (a, b) in enumerate(((64, 64), (64, 32))):
        weights += [whole(f"w{i}", b, a), given(f"ws{i}", 0.001), given(f"wz{i}", 0, np.int8)]
        weights.append(given(f"b{i}", range(b), np.int32))
        ins = [f"q{i}", f"s{i}", f"z{i}", f"w{i}", f"ws{i}", f"wz{i}", f"b{i}", f"s{i + 1}", f"z{i + 1}"]
        nodes.append(node("QGemm", ins, [f"q{i + 1}"], f"fc{i}", domain="com.microsoft", transB=1))
    nodes.append(node("DequantizeLinear", ["q2", "s2", "z2"], ["y"]))
    return model(nodes, [value("x", 4, 64)], [value("y", 4, 32)], weights)


def quantised_convs(signed: bool = False) -> ModelProto:
    """3x3, depthwise and 1x1 convolutions and a product between QuantizeLinear and DequantizeLinear: a QDQ file."""
    kind, zero = (np.int8, 0) if signed else (np.uint8, 128)
    nodes: list[NodeProto] = []
    weights = [given("scale", 0.05), given("zero", zero, kind), given("ws", 0.002), given("wz", 0, np.int8)]

    def activation(name: str) -> str:
        nodes.append(node("QuantizeLinear", [name, "scale", "zero"], [f"{name}_q"]))
        nodes.append(node("DequantizeLinear", [f"{name}_q", "scale", "zero"], [f"{name}_d"]))
        return f"{name}_d"

    def stored(name: str, *shape: int) -> str:
        weights.append(whole(name, *shape))
        nodes.append(node("DequantizeLinear", [name, "ws", "wz"], [f"{name}_d"]))
        return f"{name}_d"

    last = activation("x")
    layers = (("full", (32, 16, 3, 3), 1), ("depthwise", (32, 1, 3, 3), 32), ("point", (64, 32, 1, 1), 1))
    for name, shape, group in layers:
        pads = SAME if shape[-1] == 3 else {}
        nodes.append(node("Conv", [last, stored(f"{name}_w", *shape)], [name], name, group=group, **pads))
        last = activation(name)
    nodes.append(node("GlobalAveragePool", [last], ["pooled"]))
    nodes.append(node("Flatten", [activation("pooled")], ["flat"]))
    nodes.append(node("MatMul", [activation("flat"), stored("fc_w", 64, 10)], ["fc"], "fc"))
    nodes.append(node("Identity", [activation("fc")], ["y"]))
    return model(nodes, [value("x", 1, 16, 16, 16)], [value("y", 1, 10)], weights)


def quantised_convs_signed() -> ModelProto:
    """The same with signed activations, which OpenVINO computes in fp32."""
    return quantised_convs(signed=True)


def quantised_chain() -> ModelProto:
    """Products of unsigned activations, one after the other, without a bias: OpenVINO 2026.4 computes them wrongly."""
    nodes, weights, last = [], [given("s", 0.05), given("z", 128, np.uint8), given("ws", 0.002)], "x"
    weights.append(given("wz", 0, np.int8))
    for i in range(4):
        nodes.append(node("QuantizeLinear", [last, "s", "z"], [f"q{i}"]))
        nodes.append(node("DequantizeLinear", [f"q{i}", "s", "z"], [f"d{i}"]))
        last = f"d{i}"
        if i < 3:
            weights.append(whole(f"w{i}", 64, 64))
            nodes.append(node("DequantizeLinear", [f"w{i}", "ws", "wz"], [f"wd{i}"]))
            nodes.append(node("MatMul", [last, f"wd{i}"], [f"m{i}"], f"fc{i}"))
            last = f"m{i}"
    return model(nodes, [value("x", 4, 64)], [value("d3", 4, 64)], weights)


def weight_only_int8() -> ModelProto:
    """int8 weights, each through DequantizeLinear before its MatMul: the activations are fp32."""
    nodes, weights, last = [], [], "x"
    for i in range(3):
        weights += [whole(f"w{i}", 1024, 1024), given(f"s{i}", [4e-4] * 1024), given(f"z{i}", [0] * 1024, np.int8)]
        nodes += [
            node("DequantizeLinear", [f"w{i}", f"s{i}", f"z{i}"], [f"d{i}"], axis=1),
            node("MatMul", [last, f"d{i}"], [f"m{i}"], f"fc{i}"),
        ]
        last = f"m{i}"
    return model(nodes, [value("x", 1, 1024)], [value("m2", 1, 1024)], weights)


def weight_only_conv() -> ModelProto:
    """The same of convolutions."""
    nodes, weights, last = [], [given("s", 1e-3), given("z", 0, np.int8)], "x"
    for i in range(2):
        weights.append(whole(f"w{i}", 32, 32, 3, 3))
        nodes += [
            node("DequantizeLinear", [f"w{i}", "s", "z"], [f"d{i}"]),
            node("Conv", [last, f"d{i}"], [f"c{i}"], f"conv{i}", **SAME),
        ]
        last = f"c{i}"
    return model(nodes, [value("x", 1, 32, 16, 16)], [value("c1", 1, 32, 16, 16)], weights)


def held(dtype: Any, kind: int) -> ModelProto:
    """Weights in Constant nodes, none in the initializer list."""
    tensors = [weight("w", 8, 3, 3, 3, dtype=dtype), weight("b", 8, dtype=dtype)]
    nodes = [*(node("Constant", [], [t.name], value=t) for t in tensors)]
    nodes += [node("Conv", ["x", "w", "b"], ["y"], "conv", **SAME)]
    return model(nodes, [value("x", 1, 3, 16, 16, kind=kind)], [value("y", 1, 8, 16, 16, kind=kind)])


def constant_weights() -> ModelProto:
    """In fp32."""
    return held(np.float32, FLOAT)


def constant_weights_fp16() -> ModelProto:
    """In fp16."""
    return held(np.float16, HALF)


def pass_through(through: str = "") -> ModelProto:
    """The input `state` is an output too, untouched or through an operator that changes nothing."""
    nodes, out = [node("MatMul", ["x", "w"], ["y"], "fc")], "state"
    if through:
        nodes, out = [*nodes, node(through, ["state"], ["passed"])], "passed"
    ins, outs = [value("x", 2, 16), value("state", 2, 4)], [value("y", 2, 8), value(out, 2, 4)]
    return model(nodes, ins, outs, [weight("w", 16, 8)])


def pass_through_and_used() -> ModelProto:
    """The same of an input that is computed with, too."""
    made = pass_through("Identity")
    made.graph.node.append(node("Relu", ["state"], ["used"]))
    made.graph.output.append(value("used", 2, 4))
    return made


def integer_output() -> ModelProto:
    """Outputs of whole numbers and of truth, and a constant one."""
    nodes = [
        node("MatMul", ["x", "w"], ["m"], "fc"),
        node("ArgMax", ["m"], ["best"], axis=1, keepdims=0),
        node("Greater", ["m", "limit"], ["above"]),
        node("Identity", ["table"], ["labels"]),
    ]
    outs = [value("best", 4, kind=TensorProto.INT64), value("above", 4, 8, kind=TensorProto.BOOL), value("labels", 3)]
    return model(nodes, [value("x", 4, 16)], outs, [weight("w", 16, 8), given("limit", 0.0), given("table", [1, 2, 3])])


def random_normal() -> ModelProto:
    """Adds noise, so that no two inferences agree."""
    nodes = [
        node("Conv", ["x", "w"], ["a"], "conv", **SAME),
        node("RandomNormalLike", ["a"], ["n"], "noise"),
        node("Add", ["a", "n"], ["y"]),
    ]
    return model(nodes, [value("x", 1, 3, 8, 8)], [value("y", 1, 4, 8, 8)], [weight("w", 4, 3, 3, 3)])


def transformer(layers: int = 2, length: int = 16, width: int = 64, heads: int = 4) -> ModelProto:
    """Token numbers in, two layers of attention and two products each, written out in operators."""
    nodes: list[NodeProto] = [node("Gather", ["table", "tokens"], ["h0"], "embedding")]
    size = width // heads
    weights = [weight("table", 100, width, scale=1.0), given("split", [1, length, heads, size], np.int64)]
    weights += [given("joined", [1, length, width], np.int64), given("root", size**0.5)]
    weights += [given("one", [1.0] * width), given("none", [0.0] * width)]
    last = "h0"
    for i in range(layers):
        p = f"l{i}_"
        nodes.append(node("LayerNormalization", [last, "one", "none"], [p + "n1"]))
        for name, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
            more, held = dense(p + "n1", p + name, width, width, p + name + "s")
            weights += held
            nodes += [*more, node("Reshape", [p + name + "s", "split"], [p + name + "r"])]
            nodes.append(node("Transpose", [p + name + "r"], [p + name + "t"], perm=perm))
        more, held = dense(p + "c", p + "proj", width, width, p + "projected")
        weights += held
        nodes += [
            node("MatMul", [p + "qt", p + "kt"], [p + "raw"], p + "scores"),
            node("Div", [p + "raw", "root"], [p + "scaled"]),
            node("Softmax", [p + "scaled"], [p + "p"], axis=-1),
            node("MatMul", [p + "p", p + "vt"], [p + "a"], p + "mixed"),
            node("Transpose", [p + "a"], [p + "at"], perm=[0, 2, 1, 3]),
            node("Reshape", [p + "at", "joined"], [p + "c"]),
            *more,
            node("Add", [last, p + "projected"], [p + "r1"]),
            node("LayerNormalization", [p + "r1", "one", "none"], [p + "n2"]),
        ]
        up, held = dense(p + "n2", p + "up", width, 4 * width, p + "wide")
        down, more_held = dense(p + "g", p + "down", 4 * width, width, p + "narrow")
        weights += [*held, *more_held]
        nodes += [
            *up,
            node("Relu", [p + "wide"], [p + "g"]),
            *down,
            node("Add", [p + "r1", p + "narrow"], [f"h{i + 1}"]),
        ]
        last = f"h{i + 1}"
    more, held = dense(last, "head", width, 10, "y")
    ins, outs = [value("tokens", 1, length, kind=TensorProto.INT64)], [value("y", 1, length, 10)]
    return model([*nodes, *more], ins, outs, [*weights, *held])


TRANSFORMER_MACS = 2 * (16 * 64 * 64 * 4 + 2 * 16 * 16 * 64 + 2 * 16 * 64 * 256) + 16 * 64 * 10


def inside(last: str) -> list[NodeProto]:
    """Nodes without names for a graph inside an operator: a product of 64 x 64 of what it takes from outside, Relu."""
    return [node("MatMul", [last, "inner"], ["p"]), node("Relu", ["p"], ["r"])]


def around(middle: NodeProto, more: Sequence[TensorProto]) -> ModelProto:
    """A node with a graph inside, between two products without names."""
    nodes = [node("MatMul", ["x", "before"], ["a"]), middle, node("MatMul", ["b", "after"], ["y"])]
    stored = [weight("before", 64, 64), weight("inner", 64, 64), weight("after", 64, 10), *more]
    return model(nodes, [value("x", 4, 64)], [value("y", 4, 10)], stored)


def branching() -> ModelProto:
    """A branch that depends on the data."""
    taken = helper.make_graph(inside("a"), "then", [], [value("r", 4, 64)])
    other = helper.make_graph([node("Identity", ["a"], ["i"])], "else", [], [value("i", 4, 64)])
    made = around(node("If", ["yes"], ["b"], "if", then_branch=taken, else_branch=other), [given("low", -1e9)])
    made.graph.node.insert(1, node("ReduceSum", ["a"], ["sum"], keepdims=0))
    made.graph.node.insert(2, node("Greater", ["sum", "low"], ["yes"]))
    return made


def looping() -> ModelProto:
    """Three trips of a loop."""
    ins = [value("i", kind=TensorProto.INT64), value("more", kind=TensorProto.BOOL), value("z", 4, 64)]
    again = node("Identity", ["more"], ["again"])
    body = helper.make_graph(
        [again, *inside("z")], "body", ins, [value("again", kind=TensorProto.BOOL), value("r", 4, 64)]
    )
    more = [given("trips", 3, np.int64), given("yes", True, np.bool_)]
    return around(node("Loop", ["trips", "yes", "a"], ["b"], "loop", body=body), more)


def unused_input() -> ModelProto:
    """An input that no node takes, before one that some do."""
    nodes = [node("MatMul", ["x", "w"], ["y"], "fc")]
    return model(nodes, [value("mask", 2, 4), value("x", 2, 16)], [value("y", 2, 8)], [weight("w", 16, 8)])


def detections(least: float = 0.0) -> ModelProto:
    """Boxes that survive NonMaxSuppression: how many there are depends on the data, and none does of a high score."""
    nodes = [
        node("MatMul", ["x", "w"], ["boxes"], "boxes"),
        node("MatMul", ["x", "v"], ["s"], "scores"),
        node("Transpose", ["s"], ["score"], perm=[0, 2, 1]),
        node("NonMaxSuppression", ["boxes", "score", "most", "overlap", "least"], ["y"], "suppress"),
    ]
    weights = [weight("w", 16, 4, scale=1.0), weight("v", 16, 1, scale=1.0), given("most", 10, np.int64)]
    weights += [given("overlap", 0.5), given("least", least)]
    return model(nodes, [value("x", 1, 24, 16)], [value("y", "found", 3, kind=TensorProto.INT64)], weights)


def large_and_small() -> ModelProto:
    """Two outputs, one a million times the other."""
    nodes = [
        node("MatMul", ["x", "w"], ["small"], "fc"),
        node("MatMul", ["x", "v"], ["large"], "map"),
    ]
    outs = [value("small", 2, 8), value("large", 2, 64)]
    return model(nodes, [value("x", 2, 16)], outs, [weight("w", 16, 8), weight("v", 16, 64, scale=1e6)])
