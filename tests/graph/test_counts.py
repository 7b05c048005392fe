"""Counts of single nodes against closed forms, of networks against PyTorch's own counter."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from bench.export import ensure
from bench.export.graph_of import graph_of
from bench.graph.counts import GraphCount, by_class, count_graph
from bench.graph.onnx_read import read_shapes
from bench.graph.reading import infer
from bench.plan import zoo
from bench.plan.case import Network
from tests.conftest import TINY_MACS, tiny_model

Shape = tuple[int, ...]


def graph(op: str, x: Shape | None, *weights: Shape, inputs: tuple[Shape, ...] = (), domain: str = "", **attributes):
    """A model of one node: `x` and `inputs` are activations, `weights` are stored; shapes of outputs are inferred."""
    given = [s for s in (x, *inputs) if s is not None]
    names = [f"x{i}" for i in range(len(given))]
    stored = [numpy_helper.from_array(np.zeros(s, np.float32), f"w{i}") for i, s in enumerate(weights)]
    outputs = ["y", "z"] if op == "Split" else ["y"]
    node = helper.make_node(op, [*names, *(t.name for t in stored)], outputs, "n", domain=domain, **attributes)
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in zip(names, given, strict=True)]
    ends = [helper.make_empty_tensor_value_info(name) for name in outputs]
    made = helper.make_graph([node], "g", values, ends, stored)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("mine", 1)])


def count(*args, **attributes) -> GraphCount:
    return count_graph(infer(graph(*args, **attributes)))


S2, P1, D2 = {"strides": [2, 2]}, {"pads": [1] * 4}, {"dilations": [2, 2]}
ASYMMETRIC = {"pads": [0, 1, 2, 3]}
IMAGE, OUT = (1, 8, 10, 10), 16
# (operator, activation, weights, attributes, output by hand, MACs by hand); shapes come from ONNX's own inference.
MACS = [
    ("Conv", IMAGE, [(16, 8, 1, 1)], {}, (1, 16, 10, 10), 16 * 100 * 8),
    ("Conv", IMAGE, [(16, 8, 1, 1)], S2, (1, 16, 5, 5), 16 * 25 * 8),
    ("Conv", IMAGE, [(16, 8, 3, 3)], {}, (1, 16, 8, 8), 16 * 64 * 72),
    ("Conv", IMAGE, [(16, 8, 3, 3)], P1, (1, 16, 10, 10), 16 * 100 * 72),
    ("Conv", IMAGE, [(16, 8, 3, 3)], P1 | S2, (1, 16, 5, 5), 16 * 25 * 72),
    ("Conv", (3, 8, 10, 10), [(16, 8, 3, 3)], P1 | S2, (3, 16, 5, 5), 3 * 16 * 25 * 72),
    ("Conv", IMAGE, [(16, 8, 3, 3)], D2, (1, 16, 6, 6), 16 * 36 * 72),
    ("Conv", IMAGE, [(16, 8, 3, 3)], D2 | P1 | S2, (1, 16, 4, 4), 16 * 16 * 72),
    ("Conv", IMAGE, [(16, 8, 3, 3)], ASYMMETRIC, (1, 16, 10, 12), 16 * 120 * 72),
    ("Conv", IMAGE, [(16, 8, 3, 3)], {"auto_pad": "SAME_UPPER"}, (1, 16, 10, 10), 16 * 100 * 72),
    ("Conv", (1, 8, 11, 11), [(16, 8, 3, 3)], {"auto_pad": "SAME_LOWER"} | S2, (1, 16, 6, 6), 16 * 36 * 72),
    ("Conv", IMAGE, [(16, 8, 3, 3)], {"auto_pad": "VALID"}, (1, 16, 8, 8), 16 * 64 * 72),
    ("Conv", IMAGE, [(16, 8, 1, 5)], {}, (1, 16, 10, 6), 16 * 60 * 40),
    ("Conv", IMAGE, [(16, 8, 7, 1)], {"pads": [3, 0, 3, 0]}, (1, 16, 10, 10), 16 * 100 * 56),
    ("Conv", IMAGE, [(16, 2, 3, 3)], {"group": 4}, (1, 16, 8, 8), 16 * 64 * 18),
    ("Conv", IMAGE, [(16, 4, 1, 1)], {"group": 2}, (1, 16, 10, 10), 16 * 100 * 4),
    ("Conv", IMAGE, [(8, 1, 3, 3)], {"group": 8} | P1, (1, 8, 10, 10), 8 * 100 * 9),
    ("Conv", IMAGE, [(8, 1, 5, 5)], {"group": 8} | S2, (1, 8, 3, 3), 8 * 9 * 25),
    ("Conv", IMAGE, [(24, 1, 3, 3)], {"group": 8} | P1, (1, 24, 10, 10), 24 * 100 * 9),
    ("Conv", (2, 4, 20), [(6, 4, 3)], {}, (2, 6, 18), 2 * 6 * 18 * 12),
    ("Conv", (1, 4, 20), [(6, 4, 5)], {"dilations": [2], "strides": [3]}, (1, 6, 4), 6 * 4 * 20),
    ("Conv", (1, 4, 20), [(4, 1, 3)], {"group": 4, "pads": [2, 0]}, (1, 4, 20), 4 * 20 * 3),
    ("Conv", (1, 3, 8, 9, 10), [(5, 3, 3, 3, 3)], {}, (1, 5, 6, 7, 8), 5 * 336 * 81),
    ("Conv", (1, 6, 8, 8, 8), [(6, 2, 1, 3, 3)], {"group": 3}, (1, 6, 8, 6, 6), 6 * 288 * 18),
    ("ConvTranspose", IMAGE, [(8, 16, 2, 2)], S2, (1, 16, 20, 20), 8 * 100 * 16 * 4),
    ("ConvTranspose", IMAGE, [(8, 16, 3, 3)], {}, (1, 16, 12, 12), 8 * 100 * 16 * 9),
    ("ConvTranspose", IMAGE, [(8, 4, 4, 4)], {"group": 4} | S2 | P1, (1, 16, 20, 20), 8 * 100 * 4 * 16),
    ("ConvTranspose", IMAGE, [(8, 1, 3, 3)], {"group": 8} | D2, (1, 8, 14, 14), 8 * 100 * 9),
    ("ConvTranspose", (1, 4, 10), [(4, 6, 3)], {"strides": [2], "output_padding": [1]}, (1, 6, 22), 4 * 10 * 18),
    ("Gemm", (4, 32), [(32, 10)], {}, (4, 10), 4 * 32 * 10),
    ("Gemm", (4, 32), [(10, 32)], {"transB": 1}, (4, 10), 4 * 32 * 10),
    ("Gemm", (32, 4), [(32, 10)], {"transA": 1}, (4, 10), 4 * 32 * 10),
    ("Gemm", (32, 4), [(10, 32)], {"transA": 1, "transB": 1}, (4, 10), 4 * 32 * 10),
    ("MatMul", (4, 32), [(32, 10)], {}, (4, 10), 4 * 32 * 10),
    ("MatMul", (4, 7, 32), [(32, 10)], {}, (4, 7, 10), 4 * 7 * 32 * 10),
    ("MatMul", (4, 7, 32), [(4, 32, 5)], {}, (4, 7, 5), 4 * 7 * 32 * 5),
    ("MatMul", (2, 3, 5, 6), [(2, 3, 6, 4)], {}, (2, 3, 5, 4), 2 * 3 * 5 * 6 * 4),
    ("MatMul", (1, 3, 5, 6), [(2, 1, 6, 4)], {}, (2, 3, 5, 4), 2 * 3 * 5 * 6 * 4),
    ("MatMul", (5, 6), [(7, 6, 4)], {}, (7, 5, 4), 7 * 5 * 6 * 4),
    ("MatMul", (6,), [(6, 4)], {}, (4,), 24),
    ("MatMul", (4, 6), [(6,)], {}, (4,), 24),
    ("MatMul", (6,), [(6,)], {}, (), 6),
    ("Einsum", (3, 4), [(4, 5)], {"equation": "ij,jk->ik"}, (3, 5), 60),
    ("Einsum", (2, 3, 4), [(2, 5, 4)], {"equation": "bij, bkj -> bik"}, (2, 3, 5), 2 * 3 * 4 * 5),
    ("Einsum", (2, 6, 3, 4), [(5, 4)], {"equation": "...ij,kj->...ik"}, (2, 6, 3, 5), 2 * 6 * 3 * 4 * 5),
    ("Einsum", (3,), [(5,)], {"equation": "i,j"}, (3, 5), 15),
    ("Einsum", (3, 4, 7), [(4, 5)], {"equation": "ijx,jk->ik"}, (3, 5), 60),
]  # fmt: skip


@pytest.mark.parametrize(("op", "x", "weights", "attributes", "output", "macs"), MACS)
def test_macs_in_closed_form(op, x, weights, attributes, output, macs) -> None:
    found = count(op, x, *weights, **attributes)
    [node] = found.nodes
    assert node.outputs == (output,)
    assert (node.macs, node.elementwise_ops, found.uncounted) == (macs, 0, ())
    assert node.params == np.prod(weights[0], dtype=int)
    assert node.read_elements == np.prod(x, dtype=int) + node.params
    assert node.written_elements == np.prod(output, dtype=int)
    assert node.memory_access_bytes == 4 * node.memory_access_elements


HW = 100
# (operator, activations, weights, attributes, element-wise operations by hand)
OPS = [
    ("Relu", [IMAGE], [], {}, 8 * HW),
    ("Clip", [IMAGE], [(), ()], {}, 8 * HW * 2),
    ("HardSwish", [IMAGE], [], {}, 8 * HW * 5),
    ("Sigmoid", [IMAGE], [], {}, 8 * HW * 4),
    ("Gelu", [IMAGE], [], {}, 8 * HW * 5),
    ("Gelu", [IMAGE], [], {"approximate": "tanh"}, 8 * HW * 9),
    ("Add", [IMAGE, IMAGE], [], {}, 8 * HW),
    ("Mul", [IMAGE, (1, 8, 1, 1)], [], {}, 8 * HW),
    ("Sum", [IMAGE, IMAGE, IMAGE], [], {}, 8 * HW * 2),
    ("BatchNormalization", [IMAGE], [(8,)] * 4, {}, 8 * HW * 2),
    ("LayerNormalization", [(2, 5, 16)], [(16,), (16,)], {}, 160 * 7),
    ("Softmax", [(2, 5, 16)], [], {}, 160 * 5),
    ("MaxPool", [IMAGE], [], {"kernel_shape": [3, 3], "strides": [2, 2]}, 8 * 16 * 9),
    ("AveragePool", [IMAGE], [], {"kernel_shape": [2, 2], "strides": [2, 2]}, 8 * 25 * 4),
    ("GlobalAveragePool", [IMAGE], [], {}, 8 * HW),
    ("ReduceMax", [IMAGE], [], {}, 8 * HW),
    ("LRN", [IMAGE], [], {"size": 5}, 8 * HW * 10),
    ("Conv", [IMAGE], [(16, 8, 1, 1), (16,)], {}, 16 * HW),
    ("Gemm", [(4, 32)], [(32, 10), (10,)], {}, 40),
    ("Transpose", [IMAGE], [], {"perm": [0, 2, 3, 1]}, 0),
    ("Concat", [IMAGE, IMAGE], [], {"axis": 1}, 0),
    ("Flatten", [IMAGE], [], {}, 0),
    ("Split", [IMAGE], [], {"axis": 1, "num_outputs": 2}, 0),
]  # fmt: skip


@pytest.mark.parametrize(("op", "activations", "weights", "attributes", "ops"), OPS)
def test_elementwise_operations_in_closed_form(op, activations, weights, attributes, ops) -> None:
    found = count(op, activations[0], *weights, inputs=tuple(activations[1:]), **attributes)
    assert (found.total("elementwise_ops"), found.uncounted) == (ops, ())


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 8), st.integers(1, 8), st.integers(1, 4))
def test_memory_access_is_that_of_shufflenet_v2(h: int, w: int, c1: int, c2: int, g: int) -> None:
    """Ma et al., ShuffleNet V2 (ECCV 2018): equation 1 (G1), and equation 2 (G2) with groups."""
    c1, c2 = c1 * g, c2 * g
    [node] = count("Conv", (1, c1, h, w), (c2, c1 // g, 1, 1), group=g).nodes
    assert node.memory_access_elements == h * w * (c1 + c2) + c1 * c2 // g
    assert node.macs == h * w * c1 * c2 // g
    # G1: by the arithmetic-geometric mean, memory access is bounded by 2 sqrt(hw B) + B / hw, B the MACs of g = 1.
    b = h * w * c1 * c2
    if g == 1:
        assert node.memory_access_elements >= 2 * np.sqrt(h * w * b) + b / (h * w) - 1e-6


def test_what_is_read_and_written_of_movements() -> None:
    def access(*args, **attributes) -> tuple[int, int]:
        [node] = count(*args, **attributes).nodes
        return node.read_elements, node.written_elements

    assert access("Flatten", IMAGE) == (0, 0)  # a view
    assert access("Transpose", IMAGE, perm=[0, 2, 3, 1]) == (800, 800)
    assert access("Concat", IMAGE, inputs=(IMAGE,), axis=1) == (1600, 1600)
    assert access("Split", IMAGE, axis=1, num_outputs=2) == (800, 800)
    assert access("Add", IMAGE, inputs=((1, 8, 1, 1),)) == (808, 800)


def test_of_a_table_only_what_is_looked_up_is_read() -> None:
    node = helper.make_node("Gather", ["table", "ids"], ["y"], "embed")
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [1, 7])
    table = numpy_helper.from_array(np.zeros((1000, 16), np.float16), "table")
    made = helper.make_graph([node], "g", [ids], [helper.make_empty_tensor_value_info("y")], [table])
    [found] = count_graph(infer(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)]))).nodes
    assert (found.read_elements, found.written_elements, found.params) == (7 + 112, 112, 16000)
    assert (found.read_bytes, found.written_bytes) == (7 * 8 + 112 * 2, 112 * 2)


def test_an_operand_used_twice_is_read_once() -> None:
    model = graph("Mul", IMAGE)
    model.graph.node[0].input.append("x0")
    assert count_graph(infer(model)).nodes[0].read_elements == 800


def test_a_weight_used_twice_counts_once_as_parameters() -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("MatMul", ["a", "w"], ["y"])]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 8])
    made = helper.make_graph(
        nodes, "g", [x], [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(np.zeros((8, 8), np.float32), "w")],
    )  # fmt: skip
    found = count_graph(infer(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])))
    assert [n.params for n in found.nodes] == [64, 0]
    assert [n.read_elements for n in found.nodes] == [16 + 64] * 2


@pytest.mark.parametrize(
    ("op", "shapes", "attributes"),
    [
        ("Einsum", [(2, 3), (3, 4), (4, 5)], {"equation": "ij,jk,kl->il"}),  # the cost depends on the order
        ("MyOwn", [(2, 3)], {"domain": "mine"}),
        ("NonZero", [(2, 3)], {}),  # the shape depends on the data
        ("RoiAlign", [(1, 8, 10, 10), (4, 4), (4,)], {}),
    ],
)
def test_what_cannot_be_counted_is_named(op, shapes, attributes) -> None:
    found = count(op, shapes[0], inputs=tuple(shapes[1:]), **attributes)
    assert found.uncounted == (op,)
    assert found.nodes[0].uncounted


def test_functions_of_the_model_are_counted_inside() -> None:
    body = [helper.make_node("MatMul", ["a", "b"], ["c"]), helper.make_node("Relu", ["c"], ["d"])]
    own = helper.make_function("mine", "Layer", ["a", "b"], ["d"], body, [helper.make_opsetid("", 20)])
    model = graph("Layer", (4, 32), (32, 10), domain="mine")
    model.functions.append(own)
    found = count_graph(infer(model))
    assert ([n.op for n in found.nodes], found.total("macs"), found.uncounted) == (["MatMul", "Relu"], 1280, ())


def test_classes_sum_up_to_the_whole() -> None:
    found = count_graph(infer(tiny_model()))
    classes = by_class(found.nodes)
    assert found.total("macs") == TINY_MACS
    assert [str(c.op_class) for c in classes if c.macs] == ["conv dense", "conv 1x1", "conv depthwise", "matmul"]
    for what in ("macs", "elementwise_ops", "params", "memory_access_bytes"):
        assert sum(getattr(c, what) for c in classes) == found.total(what)
    assert sum(c.nodes for c in classes) == len(found.nodes) == 7


def test_external_data_is_not_read(tmp_path) -> None:
    onnx.save(tiny_model(), tmp_path / "net.onnx", save_as_external_data=True, location="w.data", size_threshold=0)
    (tmp_path / "w.data").unlink()
    assert count_graph(read_shapes(tmp_path / "net.onnx")).total("macs") == TINY_MACS


def test_an_export_has_the_macs_and_parameters_of_its_row() -> None:
    pytest.importorskip("torch")
    network = Network(zoo.resolve("condensenet:groups=8"), resolution=32)
    artifact, found = ensure(network), graph_of(network)
    counted = count_graph(found.inferred)
    assert (counted.total("macs"), found.params) == (artifact.macs, artifact.params)
    assert counted.uncounted == ()


@pytest.mark.slow
@pytest.mark.parametrize("family", list(zoo.cards()))
def test_every_family_has_the_macs_that_torch_counts(family: str) -> None:
    """Against torch.utils.flop_counter, at the family's default resolution; parameters against the module's own."""
    pytest.importorskip("torch")
    from bench.models import counting

    case = Network(zoo.resolve(family))
    found, truth = graph_of(case), counting.count(family)
    counted = count_graph(found.inferred)
    assert counted.total("macs") == truth.macs
    assert found.params == truth.params
    assert counted.uncounted == ()
