"""Each statement is made where its condition holds, and not where it does not: synthetic profiles, one fact changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.base.errors import OutputError
from bench.graph.classes import OpClass
from bench.machine.environment import local
from bench.machine.identity import machine_of
from bench.profiling import layout
from bench.profiling.network import ProfiledNetwork, ProfiledOperator, load, moved_elements
from bench.profiling.reasons import reasons
from bench.profiling.roofs import Roof, find, of_profiles
from bench.profiling.squeeze import gates
from bench.report.text.explain import explain_one, explain_two
from tests.profiling.made import FAST, ROOF, A, B, conv, network, other


def test_quantisation_is_spoken_of_only_in_a_quantised_network() -> None:
    def made(precision: str) -> ProfiledNetwork:
        parts = [
            replace(conv("c", 40.0), precision="int8"),
            replace(other(OpClass.CONVERT, 9.0), kind="QuantizeLinear"),
        ]
        parts += [replace(other(OpClass.ACTIVATION, 12.0), kind="HardSigmoid", precision="fp32")]
        parts += [replace(other(OpClass.CONVERT, 8.0), kind="DequantizeLinear", precision="int8")]
        return replace(network(*parts), precision=precision)

    said = keys(made("int8"))
    assert said["quantisation"].startswith("1 DequantizeLinear and 1 QuantizeLinear are part of no other operator")
    assert "around 2 HardSigmoid" in said["quantisation"]
    assert said["floats"] == "1 operator runs in floats (1 HardSigmoid) with 0.0% of the MACs"
    assert not {"quantisation", "floats"} & set(keys(made("fp32")))


def keys(net: ProfiledNetwork, roof: Roof = ROOF) -> dict[str, str]:
    return {s.key: s.text for s in reasons(net, roof)}


def test_a_network_at_its_floor_has_nothing_said_of_it() -> None:
    assert keys(network(*[FAST] * 10)) == {}


def test_convolutions_outside_the_blocked_layout() -> None:
    inside = conv("inside", 20.0, 64, depthwise=True)
    key = "outside block conv depthwise"
    slow = network(inside, conv("outside", 120.0, 58, depthwise=True, layout_out="nchw"))
    assert "58 % 4 = 2" in keys(slow)[key]
    assert "56 or 60" in keys(slow)[key]
    said = next(s for s in reasons(slow, ROOF) if s.key == key)
    rate = 64 * 9 * 28**2 / 20e3
    assert dict(said.figures)["gmacs_per_s"] == pytest.approx(58 * 9 * 28**2 / 120e3)
    assert said.ms == pytest.approx(0.12 - 58 * 9 * 28**2 / rate / 1e6)
    assert f"{rate:.1f}" in said.text
    # As fast outside as inside; or no blocked layout at all, as on a machine without one: nothing to say.
    assert key not in keys(network(inside, conv("outside", 18.0, 58, depthwise=True, layout_out="nchw")))
    assert key not in keys(network(*[conv("all", 120.0, 58, depthwise=True, layout_out="nchw")] * 2))
    # Outside for no rule that is known: said, and no rule invented.
    unknown = network(inside, conv("outside", 120.0, 64, depthwise=True, layout_out="nchw"))
    assert "no rule that is known" in keys(unknown)[key]


@pytest.mark.parametrize(
    ("op", "says"),
    [
        (conv("c", 1, 58), "58 % 4 = 2"),
        (conv("c", 1, 60), ""),
        (conv("c", 1, 14), ""),  # fewer than a block are read from plain NCHW
        (conv("c", 1, 58, depthwise=True), "58 % 4 = 2"),
        (conv("c", 1, 12, depthwise=True), ""),
        (conv("c", 1, 240, group=3), ""),
        (conv("c", 1, 120, group=3), "40 channels in a group, 40 % 16 = 8"),
    ],
)
def test_the_rules_of_the_blocked_layout(op: ProfiledOperator, says: str) -> None:
    assert layout.rule(op, 16).startswith(says)
    assert bool(layout.rule(op, 16)) == bool(says)


def test_the_block_is_read_from_the_graph() -> None:
    assert layout.block([conv("a", 1, 64), conv("b", 1, 32)]) == 16
    assert layout.block([conv("a", 1, 64), conv("b", 1, 24)]) == 8


def test_padding() -> None:
    padded = keys(network(conv("c", 40.0, 24, stored=32), FAST))
    assert "24 channels stored as 32" in padded["padding"]
    assert "1.33 times the MACs" in padded["padding"]
    assert "padding" not in keys(network(conv("c", 40.0, 32), FAST))


def test_reorders_name_what_wants_the_other_layout() -> None:
    net = network(FAST, other(OpClass.REORDER, 30.0), other(OpClass.CONCAT, 5.0))
    assert "1 reorder between" in keys(net)["reorder"]
    assert "in plain NCHW run 1 concat" in keys(net)["reorder"]
    assert "reorder" not in keys(network(*[FAST] * 100, other(OpClass.REORDER, 30.0)))  # under 1%


def test_depthwise_convolutions_and_what_bounds_them() -> None:
    slow = conv("d", 60.0, depthwise=True)
    said = keys(network(FAST, slow))["depthwise"]
    assert "but the bytes need only" in said
    assert "1.1 MACs per byte (memory bounds under 2)" in said
    assert "the bytes alone need" in keys(network(*[FAST] * 4, conv("d", 14.0, depthwise=True)))["depthwise"]
    wide = Roof(100.0, lambda moved_bytes: 500.0, "a test")
    assert "so not memory" in keys(network(FAST, slow), wide)["depthwise"]
    # As cheap as its MACs: nothing to say.
    assert "depthwise" not in keys(network(FAST, conv("d", 6.0, depthwise=True)))


def test_products_of_low_intensity() -> None:
    product = replace(
        FAST, name="classifier", op_class=OpClass.MATMUL, macs=1_024_000, moved_bytes=4_104_096, time_us=100.0
    )
    assert "1 matrix product: 0.25 MACs per byte" in keys(network(FAST, product))["low intensity"]
    assert "low intensity" not in keys(network(FAST, replace(product, moved_bytes=4_096)))


def test_copies_and_their_times() -> None:
    net = network(FAST, other(OpClass.SHUFFLE, 20.0), other(OpClass.SPLIT, 10.0))
    assert "2 operators only copy (channel shuffle 0.02, split/slice 0.01 ms): 0.8 MB" in keys(net)["copies"]
    assert "copies" not in keys(network(FAST, other(OpClass.ACTIVATION, 20.0)))


def squeezed(gate: tuple[int, ...]) -> ProfiledNetwork:
    vector = replace(conv("reduce", 5.0, 64, pixels=1), op_class=OpClass.POINTWISE)
    return network(FAST, other(OpClass.POOLING, 8.0), vector, vector, other(OpClass.MULTIPLY, 10.0, more=gate))


def test_squeeze_and_excitation_is_found_by_its_gate() -> None:
    assert "1 squeeze-and-excitation block: 4 operators" in keys(squeezed((1, 64, 1, 1)))["squeeze"]
    assert gates(squeezed((1, 64, 1, 1)).operators) == [(1, 2, 3, 4)]
    assert "squeeze" not in keys(squeezed((1, 64, 28, 28)))  # a product of two maps is none
    assert "squeeze" not in keys(squeezed(()))


def test_short_operators() -> None:
    tiny = conv("tiny", 4.0, 16, pixels=1)
    said = keys(network(FAST, *[tiny] * 5, replace(tiny, precise=False)))["short"]
    assert "6 of 7 operators take under 10 µs" in said
    assert "(1 is too short to tell precisely)" in said
    assert "short" not in keys(network(FAST, *[conv("worth it", 4.0, 16, pixels=28)] * 6))


def test_the_residual_of_either_sign() -> None:
    assert "2.00 µs for each of 10 operators" in keys(network(*[FAST] * 10, residual_us=20.0))["residual"]
    assert "exceed the latency" in keys(network(*[FAST] * 10, residual_us=-20.0))["residual"]
    assert "residual" not in keys(network(*[FAST] * 10, residual_us=5.0))


def test_what_has_no_reason_is_told() -> None:
    assert (
        "no reason found here for 1 operator at 12.5 times" in keys(network(FAST, conv("slow", 400.0)))["unexplained"]
    )
    assert "unexplained" not in keys(network(FAST, conv("outside", 400.0, depthwise=True)))


def test_the_roof_of_the_profiles_themselves() -> None:
    roof = find([A, B])
    # B's operators exceed its latency, which no profiler was in: as a whole it is faster than they are.
    assert roof.peak_gmacs_per_s == pytest.approx(B.macs / B.latency_ms / 1e6)
    assert find([A]).peak_gmacs_per_s == pytest.approx(FAST.macs / 40e3)
    assert roof.bandwidth_gb_per_s(1e6) == pytest.approx(max(op.moved_bytes / op.time_us / 1e3 for op in A.operators))
    assert "bench roofline" in roof.origin
    # The network as a whole may be faster than what can be told of its operators: then that is the roof.
    slow = network(replace(FAST, precise=False), replace(FAST, time_us=400.0), residual_us=-380.0)
    assert of_profiles([slow]).peak_gmacs_per_s == pytest.approx(slow.macs / slow.latency_ms / 1e6)


def test_a_network_too_small_to_tell_has_no_roofs_and_says_so() -> None:
    vague = network(replace(FAST, precise=False), replace(FAST, precise=False), residual_us=20.0)
    roof = of_profiles([vague])
    assert not roof.known
    assert list(keys(vague, roof)) == ["residual"]
    lines = [line for section in explain_one(vague, roof, reasons(vague, roof), 6, 4) for line in section.lines]
    assert any(line.startswith("no roofs: no operator takes long enough to tell its rate") for line in lines)
    assert any("too short to tell beside the profiler's cost: 2 of 2 operators, 80.0% of" in line for line in lines)
    assert not any("floor" in line or line.startswith("roofs") for line in lines)
    (table,) = [s.table for s in explain_one(vague, roof, [], 6, 4) if s.table]
    assert table.rows[0][:4] == ("conv 1x1", "2", "0.080", "80.0%")
    assert (table.rows[0][4], table.rows[0][5], table.rows[0][7]) == ("", "", "")
    two = [line for section in explain_two(vague, vague, roof, [[], []], None, 4) for line in section.lines]
    assert sum(line.startswith(("A: too short", "B: too short")) for line in two) == 2


def test_no_line_of_a_profile_exceeds_its_roofs() -> None:
    vague = replace(FAST, time_us=4.0, precise=False)  # ten times the rate of the one that can be told
    mixed = network(FAST, FAST, vague, replace(vague, op_class=OpClass.DENSE))
    roof = find([mixed])
    (first, *_), table = explain_one(mixed, roof, [], 0, 0)[0].lines, explain_one(mixed, roof, [], 0, 0)[1].table
    assert first.endswith(f"{roof.peak_gmacs_per_s:.1f} GMAC/s")  # as a whole it is the fastest that is known
    assert table is not None
    assert [row[7] for row in table.rows if row[0] == "conv dense"] == [""]
    low = Roof(1.0, lambda moved_bytes: 1.0, "measured elsewhere")
    said = [line for section in explain_one(mixed, low, [], 0, 0) for line in section.lines]
    assert "the roofs are below what operators as small as these reach: no floor of the whole" in said


def test_operators_beyond_the_latency_are_told_from_two_percent_on() -> None:
    beyond = network(*[FAST] * 10, residual_us=-9.0)
    said = [line for section in explain_one(beyond, ROOF, reasons(beyond, ROOF), 0, 0) for line in section.lines]
    assert any(line.startswith("operators exceed the latency") for line in said)


def test_bytes_that_operators_move() -> None:
    assert moved_elements("Conv", ((1, 8, 4, 4), (16, 8, 1, 1)), (1, 16, 4, 4), (16, 8, 1, 1)) == 128 + 128 + 256
    assert moved_elements("Gemm", ((1, 8), (10,)), (1, 10), (10, 8)) == 8 + 10 + 10 + 80  # its weight is packed
    assert moved_elements("Reshape", ((1, 8, 4, 4),), (1, 128), ()) == 0
    assert moved_elements("Split", ((1, 8, 4, 4),), (1, 4, 4, 4), ()) == 256
    assert moved_elements("Slice", ((1, 8, 4, 4),), (1, 2, 4, 4), ()) == 64


@pytest.mark.parametrize(
    ("content", "says"), [("{", "is no JSON"), ("{}", "is no profile"), ("[]", "is no profile"), (None, "cannot read")]
)
def test_a_file_that_is_no_profile(tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "profile.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(OutputError, match=says):
        load(path)


def test_a_profile_taken_elsewhere_never_gets_the_roof_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A board of the same CPU model is another machine, and so is one that an old record does not name."""
    kept = SimpleNamespace(precision="fp32", peak_gmacs_per_s=50.0, bandwidth_gb_per_s=lambda moved: 10.0)
    mine = machine_of(local())
    monkeypatch.setattr("bench.machine.roofs.known", lambda name, *_: kept if name == mine else None)
    here = replace(A, cpu=local().cpu, machine=machine_of(local()))
    assert find([here]).origin == "measured by `bench roofline`"
    for machine in ("", machine_of(replace(local(), system_id="another board"))):
        assert find([replace(here, machine=machine)]).origin.startswith("the best operators of the profile")
