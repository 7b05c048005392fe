"""Blocks are set aside for what surrounded them, never for their own latencies."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import backends
from bench.machine.baseline import BaselineSpeed, baseline_of, reading
from bench.machine.environment import Environment, local
from bench.measure.evidence import LOST_SHARE, fault, weigh
from bench.measure.pairs import Quad, reduced, undisturbed
from bench.measure.runner import Runner
from bench.plan import zoo
from bench.plan.case import cross
from bench.plan.protocol import Protocol
from bench.rows.schema import Row

BASELINE = BaselineSpeed(1000.0, 50000.0)


def block(latency: int = 10, share: float = 1.0, gemm: float = 1000.0, copy: float = 50000.0, **more: Any):
    counters = {"wall_ns": 1e7, "cpu_ns": 1e7 * share} | more
    workload = [{"gemm_ns": gemm}, {"gemm_ns": gemm, "copy_ns": copy}]
    return {"latency_ns": [latency] * 5, "covariates": counters, "canary": workload}


@pytest.mark.parametrize(
    ("disturbed", "reason"),
    [
        (block(), ""),
        (block(latency=10**9), ""),
        (block(share=0.8), "shared"),
        (block(steal_ms=10), "stolen"),
        (block(throttled=1), "throttled"),
        (block(gemm=1300.0), "slow"),
        (block(copy=160000.0), "memory"),
        (block(gemm=1200.0, copy=90000.0, steal_ms=0, throttled=0), ""),
    ],
)
def test_every_disturbance_has_its_name(disturbed: dict[str, Any], reason: str) -> None:
    assert fault(disturbed, BASELINE, 1.0, 1) == reason


@pytest.mark.parametrize("share", [0.47, 0.51, 0.93])
def test_a_thief_that_takes_an_equal_part_of_every_block_is_seen(share: float) -> None:
    """A quota in periods too short to be counted, or a busy loop on the only core: no block of the case is full."""
    found = weigh([[block(share=share)] * 4] * 5, BASELINE)
    assert not found.sound
    assert found.aside == {"shared": 20}


def test_two_threads_that_fill_their_cores_are_not_held_against_a_fluke() -> None:
    blocks = [block(share=2.06), *[block(share=1.99) for _ in range(51)]]
    assert weigh([blocks[:26], blocks[26:]], BASELINE, threads=2).aside == {}


def test_threads_that_wait_for_each_other_are_quiet_and_beside_a_neighbour_are_not() -> None:
    waiting = [block(share=1.3, involuntary_switches=1) for _ in range(8)]
    assert weigh([waiting[:4], waiting[4:]], BASELINE, threads=2).aside == {}
    put_off = [block(share=1.0, involuntary_switches=12) for _ in range(8)]
    assert weigh([put_off[:4], put_off[4:]], BASELINE, threads=2).aside == {"shared": 8}


def test_what_is_normal_for_several_threads_is_told_by_the_case() -> None:
    two_threads = [[block(share=1.9), block(share=1.88)], [block(share=1.5), block(share=1.91)]]
    found = weigh(two_threads, BASELINE, threads=2)
    assert found.aside == {"shared": 1, "alone": 1}  # a launch with one block left does not count
    assert len(found.launches) == 1
    assert found.share_aside == 0.5
    assert found.counting == (0,)


def test_where_cpu_time_says_nothing_it_is_not_asked() -> None:
    on_a_gpu = block(share=0.2) | {"host_ns": [1]}
    scripted = block(share=0.2) | {"scripted": True}
    assert weigh([[on_a_gpu, on_a_gpu], [scripted, scripted]], BASELINE).aside == {}


@pytest.mark.parametrize("counters", [{"steal_ms": 10}, {"throttled": 1}])
def test_nothing_is_taken_from_what_is_scripted(counters: dict[str, int]) -> None:
    """Else its rows would depend on the machine: a microsecond of wall time meets a whole tick of stolen time."""
    scripted = block(**counters) | {"scripted": True}
    assert fault(scripted, BASELINE, None, 1) == ""
    assert fault(scripted | {"canary": block(gemm=1300.0)["canary"]}, BASELINE, None, 1) == "slow"


def test_a_case_that_was_disturbed_throughout_keeps_everything_and_says_so() -> None:
    found = weigh([[block(7, gemm=2000.0)] * 2, [block(9, gemm=2000.0)] * 2], BASELINE)
    assert not found.sound
    assert [sum(launch) for launch in found.launches] == [70, 90]
    assert (found.share_aside, found.aside) == (1.0, {"slow": 4})
    assert found.counting == (0, 1)


def test_nothing_measured_is_no_evidence() -> None:
    assert weigh([[], []], None).launches == []


@given(st.lists(st.integers(1, 10**9), min_size=4, max_size=4), st.lists(st.booleans(), min_size=4, max_size=4))
def test_latencies_have_no_say(latencies: list[int], bad: list[bool]) -> None:
    def aside(values: list[int]) -> dict[str, int]:
        blocks = [block(v, gemm=2000.0 if b else 1000.0) for v, b in zip(values, bad, strict=True)]
        return weigh([blocks[:2], blocks[2:]], BASELINE).aside

    assert aside(latencies) == aside([1, 1, 1, 1])


def test_slowness_is_the_log_of_the_workload_over_the_baseline() -> None:
    found = weigh([[block(gemm=1100.0, copy=75000.0)] * 2, [block()] * 2], BASELINE)
    assert found.offsets[0] == pytest.approx((math.log(1.1), math.log(1.5)))
    assert found.offsets[1] == pytest.approx((0.0, 0.0))
    assert (found.crowded, found.regime) == (0.5, "mixed")


def test_how_long_it_took_is_told_from_the_first_launch_to_the_last() -> None:
    launches = [[block() | {"start_ns": s * 10**9}] * 2 for s in (100, 130, 190)]
    assert weigh(launches, BASELINE).over_s == 90.0


def test_the_baseline_is_a_low_quantile_and_not_the_minimum() -> None:
    readings = [BaselineSpeed(float(g), 1.0) for g in [500, *[1000] * 30, *[1500] * 69]]
    assert baseline_of(readings).gemm_ns == 1000
    assert reading(block(gemm=7.0)).gemm_ns == 7.0


def test_pairs_lose_a_disturbed_quad_as_a_whole() -> None:
    calm, robbed = block() | {"side": "A"}, block(share=0.5) | {"side": "B"}
    other = block() | {"side": "B"}
    quads = [Quad(0.0, 0, [calm, other]), Quad(0.7, 1, [calm, robbed]), Quad(0.1, 0, [calm, other])]
    assert [quad.log_ratio for quad in undisturbed(quads)] == [0.0, 0.1]
    mostly = [quads[0], quads[1], Quad(0.8, 1, [calm, robbed])]
    assert undisturbed(mostly) == mostly


def test_the_warm_position_cancels() -> None:
    quads = [Quad(0.03 + warm * 0.01, first, []) for first, warm in ((0, -1), (1, 1), (0, -1), (0, -1), (1, 1))]
    assert reduced(quads) == pytest.approx(0.03)
    assert reduced(quads[:1]) == pytest.approx(0.02)


def scripted(tiny: Path, spec: str, protocol: Protocol) -> Row:
    plan = cross([zoo.resolve(str(tiny))], [backends.resolve(spec)], protocol=protocol)
    (row,) = Runner(plan).run()
    return row


def test_blocks_beside_a_neighbour_do_not_count(tiny: Path) -> None:
    row = scripted(tiny, "fake:latency_ms=2,disturb_every=3", Protocol(launches=3, rounds=4))
    assert row.latency_ms == pytest.approx(2.0)
    assert row.set_aside == pytest.approx(0.25)
    assert (row.status, row.blocks, row.machine_speed) == ("ok", 12, pytest.approx(1.0))


def test_a_neighbour_that_never_leaves_is_said(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.measure import state

    known = BaselineSpeed(1000.0, 100000.0)
    monkeypatch.setattr(state.baseline, "recall", lambda *_: known)
    row = scripted(tiny, "fake:disturb_every=1", Protocol(launches=3, rounds=2, budget_s=0.5))
    assert row.status == "noisy"
    assert "not one launch was undisturbed (6 of 6 timing blocks do not count: 6 on a slow core)" in row.error
    assert row.latency_ms == pytest.approx(2.0)
    assert row.set_aside == 1.0


def test_an_only_undisturbed_launch_says_what_became_of_the_others(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.measure import state

    def weigh_with_a_neighbour(launches: list[list[Any]], *known: Any) -> Any:
        """From the second launch on, the product beside each block takes twice its usual time."""
        beside = [{"gemm_ns": 2000.0, "copy_ns": 100000.0}] * 2
        return weigh([*launches[:1], *([b | {"canary": beside} for b in launch] for launch in launches[1:])], *known)

    monkeypatch.setattr(state.baseline, "recall", lambda *_: BaselineSpeed(1000.0, 100000.0))
    alone = scripted(tiny, "fake", Protocol(launches=1, max_launches=1))
    assert alone.error == "an interval needs two launches at least: leave --launches 1 out"
    monkeypatch.setattr(state, "weigh", weigh_with_a_neighbour)
    row = scripted(tiny, "fake", Protocol(launches=3, max_launches=3, rounds=4, budget_s=0.5))
    assert (row.status, row.launches, row.latency_lo_ms) == ("noisy", 1, None)
    said = "an interval needs two undisturbed launches, and of 3 one was (8 of 12 timing blocks do not count: 8 on a "
    assert row.error == said + "slow core); `bench doctor` may know why"


def test_a_slow_machine_is_told_for_its_baseline_speed(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.measure import state

    monkeypatch.setattr(state.baseline, "recall", lambda *_: BaselineSpeed(1000.0, 100000.0))
    row = scripted(tiny, "fake:latency_ms=2,slowness=1.02", Protocol(launches=3, rounds=2))
    assert row.latency_ms == pytest.approx(2.0)
    assert row.p50_ms == pytest.approx(2 * 1.02**0.65, rel=1e-4)
    assert (row.machine_speed, row.status) == (pytest.approx(1 / 1.02), "ok")
    slower = scripted(tiny, "fake:latency_ms=2,slowness=1.2", Protocol(launches=3, rounds=2, max_launches=4))
    assert slower.latency_ms == pytest.approx(2.0)
    assert slower.status == "noisy"  # too far from the baseline speed to be sure of the slope
    assert "the machine ran at 83% of its baseline speed" in slower.error


def test_an_emulated_cpu_is_never_ok(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.measure.launch import Launch

    load = Launch.load
    monkeypatch.setattr(Launch, "load", lambda *a: load(*a) | {"emulated": True})
    row = scripted(tiny, "fake", Protocol(launches=3, rounds=1))
    assert (row.status, row.emulated) == ("noisy", True)
    assert "emulated" in row.error


def test_lost_time_is_measured_on_a_real_core(tiny: Path) -> None:
    """A quiet block of a real runtime on one thread uses its core from end to end, or nearly."""
    plan = cross(
        [zoo.resolve(str(tiny))], [backends.resolve("onnxruntime")], protocol=Protocol(launches=1, max_launches=1)
    )
    raw: list[dict[str, Any]] = []
    runner = Runner(plan)
    runner.observer.samples = raw.extend
    list(runner.run())
    shares = [b["covariates"]["cpu_ns"] / b["covariates"]["wall_ns"] for r in raw for b in r["blocks"]]
    assert 0 < max(shares) <= 1 + LOST_SHARE
    assert isinstance(local(), Environment)
