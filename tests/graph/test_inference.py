"""Shapes where the file has none, or false ones, and what is computed of constants."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from bench.api import inspect
from bench.graph.complexity import Complexity, count
from bench.graph.counts import count_graph
from bench.graph.reading import infer, read_graph
from bench.graph.weights import parameters_of, precision_of
from tests.graph.made import MICROSOFT, given, loop, model, node, value, weight, write


def computed_shape(rounds: int = 1) -> Any:
    """A flattening as older exporters write it with dynamic axes, so many times, each before a product of 8 x 8."""
    nodes, weights, last = [], [given("one", [1]), given("eight", [8]), given("zero", 0), weight("w", 8, 8)], "x"
    for i in range(rounds):
        nodes += [
            node("Shape", [last], [f"shape{i}"]),
            node("Gather", [f"shape{i}", "zero"], [f"n{i}"], axis=0),
            node("Unsqueeze", [f"n{i}", "start"], [f"rows{i}"]),
            node("Mul", [f"rows{i}", "one"], [f"many{i}"]),
            node("Concat", [f"many{i}", "eight"], [f"to{i}"], axis=0),
            node("Reshape", [last, f"to{i}"], [f"flat{i}"]),
            node("MatMul", [f"flat{i}", "w"], [f"y{i}"], f"fc{i}"),
        ]
        last = f"y{i}"
    return model(nodes, [value("x", 4, 8)], [last], [*weights, given("start", [0])])


def test_a_computed_shape_is_computed() -> None:
    assert count(computed_shape(5)) == Complexity(count(computed_shape(5)).nodes, ())
    assert count(computed_shape(5)).macs == 5 * 4 * 64


def test_computed_slices_and_expansions() -> None:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "second"], ["c"], axis=0),
        node("Div", ["c", "two"], ["half"]),
        node("Unsqueeze", ["half", "zero"], ["end"]),
        node("Slice", ["x", "zero", "end", "axis"], ["left"]),
        node("Concat", ["batch", "end"], ["to"], axis=0),
        node("Expand", ["left", "to"], ["wide"]),
        node("MatMul", ["wide", "w"], ["y"], "fc"),
    ]
    weights = [given("second", 1), given("two", 2), given("zero", [0]), given("axis", [1]), given("batch", [3])]
    found = count(model(nodes, [value("x", 1, 8)], ["y"], [*weights, weight("w", 4, 5)]))
    assert (found.macs, found.uncounted) == (3 * 4 * 5, ())


def test_shapes_in_small_external_tensors(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["x", "to"], ["r"]), node("MatMul", ["r", "w"], ["y"], "fc")]
    made = model(nodes, [value("x", 2, 8)], ["y"], [given("to", [4, 4]), weight("w", 4, 100)])
    path = write(made, tmp_path / "net.onnx", 2, save_as_external_data=True, location="data", size_threshold=0)
    assert inspect(path).macs == 1600  # ONNX Runtime wants them inside


def squeezed() -> Any:
    """``x.squeeze(3).squeeze(2)`` as the older exporter writes it with dynamic axes: an If on a computed length."""
    nodes: list[Any] = [node("GlobalAveragePool", ["x"], ["p0"], "pool")]
    for i, axis in enumerate((3, 2)):
        then = helper.make_graph(
            [node("Squeeze", [f"p{i}", f"axis{i}"], ["inner"], "squeeze")],
            "then",
            [],
            [helper.make_empty_tensor_value_info("inner")],
        )
        keep = helper.make_graph(
            [node("Identity", [f"p{i}"], ["inner"], "keep")], "else", [], [helper.make_empty_tensor_value_info("inner")]
        )
        nodes += [
            node("Shape", [f"p{i}"], [f"s{i}"]),
            node("Gather", [f"s{i}", f"axis{i}"], [f"n{i}"], axis=0),
            node("Equal", [f"n{i}", "one"], [f"is{i}"]),
            node("If", [f"is{i}"], [f"p{i + 1}"], f"if{i}", then_branch=then, else_branch=keep),
        ]
        del axis
    nodes += [node("Gemm", ["p2", "w"], ["y"], "classifier")]
    weights = [given("axis0", [3]), given("axis1", [2]), given("one", [1]), weight("w", 8, 10)]
    return model(nodes, [value("x", 2, 8, 7, 7)], ["y"], weights)


def test_a_branch_that_is_always_taken_is_counted() -> None:
    found = count(squeezed())
    assert (found.macs, found.uncounted) == (2 * 8 * 10, ())
    assert [n.op_type for n in read_graph(infer(squeezed())).nodes] == [
        "GlobalAveragePool",
        "Squeeze",
        "Squeeze",
        "Gemm",
    ]


def test_what_a_loop_captures_makes_it_no_constant() -> None:
    product = loop(3, [node("MatMul", ["x", "w"], ["z"], "inner")], [], "z")
    assert count(product).uncounted == ("Loop",)
    assert count_graph(infer(product)).without_macs == ("Loop",)
    assert parameters_of(read_graph(infer(product))) == 64
    free = loop(3, [node("Relu", ["x"], ["z"], "inner")], [], "z")
    assert count(free).uncounted == ()


def test_an_if_on_data_with_products_is_named() -> None:
    then = helper.make_graph([node("MatMul", ["x", "w"], ["z"])], "then", [], [value("z", 4, 8)])
    other = helper.make_graph([node("Identity", ["x"], ["z"])], "else", [], [value("z", 4, 8)])
    nodes = [node("If", ["flag"], ["y"], "if", then_branch=then, else_branch=other)]
    found = count(model(nodes, [value("x", 4, 8), value("flag", kind=TensorProto.BOOL)], ["y"], [weight("w", 8, 8)]))
    assert (found.macs, found.uncounted) == (0, ("If",))


def test_a_random_bernoulli_is_no_constant() -> None:
    nodes = [node("Bernoulli", ["p"], ["m"], "draw"), node("Mul", ["x", "m"], ["y"], "mask")]
    found = read_graph(infer(model(nodes, [value("x", 4)], ["y"], [weight("p", 4)])))
    assert [n.name for n in found.nodes] == ["draw", "mask"]


@pytest.mark.parametrize(
    ("domain", "op"),
    [
        (MICROSOFT, "PackedAttention"),
        (MICROSOFT, "NobodyKnowsThis"),
        ("mine", "Conv"),
        ("", "LSTM"),
        (MICROSOFT, "QMoE"),
    ],
)
def test_what_nobody_knows_is_named(domain: str, op: str) -> None:
    nodes = [node(op, ["x", "w"], ["y"], "n", domain=domain), node("MatMul", ["x", "w"], ["z"], "fc")]
    found = count_graph(infer(model(nodes, [value("x", 4, 8)], ["y", "z"], [weight("w", 8, 8)])))
    assert found.without_macs == (op,)
    assert found.total("macs") == 4 * 64


def test_attention_of_onnx() -> None:
    apart = model([node("Attention", ["q", "k", "v"], ["y"])], [value(n, 2, 3, 5, 4) for n in "qkv"], ["y"], opset=23)
    assert count(apart).macs == 2 * 3 * 5 * 5 * (4 + 4)
    joined = [node("Attention", ["q", "k", "v"], ["y"], q_num_heads=4, kv_num_heads=2)]
    ins = [value("q", 2, 5, 16), value("k", 2, 7, 8), value("v", 2, 7, 12)]
    assert count(model(joined, ins, ["y"], opset=23)).macs == 2 * 4 * 5 * 7 * (4 + 6)


def test_a_zero_point_is_no_bias_and_col2im_adds() -> None:
    data, filters = value("x", 1, 3, 8, 8, kind=TensorProto.UINT8), weight("w", 4, 3, 3, 3, dtype=np.uint8)
    nodes = [node("ConvInteger", ["x", "w", "z"], ["y"], "conv")]
    [conv] = count_graph(infer(model(nodes, [data], ["y"], [filters, given("z", 3, np.uint8)]))).nodes
    assert (conv.macs, conv.elementwise_ops, conv.params) == (4 * 36 * 27, 0, 108)
    nodes = [node("Col2Im", ["x", "image", "block"], ["y"], "fold")]
    sizes = [given("image", [4, 4]), given("block", [2, 2])]
    [fold] = count_graph(infer(model(nodes, [value("x", 1, 8, 9)], ["y"], sizes, opset=18))).nodes
    assert fold.elementwise_ops == 72


def test_weights_that_are_quantised_in_the_graph() -> None:
    """As training for 8 bits leaves them: fp32 stored, quantised and dequantised before the product."""
    nodes = [
        node("QuantizeLinear", ["w", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("MatMul", ["x", "d"], ["y"], "fc"),
    ]
    weights = [weight("w", 64, 64), given("s", 0.1, np.float32), given("z", 0, np.int8)]
    made = model(nodes, [value("x", 1, 64)], ["y"], weights)
    reading = read_graph(infer(made))
    assert (parameters_of(reading), precision_of(reading, made)) == (4096, "int8")
    assert count_graph(infer(made)).total("read_bytes") == 4096 + 64 * 4 + 5


def test_counting_many_nodes_is_linear() -> None:
    """By the work done, not by a clock: the CPU time of four times the nodes is no sixteen times that."""

    def spent(nodes: int) -> float:
        chain = [node("Add", [f"t{i}", "x"], [f"t{i + 1}"], f"n{i}") for i in range(nodes)]
        constants = [node("Add", [f"c{i}", f"w{i}"], [f"c{i + 1}"], f"k{i}") for i in range(nodes)]
        weights = [weight(f"w{i}", 2) for i in range(nodes)]
        end = [node("Add", [f"t{nodes}", f"c{nodes}"], ["y"])]
        made = model([*constants, *chain, *end], [value("x", 2)], ["y"], weights)
        made.graph.node[0].input[0] = "w0"
        made.graph.node[nodes].input[0] = "x"
        inferred = infer(made)
        start = time.process_time()
        from bench.graph.summary import summarise

        found = summarise(inferred, "chain", {"x": (2,)}, 0)
        assert found.stored_params == 2 * nodes
        return time.process_time() - start

    spent(200)
    assert spent(6000) < 10 * spent(1500)
