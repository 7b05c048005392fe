from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.limit import UNKNOWN, judge, mean_interval, percentile_interval

WORST_FIRST = ["fail", "inconclusive", "pass"]


@given(st.floats(0.1, 10), st.floats(0, 5), st.floats(0.05, 20))
def test_the_interval_decides_and_a_wider_limit_is_never_worse(lo: float, width: float, limit: float) -> None:
    said = judge((lo, lo + width), limit)
    assert (said == "pass") == (lo + width <= limit)
    assert (said == "fail") == (lo > limit)
    assert WORST_FIRST.index(judge((lo, lo + width), limit + 1)) >= WORST_FIRST.index(said)


def test_what_nothing_bounds_neither_passes_nor_fails() -> None:
    assert judge(UNKNOWN, 1e9) == judge(UNKNOWN, 1e-9) == "inconclusive"
    assert mean_interval([1.0]) == percentile_interval([np.ones(500)], 50) == percentile_interval([], 99) == UNKNOWN


def test_the_mean_is_students() -> None:
    from scipy.stats import t

    x = np.random.default_rng(0).normal(1.0, 0.02, 9)
    lo, hi = t.interval(0.95, 8, x.mean(), x.std(ddof=1) / 3)
    assert mean_interval(np.exp(x).tolist()) == pytest.approx((math.exp(lo), math.exp(hi)))


def test_a_percentile_without_samples_beyond_it_is_open() -> None:
    """The rule of three, and more: 335 samples that all agree bound no 99th percentile, 800 do."""
    x = np.random.default_rng(1).lognormal(0, 0.01, (5, 67))
    lo, hi = percentile_interval(list(x), 99)
    assert hi == math.inf
    assert lo > 0.95
    assert percentile_interval(list(x), 50)[1] < 1.01
    assert percentile_interval(list(np.random.default_rng(1).lognormal(0, 0.01, (12, 67))), 99)[1] < math.inf


@pytest.mark.parametrize(("q", "launches"), [(50, 5), (50, 12), (90, 5), (90, 12), (99, 15)])
@pytest.mark.parametrize("spikes", [False, True])
@pytest.mark.parametrize("between", [0.003, 0.01])
def test_the_interval_covers(q: int, launches: int, spikes: bool, between: float) -> None:
    """Of launches that differ, with samples that agree within them, and with rare ones that do not."""
    rng = np.random.default_rng(q)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        late = np.where(rng.random(shape) < 0.03, rng.uniform(0.1, 0.4, shape), 0.0) if spikes else 0.0
        return np.exp(rng.normal(0, between, (*shape[:-1], 1)) + rng.normal(0, 0.01, shape) + late)

    true = float(np.quantile(draw((10_000, 40)), q / 100))
    ends = np.array([percentile_interval(list(x), q) for x in draw((300, launches, 67))])
    assert ((ends[:, 0] <= true) & (true <= ends[:, 1])).mean() >= 0.93


@given(st.integers(2, 8), st.integers(1, 90), st.integers(0, 1000), st.sampled_from([50, 90, 99]))
def test_the_interval_holds_the_percentile_itself(launches: int, samples: int, seed: int, q: int) -> None:
    x = np.random.default_rng(seed).lognormal(0, 0.3, (launches, samples))
    lo, hi = percentile_interval(list(x), q)
    assert lo <= np.quantile(x, q / 100, method="inverted_cdf") <= hi


def test_launches_that_agree_to_the_last_bit() -> None:
    assert percentile_interval([np.full(200, 2.0)] * 9, 99) == pytest.approx((2.0, 2.0))
