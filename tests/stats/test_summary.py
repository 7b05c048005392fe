from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.machine.baseline import SLOW_SD, BaselineSpeed
from bench.stats.repeats import SLOPE, expected
from bench.stats.summary import SAMPLES_FOR, confidence, estimate, percentile

positive = st.floats(min_value=1e2, max_value=1e10)
launches = st.lists(st.lists(positive, min_size=1, max_size=9), min_size=2, max_size=8)


def slow_estimate(series: list[list[float]]) -> tuple[float, float, float]:
    """The same from the textbook, with scipy's t distribution."""
    from scipy import stats

    logs = [math.log(statistics.median(samples)) for samples in series]
    centre = statistics.fmean(logs)
    half = stats.t.ppf(0.975, len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(centre), math.exp(centre - half), math.exp(centre + half)


@given(launches)
def test_equals_the_textbook(series: list[list[float]]) -> None:
    found = estimate(series)
    assert (found.latency_ns, found.lo_ns, found.hi_ns) == pytest.approx(slow_estimate(series), rel=1e-9)
    assert (found.within_lo_ns, found.within_hi_ns) == (found.lo_ns, found.hi_ns)  # nothing is known of other runs


@given(launches, st.floats(min_value=0.01, max_value=100), st.randoms())
def test_scales_and_does_not_mind_the_order(series: list[list[float]], factor: float, random: object) -> None:
    found = estimate(series)
    scaled = estimate([[x * factor for x in samples] for samples in series])
    assert scaled.latency_ns == pytest.approx(found.latency_ns * factor)
    assert scaled.half_width == pytest.approx(found.half_width, rel=1e-6, abs=1e-9)
    shuffled = [list(samples) for samples in series]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert estimate(shuffled).latency_ns == pytest.approx(found.latency_ns)


def test_the_interval_covers() -> None:
    """With launches that differ by a lognormal factor, a nominal 95% interval covers 93 to 97%."""
    rng = np.random.default_rng(1)
    trials, hits = 3000, 0
    for _ in range(trials):
        factors = rng.lognormal(0.0, 0.04, size=5)
        found = estimate([[1e6 * f * g for g in rng.lognormal(0.0, 0.01, size=11)] for f in factors])
        assert found.lo_ns is not None
        assert found.hi_ns is not None
        hits += found.lo_ns <= 1e6 <= found.hi_ns
    assert 0.93 <= hits / trials <= 0.97


@pytest.mark.parametrize("sd", [0.005, 0.012, 0.025, 0.04])
def test_the_interval_covers_although_the_run_stops_when_it_is_narrow(sd: float) -> None:
    """Asked at 5, 8, 12, 18, 27 and 40 launches whether it is within 2%, as a run does."""
    rng = np.random.default_rng(2)
    trials, hits = 1500, 0
    for _ in range(trials):
        medians = rng.lognormal(0.0, sd, size=(40, 1)) * 1e6
        for n in (5, 8, 12, 18, 27, 40):
            found = estimate(medians[:n], level=confidence(n, 5))
            if found.half_width <= 0.02:
                break
        hits += bool(found.lo_ns and found.hi_ns and found.lo_ns <= 1e6 <= found.hi_ns)
    assert 0.925 <= hits / trials <= 0.975


@pytest.mark.parametrize("slope_sd", [0.0, 0.2])
def test_the_interval_covers_where_the_clock_moves(slope_sd: float) -> None:
    """Slopes as the prior expects them, a clock that is up to 15% slow for whole runs and wanders by 3% in a run."""
    rng = np.random.default_rng(3)
    trials, hits, naive = 1500, 0, 0
    for _ in range(trials):
        slope = rng.normal(SLOPE, slope_sd)
        slow = rng.uniform(0.0, 0.15) + rng.normal(0.0, 0.03, size=6)
        medians = 1e6 * np.exp(slope * slow + rng.normal(0.0, 0.012, size=6))
        found, raw = estimate(medians[:, None], [(s, 0.0) for s in slow]), estimate(medians[:, None])
        hits += bool(found.lo_ns and found.hi_ns and found.lo_ns <= 1e6 <= found.hi_ns)
        naive += bool(raw.lo_ns and raw.hi_ns and raw.lo_ns <= 1e6 <= raw.hi_ns)
    assert hits / trials >= 0.93
    assert naive / trials < 0.6


@given(launches, st.floats(min_value=-0.2, max_value=0.2))
def test_slowness_that_never_changes_is_bridged_by_the_prior_alone(series: list[list[float]], slow: float) -> None:
    plain, told = estimate(series), estimate(series, [(slow, 0.0)] * len(series))
    assert told.latency_ns == pytest.approx(plain.latency_ns * math.exp(-SLOPE * slow))
    assert told.half_width >= plain.half_width * (1 - 1e-9)
    assert told.speed == pytest.approx(math.exp(-slow))


@given(st.lists(st.floats(-0.2, 0.2), min_size=3, max_size=20), st.floats(0.1, 0.9), st.floats(1e3, 1e9))
def test_a_slope_that_is_there_is_found(slow: list[float], slope: float, base: float) -> None:
    found = estimate([[base * math.exp(slope * s)] for s in slow], [(s, 0.0) for s in slow])
    bridged = abs(statistics.fmean(slow))
    assert abs(math.log(found.latency_ns / base)) <= abs(slope - SLOPE) * bridged + 1e-9


def test_another_run_is_less_certain_than_this_one() -> None:
    series = [[1e6], [1.01e6], [0.99e6], [1e6]]
    plain = estimate(series)
    repeats = expected(1e6)
    found = estimate(series, repeats=repeats)
    assert (found.within_lo_ns, found.within_hi_ns) == (plain.within_lo_ns, plain.within_hi_ns)
    assert found.between_sd == pytest.approx(repeats.between(0.0))
    assert found.half_width > 2 * repeats.tau > found.within_half_width
    spread = estimate(series, repeats=repeats, over_s=120)
    assert found.half_width > spread.half_width > found.within_half_width


def test_a_reference_that_was_hardly_met_widens_the_lower_side_alone() -> None:
    """A machine met once may have been slow that day: its quiet latency is lower, never higher."""
    series = [[1e6], [1.01e6], [0.99e6], [1e6]]
    sure, unsure = estimate(series), estimate(series, unsure=0.1)
    assert unsure.hi_ns == sure.hi_ns
    assert unsure.lo_ns == pytest.approx(
        unsure.latency_ns * math.exp(-math.hypot(0.1, math.log(sure.latency_ns / sure.lo_ns)))
    )


def test_one_launch_has_no_interval() -> None:
    found = estimate([[1.0, 2.0, 3.0]])
    assert (found.latency_ns, found.lo_ns, found.half_width) == (2.0, None, math.inf)


@pytest.mark.parametrize("wrong", [[], [[]], [[0.0, 0.0]], [[-1.0]]])
def test_refuses_what_is_no_latency(wrong: list[list[float]]) -> None:
    with pytest.raises(ValueError):
        estimate(wrong)


@pytest.mark.parametrize("q", [50, 90, 99])
def test_percentiles_only_from_enough_samples(q: int) -> None:
    enough = SAMPLES_FOR.get(q, 1)
    assert percentile(range(enough - 1), q) is None
    ordered = sorted(range(1, 1001), key=lambda x: x % 7)
    assert percentile(ordered, q) == q * 10


def test_a_first_run_on_a_slow_machine_holds_its_quiet_latency() -> None:
    """The run's own blocks tell the baseline speed, so that nothing shows how slow the machine is today."""
    rng = np.random.default_rng(4)
    trials, hits, naive = 1500, 0, 0
    for _ in range(trials):
        slow = abs(rng.normal(0.0, SLOW_SD)) + rng.normal(0.0, 0.01, size=5)
        medians = 1e6 * np.exp(rng.normal(SLOPE, 0.15) * slow + rng.normal(0.0, 0.012, size=5))
        own = np.quantile(slow, 0.25)
        found = estimate(
            [[m] for m in medians],
            [(s - own, 0.0) for s in slow],
            expected(1e6),
            unsure=SLOPE * BaselineSpeed(1, 1).unsure,
        )
        assert found.lo_ns is not None
        assert found.hi_ns is not None
        hits += found.lo_ns <= 1e6 <= found.hi_ns
        naive += bool(found.within_lo_ns and found.within_hi_ns and found.within_lo_ns <= 1e6 <= found.within_hi_ns)
    assert hits / trials >= 0.95
    assert naive / trials < 0.5
