from __future__ import annotations

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.export import ensure
from bench.graph.complexity import count
from bench.plan import zoo
from bench.plan.case import Network
from tests.conftest import TINY_MACS, tiny_model


def one_node(op: str, x: tuple[int, ...], w: tuple[int, ...], y: tuple[int, ...], **attributes: object):
    weight = numpy_helper.from_array(np.zeros(w, np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "w"], ["y"], "n", **attributes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, y)],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


HALVED = {"strides": [2, 2], "group": 4, "pads": [1] * 4}
# (operator, input, weight, output, attributes, MACs by hand)
CASES = [
    ("Conv", (1, 8, 10, 10), (16, 8, 3, 3), (1, 16, 10, 10), {"pads": [1] * 4}, 16 * 100 * 8 * 9),
    ("Conv", (2, 8, 10, 10), (16, 8, 3, 3), (2, 16, 5, 5), {"pads": [1] * 4, "strides": [2, 2]}, 2 * 16 * 25 * 72),
    ("Conv", (1, 8, 10, 10), (16, 2, 3, 3), (1, 16, 8, 8), {"group": 4}, 16 * 64 * 18),
    ("Conv", (1, 8, 10, 10), (8, 1, 5, 5), (1, 8, 6, 6), {"group": 8}, 8 * 36 * 25),
    ("Conv", (1, 8, 10, 10), (4, 8, 3, 3), (1, 4, 6, 6), {"dilations": [2, 2]}, 4 * 36 * 72),
    ("Conv", (1, 8, 10, 12), (4, 8, 1, 3), (1, 4, 10, 11), {"pads": [0, 0, 0, 1]}, 4 * 110 * 24),
    ("Conv", (1, 4, 20), (6, 4, 3), (1, 6, 18), {}, 6 * 18 * 12),
    ("ConvTranspose", (1, 8, 10, 10), (8, 16, 2, 2), (1, 16, 20, 20), {"strides": [2, 2]}, 8 * 100 * 16 * 4),
    ("ConvTranspose", (1, 8, 5, 5), (8, 4, 4, 4), (1, 16, 10, 10), HALVED, 12800),
    ("Gemm", (4, 32), (32, 10), (4, 10), {}, 4 * 32 * 10),
    ("Gemm", (4, 32), (10, 32), (4, 10), {"transB": 1}, 4 * 32 * 10),
    ("Gemm", (32, 4), (32, 10), (4, 10), {"transA": 1}, 4 * 32 * 10),
    ("MatMul", (4, 7, 32), (32, 10), (4, 7, 10), {}, 4 * 7 * 32 * 10),
    ("MatMul", (2, 3, 5, 6), (2, 3, 6, 4), (2, 3, 5, 4), {}, 2 * 3 * 5 * 6 * 4),
    ("Relu", (1, 8), (1,), (1, 8), {}, 0),
]  # fmt: skip


@pytest.mark.parametrize(("op", "x", "w", "y", "attributes", "macs"), CASES[:-1])
def test_closed_forms(op, x, w, y, attributes, macs) -> None:
    found = count(one_node(op, x, w, y, **attributes))
    assert found.macs == macs
    assert not found.uncounted


def test_the_sum_over_a_network() -> None:
    found = count(tiny_model())
    assert found.macs == TINY_MACS
    assert [n.name for n in found.nodes] == ["first", "depthwise", "pointwise", "classifier"]


def test_what_a_runtime_computes_once_is_not_counted() -> None:
    model = tiny_model()
    model.graph.node.extend([helper.make_node("MatMul", ["w4t", "w4"], ["z"], "constant")])
    model.graph.initializer.extend([numpy_helper.from_array(np.zeros((18, 10), np.float32), "w4t")])
    assert count(model).macs == TINY_MACS


def test_an_operator_that_is_not_counted_is_named() -> None:
    model = one_node("LSTM", (5, 1, 4), (1, 32, 4), (5, 1, 1, 8), hidden_size=8)
    assert count(model).uncounted == ("LSTM",)
    free = tiny_model(batch="N")
    assert "Conv" in count(free).uncounted


@pytest.mark.parametrize("spec", ["shufflenetv2:width=0.5", "mobilenetv1:width=0.25", "mobilenetv2:width=0.35"])
def test_an_exported_network_has_the_macs_that_torch_counts(spec: str) -> None:
    torch = pytest.importorskip("torch")
    from bench.models import build
    from torch.utils.flop_counter import FlopCounterMode

    artifact = ensure(Network(zoo.resolve(spec), resolution=64))
    model = build(json.loads(artifact.source)["source"] + ":" + spec.partition(":")[2])
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 64, 64))
    assert artifact.macs * 2 == counter.get_total_flops()
    assert artifact.params == sum(p.numel() for p in model.parameters())
