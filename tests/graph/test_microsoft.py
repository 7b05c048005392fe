"""Operators of ONNX Runtime's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from bench.graph.complexity import count
from bench.graph.reading import infer, read_graph
from bench.graph.weights import parameters_of
from tests.graph.made import MICROSOFT, given, model, node, value, weight

B = np.uint8
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
