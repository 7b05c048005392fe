"""Shapes where the file has none, or false ones; operators of ONNX Runtime; files that would explode."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.api import inspect
from bench.base.errors import BenchError
from bench.export import ensure
from bench.graph.complexity import Complexity, count
from bench.graph.counts import count_graph
from bench.graph.reading import infer, read_graph
from bench.graph.weights import parameters_of, precision_of
from bench.plan import zoo
from bench.plan.case import Network

node = helper.make_node
MICROSOFT = "com.microsoft"


def value(name: str, *shape: object, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def given(name: str, numbers: object, dtype: Any = np.int64) -> Any:
    return numpy_helper.from_array(np.array(numbers, dtype), name)


def weight(name: str, *shape: int, dtype: Any = np.float32) -> Any:
    return given(name, np.ones(shape), dtype)


def model(nodes: list[Any], inputs: list[Any], outputs: list[str], weights: list[Any] = (), opset: int = 17) -> Any:
    ends = [helper.make_empty_tensor_value_info(name) for name in outputs]
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1), helper.make_opsetid("mine", 1)]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, ends, list(weights)), opset_imports=opsets)


def write(made: Any, path: Path, rank: int = 1, **how: Any) -> Path:
    for output in made.graph.output:
        output.CopyFrom(value(output.name, *(f"side{i}" for i in range(rank))))
    onnx.save(made, path, **how)
    return path


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


def loop(trips: int, body: list[Any], carried: list[Any], out: str) -> Any:
    """A Loop whose inputs are constant and whose body captures `x`."""
    graph = helper.make_graph(
        [node("Identity", ["more"], ["again"]), *body],
        "body",
        [value("i", kind=TensorProto.INT64), value("more", kind=TensorProto.BOOL), *carried],
        [value("again", kind=TensorProto.BOOL), helper.make_empty_tensor_value_info(out)],
    )
    nodes = [node("Loop", ["trips", "yes"], ["y"], "loop", body=graph)]
    weights = [given("trips", trips), given("yes", True, np.bool_), weight("w", 8, 8)]
    return model(nodes, [value("x", 4, 8)], ["y"], weights)


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


S, B = TensorProto.FLOAT, np.uint8
# (name, operator, data, stored tensors, inputs in order, attributes, MACs, parameters) of com.microsoft
PRODUCTS: list[tuple[str, list[Any], list[Any], list[str], dict[str, Any], int, int]] = [
    ("DynamicQuantizeMatMul", [value("x", 4, 8)], [weight("w", 8, 6, dtype=np.int8), given("s", 0.1, np.float32)],
     ["x", "w", "s"], {}, 4 * 8 * 6, 48),
    ("MatMulIntegerToFloat", [value("x", 4, 8, kind=TensorProto.UINT8)],
     [weight("w", 8, 6, dtype=np.int8), given("s", 0.1, np.float32), given("t", 0.1, np.float32)],
     ["x", "w", "s", "t"], {}, 192, 48),
    ("TransposeMatMul", [value("x", 8, 4)], [weight("w", 8, 6)], ["x", "w"], {"transA": 1}, 192, 48),
    ("FusedMatMul", [value("x", 4, 8)], [weight("w", 6, 8)], ["x", "w"], {"transB": 1}, 192, 48),
    ("FusedGemm", [value("x", 4, 8)], [weight("w", 8, 6), weight("b", 6)], ["x", "w", "b"], {"activation": "Relu"},
     192, 54),
    ("FusedConv", [value("x", 1, 3, 8, 8)], [weight("w", 4, 3, 3, 3)], ["x", "w"],
     {"activation": "Relu", "kernel_shape": [3, 3]}, 4 * 36 * 27, 108),
    ("NhwcConv", [value("x", 1, 8, 8, 3)], [weight("w", 4, 3, 3, 3)], ["x", "w"], {"kernel_shape": [3, 3]},
     4 * 36 * 27, 108),
    ("NhwcConv", [value("x", 1, 8, 8, 6)], [weight("w", 4, 5, 3, 2)], ["x", "w"],
     {"kernel_shape": [5, 3], "group": 3, "strides": [1, 1]}, 4 * 4 * 6 * 30, 120),
    ("NhwcFusedConv", [value("x", 1, 8, 8, 3)], [weight("w", 4, 3, 5, 3)], ["x", "w"], {"kernel_shape": [5, 3]},
     4 * 24 * 45, 180),
    ("GemmFloat8", [value("x", 4, 8)], [weight("w", 6, 8)], ["x", "w"], {"transB": 1}, 192, 48),
    ("QGemm", [value("x", 4, 8, kind=TensorProto.UINT8)],
     [given("s", 0.1, np.float32), given("z", 0, B), weight("w", 8, 6, dtype=np.int8), given("t", 0.1, np.float32),
      given("y", 0, np.int8), weight("b", 6, dtype=np.int32)],
     ["x", "s", "z", "w", "t", "y", "b"], {}, 192, 54),
    ("MatMulNBits", [value("x", 2, 3, 64)], [weight("w", 10, 2, 16, dtype=B), weight("s", 20)], ["x", "w", "s"],
     {"K": 64, "N": 10, "bits": 4, "block_size": 32}, 2 * 3 * 64 * 10, 640),
    ("MatMulBnb4", [value("x", 3, 64)], [weight("w", 320, dtype=B), weight("s", 20)], ["x", "w", "s"],
     {"K": 64, "N": 10, "block_size": 32, "quant_type": 1}, 3 * 640, 640),
    ("Attention", [value("x", 2, 5, 8)], [weight("w", 8, 24), weight("b", 24)], ["x", "w", "b"], {"num_heads": 2},
     2 * 5 * 8 * 24 + 2 * 2 * 5 * 5 * 8, 216),
    ("QAttention", [value("x", 2, 5, 8, kind=TensorProto.UINT8)],
     [weight("w", 8, 24, dtype=np.int8), weight("b", 24), given("s", 0.1, np.float32), given("t", 0.1, np.float32)],
     ["x", "w", "b", "s", "t"], {"num_heads": 2}, 2 * 5 * 8 * 24 + 2 * 2 * 5 * 5 * 8, 216),
    ("MultiHeadAttention", [value("q", 2, 5, 8), value("k", 2, 7, 8), value("v", 2, 7, 12)], [], ["q", "k", "v"],
     {"num_heads": 2}, 2 * 5 * 7 * (8 + 12), 0),
    ("MultiHeadAttention", [value("q", 2, 5, 2, 3, 4)], [], ["q"], {"num_heads": 2}, 2 * 2 * 5 * 5 * 2 * 4, 0),
]  # fmt: skip


@pytest.mark.parametrize("case", PRODUCTS, ids=[f"{i}-{case[0]}" for i, case in enumerate(PRODUCTS)])
def test_products_of_onnx_runtime(case: Any) -> None:
    op, inputs, weights, names, attributes, macs, params = case
    made = model([node(op, names, ["out"], "n", domain=MICROSOFT, **attributes)], inputs, ["out"], weights)
    reading = read_graph(infer(made))
    found = count(made)
    assert (found.macs, found.uncounted) == (macs, ())
    assert parameters_of(reading) == params


def test_shapes_go_on_behind_an_operator_of_onnx_runtime() -> None:
    nodes = [
        node("FastGelu", ["x"], ["a"], domain=MICROSOFT),
        node("QuickGelu", ["a"], ["b"], domain=MICROSOFT),
        node("MatMul", ["b", "w"], ["y"], "fc"),
    ]
    found = count(model(nodes, [value("x", 4, 8)], ["y"], [weight("w", 8, 6)]))
    assert (found.macs, found.uncounted) == (192, ())


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


def doubled(times: int) -> Any:
    nodes = [node("Concat", [f"t{i}", f"t{i}"], [f"t{i + 1}"], axis=0) for i in range(times)]
    start = node("Constant", [], ["t0"], value=given("", [1, 2, 3, 4]))
    last = node("Cast", [f"t{times}"], ["c"], to=S)
    return model([start, *nodes, last, node("Add", ["x", "c"], ["y"])], [value("x", 1)], ["y"])


def ranged() -> Any:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("ReduceProd", ["s"], ["n"], keepdims=0),
        node("Mul", ["n", "many"], ["end"]),
        node("Range", ["zero", "end", "one"], ["r"]),
        node("Cast", ["r"], ["c"], to=S),
        node("Add", ["x", "c"], ["y"]),
    ]
    return model(nodes, [value("x", 1)], ["y"], [given("many", 1 << 38), given("zero", 0), given("one", 1)])


def filled() -> Any:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Mul", ["s", "many"], ["to"]),
        node("ConstantOfShape", ["to"], ["c"]),
        node("Add", ["x", "c"], ["y"]),
    ]
    return model(nodes, [value("x", 1)], ["y"], [given("many", [1 << 38])])


def nested(depth: int) -> Any:
    """Functions that call the one below them twice: 2 to the power of `depth` nodes, written out."""
    made = model([node(f"F{depth}", ["x"], ["y"], domain="mine")], [value("x", 1)], ["y"])
    for i in range(depth + 1):
        inner = [node("Relu", ["a"], ["b"])]
        if i:
            calls = (["a"], ["m"]), (["m"], ["b"])
            inner = [node(f"F{i - 1}", *call, domain="mine") for call in calls]
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
        made.functions.append(helper.make_function("mine", f"F{i}", ["a"], ["b"], inner, opsets))
    return made


def test_explosive_files_take_nothing_here() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for made in (doubled(45), ranged(), filled()):
        infer(made)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


@pytest.mark.parametrize("make", [lambda: doubled(45), ranged, filled], ids=["doubled", "ranged", "filled"])
def test_explosive_files_are_refused_before_they_run(tmp_path: Path, make: Any) -> None:
    path = write(make(), tmp_path / "net.onnx")
    with pytest.raises(BenchError, match="GiB and this machine has"):
        ensure(Network(zoo.resolve(str(path))))


def test_functions_without_end_meet_a_limit(tmp_path: Path) -> None:
    path = write(nested(40), tmp_path / "net.onnx")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with pytest.raises(BenchError) as caught:
        inspect(path)
    assert "valid" not in caught.value.message
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(before, 4 << 20)


def test_a_loop_without_end_meets_the_timeout(tmp_path: Path) -> None:
    endless = loop(1 << 62, [node("ReduceSum", ["x"], ["z"], keepdims=0)], [], "z")
    path = write(endless, tmp_path / "net.onnx")
    with pytest.raises(BenchError, match="more than 3 s"):
        ensure(Network(zoo.resolve(str(path))), timeout_s=3)


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
