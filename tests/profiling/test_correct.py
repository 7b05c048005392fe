"""Taking the profiler out: properties of pure functions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.backends.profiling import ProfilerCost, middle
from bench.profiling.correct import alone_over_beside, correct, delta, imprecise, reduce_raw, take_out

times = st.floats(0, 1e8)
positive = st.floats(1.0, 1e9)
costs = st.tuples(st.floats(-2000, 1e4), st.floats(0, 1e4), st.floats(0, 1000)).map(
    lambda t: ProfilerCost(t[0], t[0] + t[1], t[2], 1000.0)
)


@st.composite
def loads(draw: st.DrawFn):
    n = draw(st.integers(1, 12))
    sizes = draw(st.lists(st.sampled_from([1, n]), min_size=1, max_size=8))
    raw = [draw(st.lists(times, min_size=size, max_size=size)) for size in sizes]
    latencies = [draw(st.lists(positive, min_size=n, max_size=n)) for _ in range(2)]
    return latencies[0], latencies[1], raw, [1.0] * len(sizes), draw(costs)


@given(loads())
def test_the_latency_is_the_unprofiled_one(load) -> None:
    found = correct(*load)
    assert found.unprofiled_ns == middle(load[0])


@given(loads())
def test_no_time_is_negative_and_delta_keeps_to_its_calibration(load) -> None:
    found = correct(*load)
    cost = load[-1]
    assert min(found.corrected_ns) >= 0
    assert cost.hot_ns <= found.delta_ns <= cost.cold_ns
    for raw, corrected in zip(found.raw_ns, found.corrected_ns, strict=True):
        assert corrected <= raw or found.delta_ns < 0


@given(times, st.floats(1, 10), st.floats(0, 1e4), st.floats(0, 1e4))
def test_a_larger_delta_never_leaves_more(raw: float, events: float, small: float, more: float) -> None:
    assert take_out(raw, events, small + more, 1000) <= take_out(raw, events, small, 1000)


@given(st.lists(st.floats(5e3, 1e7), min_size=1, max_size=30), st.floats(100, 4000))
def test_a_known_cost_is_taken_out_exactly(true: list[float], cost_ns: float) -> None:
    """Operators whose true times are known, told with δ each, and nothing between them."""
    total = sum(true)
    raw = [[t + cost_ns] * 4 for t in true]
    profiled = [total + cost_ns * len(true)] * 4
    found = correct([total] * 4, profiled, raw, [1.0] * len(true), ProfilerCost(50, 5000, 0.0, 1000))
    assert found.delta_ns == pytest.approx(cost_ns, rel=1e-3, abs=1)
    assert found.corrected_ns == pytest.approx(true, rel=1e-3)
    assert sum(found.corrected_ns) == pytest.approx(found.unprofiled_ns, rel=1e-6)


def test_what_the_network_says_cannot_leave_the_calibration() -> None:
    cost = ProfilerCost(1000, 4000, 200, 1000)
    assert delta(100_000, 70_000, 10, cost) == 3200
    assert delta(100_000, 10_000, 10, cost) == 4000  # a slow moment of the machine is no cost of the profiler
    assert delta(100_000, 120_000, 10, cost) == 1000
    assert delta(0, 10, 0, cost) == 1000


def test_a_truncating_counter_gets_its_microsecond_back_unless_it_says_nothing() -> None:
    assert take_out(5000, 1, -1000, 1000) == 6000
    assert take_out(0, 1, -1000, 1000) == 0


def test_one_wild_inference_does_not_move_an_operator() -> None:
    raw = [[10.0, 10, 10, 10, 10, 10, 10, 9000], [5.0, 5, 5, 5, 5, 5, 5, 5]]
    assert reduce_raw(raw, [15.0] * 7 + [9005.0]) == (10.0, 5.0)
    # Where only the mean is told, it is scaled by median over mean of the latencies.
    assert reduce_raw([[(70 + 9000) / 8]], [10.0] * 7 + [9000.0]) == pytest.approx((10.0,), rel=1e-2)


def test_short_operators_are_marked() -> None:
    assert imprecise(5000, 1, 2000)
    assert not imprecise(7000, 1, 2000)
    assert imprecise(2000, 1, -1000)


@given(loads(), st.floats(0.5, 2.0))
def test_times_are_told_for_the_session_alone(load, factor: float) -> None:
    beside, alone = correct(*load), correct(*load, scale=factor)
    assert alone.unprofiled_ns == pytest.approx(beside.unprofiled_ns * factor)
    assert alone.corrected_ns == pytest.approx([t * factor for t in beside.corrected_ns])
    assert (alone.delta_ns, alone.raw_ns) == (beside.delta_ns, beside.raw_ns)


def test_one_disturbed_load_does_not_move_the_factor() -> None:
    quiet = ([98.0] * 8, [100.0] * 8)
    assert alone_over_beside([quiet, ([300.0] * 8, [100.0] * 8), quiet]) == pytest.approx(0.98)
