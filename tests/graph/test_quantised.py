"""Quantised graphs: at which width tensors lie in memory, in which precision nodes multiply, and their floor."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper

from bench.graph.counts import count_graph
from bench.graph.floor import group
from bench.graph.quantised import stored
from bench.graph.reading import infer, read_graph
from bench.graph.summary import summarise
from tests.graph.made import given, model, value

node = helper.make_node
SIDE, CHANNELS = 8, 4
MAP = CHANNELS * SIDE * SIDE
CONV_MACS = MAP * CHANNELS


def network(island: bool) -> Any:
    """Two 1x1 convolutions in 8 bits; with an `island` a HardSigmoid between them, and the second one in floats."""
    weights = [given("s", np.float32(0.02), np.float32), given("z", 128, np.uint8)]
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["xq"], "q0"), node("DequantizeLinear", ["xq", "s", "z"], ["xd"])]
    for i in (1, 2):
        weights += [given(f"w{i}", np.ones((CHANNELS, CHANNELS, 1, 1), np.int8), np.int8)]
        weights += [given(f"ws{i}", np.float32(0.01), np.float32), given(f"wz{i}", 0, np.int8)]
        nodes.append(node("DequantizeLinear", [f"w{i}", f"ws{i}", f"wz{i}"], [f"wd{i}"]))
    nodes += [
        node("Conv", ["xd", "wd1"], ["a"], "first"),
        node("QuantizeLinear", ["a", "s", "z"], ["aq"], "q1"),
        node("DequantizeLinear", ["aq", "s", "z"], ["ad"], "d1"),
    ]
    if island:
        nodes += [node("HardSigmoid", ["ad"], ["h"], "gate"), node("Conv", ["h", "wd2"], ["y"], "second")]
    else:
        nodes += [
            node("Conv", ["ad", "wd2"], ["b"], "second"),
            node("QuantizeLinear", ["b", "s", "z"], ["bq"], "q2"),
            node("DequantizeLinear", ["bq", "s", "z"], ["y"], "d2"),
        ]
    shape = (1, CHANNELS, SIDE, SIDE)
    return infer(model(nodes, [value("x", *shape)], ["y"], weights))


def test_a_tensor_between_operators_is_as_wide_as_it_was_quantised() -> None:
    found = {n.name: n for n in count_graph(network(island=False)).nodes}
    weight = CHANNELS * CHANNELS + 4 + 1  # its scale and zero point
    assert found["first"].read_bytes == MAP + weight
    assert found["first"].written_bytes == MAP
    assert found["second"].memory_access_bytes == 2 * MAP + weight
    # Only what nobody takes in moves: fp32 to 8 bits at the input, back at the output.
    moved = {
        name: n.memory_access_bytes for name, n in found.items() if n.op.endswith("QuantizeLinear") and n.macs == 0
    }
    assert {name for name, size in moved.items() if size} == {"q0"}
    whole = count_graph(network(island=False))
    assert (whole.quantizers, whole.between) == (6, 2)


def test_macs_are_told_by_precision() -> None:
    for island, told in ((False, {"int8": 2 * CONV_MACS}), (True, {"int8": CONV_MACS, "fp32": CONV_MACS})):
        made = network(island)
        summary = summarise(made, "net", {}, 1)
        assert summary.macs_by_precision == told
        record = summary.record([])
        assert record["macs_by_precision"] == told
        assert record["quantize_nodes_between"] == stored(read_graph(made)).between


def test_a_graph_of_floats_stays_as_it_is() -> None:
    made = infer(model([node("Relu", ["x"], ["y"], "relu")], [value("x", 1, 8)], ["y"]))
    reading = read_graph(made)
    found = stored(reading)
    assert (found.reading, found.within, found.between) == (reading, frozenset(), 0)
    assert summarise(made, "net", {}, 0).macs_by_precision == {}


def test_the_floor_of_a_quantised_graph_moves_bytes_and_not_floats() -> None:
    groups = {g.name: g for g in group(read_graph(network(island=False)))}
    weight = CHANNELS * CHANNELS + 4 + 1
    assert groups["first"].moved_bytes <= 2 * MAP + weight + 16  # scales and zero points beside
    assert groups["first"].precision == groups["second"].precision == "int8"
    plain = {g.name: g.precision for g in group(read_graph(network(island=True)))}
    assert (plain["first"], plain["second"]) == ("int8", "fp32")
