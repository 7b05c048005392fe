"""Live activations, by hand and against Table 3 of MobileNet V2."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.export.graph_of import graph_of
from bench.graph.memory import Lifetimes
from bench.graph.reading import Reading, infer, read_graph
from bench.plan import zoo
from bench.plan.case import Network
from tests.conftest import tiny_model

# Sandler et al., MobileNetV2 (CVPR 2018), Table 3, 16-bit activations: resolution, channels, "Kb" (1000 bytes).
# V1's 7x7 cell prints 199 Kb, which is twice 1024 x 7 x 7 x 2 bytes. V2's rows 56, 28 and 14 print 32, 64 and 160
# channels: those are outputs of blocks whose *input* has that resolution (Table 2), 28, 14 and 7 pixels wide.
V1 = {112: (64, 1600), 56: (128, 800), 28: (256, 400), 14: (512, 200), 7: (1024, None), 1: (1024, 2)}
V2 = {112: (16, 400), 56: (24, None), 28: (32, None), 14: (96, None), 7: (320, 32), 1: (1280, 2)}
MAX_KB = {"mobilenetv1": 1600, "mobilenetv2": 400}


def reading(nodes, x, weights, output) -> Reading:
    stored = [numpy_helper.from_array(np.zeros(s, np.float32), n) for n, s in weights.items()]
    ends = [helper.make_empty_tensor_value_info(output)]
    made = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)], ends, stored)
    return read_graph(infer(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])))


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], output, **attributes)


def test_a_chain_needs_input_and_output_of_one_node() -> None:
    peak = Lifetimes(read_graph(infer(tiny_model()))).peak()
    # 16 channels of 8 x 8 before and 18 after; at the first convolution it is 3 x 16 x 16 beside 16 x 8 x 8.
    assert (peak.elements, peak.bytes, peak.node) == (34 * 64, 4 * 34 * 64, "pointwise")


def test_a_shortcut_is_alive_and_an_addition_writes_into_it() -> None:
    nodes = [
        node("Conv", "x w0", "a"),  # 8 channels
        node("Conv", "a w1", "b"),  # 4
        node("Relu", "b", "c"),  # in place of b
        node("Conv", "c w2", "d"),  # 8; a is still needed: 8 + 4 + 8
        node("Add", "a d", "e"),  # in place of a
        node("Reshape", "e s", "f"),  # a view
    ]
    weights = {"w0": (8, 2, 1, 1), "w1": (4, 8, 1, 1), "w2": (8, 4, 1, 1)}
    found = reading(nodes[:-1], (1, 2, 5, 5), weights, "e")
    peak = Lifetimes(found).peak()
    assert (peak.node, peak.elements) == ("d", 20 * 25)
    assert sorted(peak.tensors) == [(1, 4, 5, 5), (1, 8, 5, 5), (1, 8, 5, 5)]


def test_an_activation_does_not_overwrite_what_is_needed_later() -> None:
    nodes = [node("Conv", "x w", "a"), node("Relu", "a", "b"), node("Add", "a b", "c")]
    assert Lifetimes(reading(nodes, (1, 2, 5, 5), {"w": (4, 2, 1, 1)}, "c")).peak().elements == 2 * 4 * 25
    # Nor the input of the network, which belongs to the caller.
    assert Lifetimes(reading([node("Relu", "x", "a")], (1, 2, 5, 5), {}, "a")).peak().elements == 2 * 2 * 25


def test_a_view_takes_no_memory_and_keeps_its_source_alive() -> None:
    nodes = [
        node("Conv", "x w", "a"),
        node("Flatten", "a", "b"),
        node("Sigmoid", "x", "c"),
        node("MatMul", "b v", "d"),
        node("GlobalAveragePool", "c", "e"),
        node("Flatten", "e", "f"),
        node("MatMul", "f u", "g"),
        node("Add", "d g", "y"),
    ]
    found = reading(nodes, (1, 2, 5, 5), {"w": (4, 2, 1, 1), "v": (100, 3), "u": (2, 3)}, "y")
    peak = Lifetimes(found).peak()
    assert (peak.node, peak.elements) == ("c", 50 + 100 + 50)


def test_an_inverted_residual_in_slices() -> None:
    def block(last: str) -> Reading:
        nodes = [
            node("Conv", "x w0", "a"),
            node("Relu", "a", "b"),
            node("Conv", "b w1", "c", group=12, pads=[1] * 4),
            node("Relu", "c", "d"),
            node("Conv", "d w2", "e"),
            node(last, "x e" if last == "Add" else "e", "f"),
        ]
        weights = {"w0": (12, 2, 1, 1), "w1": (12, 1, 3, 3), "w2": (2, 12, 1, 1)}
        return reading(nodes, (1, 2, 5, 5), weights, "f")

    found = block("Add")
    assert Lifetimes(found).peak().elements == (2 + 12 + 12) * 25
    fused = Lifetimes(found, fused=True)
    assert fused.inner == {"a", "b", "c", "d"}
    assert fused.peak().elements == (2 + 2) * 25
    assert Lifetimes(block("Relu"), fused=True).inner == set()  # no linear bottleneck: MobileNet V1


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "table"), [("mobilenetv1", V1), ("mobilenetv2", V2)])
def test_table_3_of_mobilenet_v2(spec: str, table: dict[int, tuple[int, int | None]]) -> None:
    pytest.importorskip("torch")
    found = graph_of(Network(zoo.resolve(spec)))
    largest = Lifetimes(read_graph(found.inferred), fused=True).largest()
    assert {t.resolution[0]: t.channels for t in largest} == {side: c for side, (c, _) in table.items()}
    for one in largest:
        kb = table[one.resolution[0]][1]
        assert kb is None or abs(one.elements * 2 / 1000 - kb) <= max(0.01 * kb, 1), one
    assert max(one.elements * 2 for one in largest) / 1000 == pytest.approx(MAX_KB[spec], rel=0.01)
