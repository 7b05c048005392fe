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
