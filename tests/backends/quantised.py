"""Small ONNX networks of 8 bits, odd in one way each, and valid; the others are in `tests.backends.networks`."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto

from tests.backends.networks import FLOAT, SAME, given, model, node, value, weight


def whole(name: str, *shape: int, least: int = -127) -> TensorProto:
    return given(name, np.random.default_rng([*name.encode(), *shape]).integers(least, 128, shape), np.int8)


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
