from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.jobs import JobSide, combine, detectable, difference, gate, judge, paired, within_variance

VERDICTS = {"slower": "faster", "faster": "slower"}
LOGS = st.lists(st.floats(-3, 3), min_size=1, max_size=9)


def side(logs: list[float], within: float = 1e-4) -> JobSide:
    return JobSide(tuple(logs), (within,) * len(logs))


@given(LOGS, LOGS, st.floats(0, 0.1))
def test_swapping_the_sides_inverts_ratio_and_verdict(x: list[float], y: list[float], margin: float) -> None:
    there, back = difference(side(x), side(y)), difference(side(y), side(x))
    assert there.log_ratio == pytest.approx(-back.log_ratio)
    lo, hi = there.interval(0.95)
    assert back.interval(0.95) == (pytest.approx(-hi), pytest.approx(-lo))
    verdict = judge(there, margin)
    assert judge(back, margin) == VERDICTS.get(verdict, verdict)


def test_without_a_prior_it_is_welchs_t() -> None:
    """With many jobs the prior fades: the interval approaches that of Welch's test."""
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(3)
    x, y = rng.normal(0, 0.03, 400), rng.normal(0.02, 0.01, 300)
    lo, hi = difference(side(x.tolist()), side(y.tolist())).interval(0.95)
    welch = ttest_ind(y, x, equal_var=False).confidence_interval(0.95)
    assert (lo, hi) == (pytest.approx(welch.low, abs=2e-4), pytest.approx(welch.high, abs=2e-4))


@pytest.mark.parametrize("jobs", [1, 2, 3, 5, 10])
def test_the_interval_covers_where_the_prior_holds(jobs: int) -> None:
    """Jobs that differ by the assumed 3%: 95% intervals hold the truth in 93% of cases or more, also with one job."""
    rng = np.random.default_rng(jobs)
    inside = 0
    for _ in range(1000):
        x, y = rng.normal(0, 0.03, jobs), rng.normal(0.04, 0.03, jobs)
        lo, hi = difference(side(x.tolist()), side(y.tolist())).interval(0.95)
        inside += lo <= 0.04 <= hi
    assert inside >= 930


def test_noise_has_no_verdict_over_many_cases() -> None:
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(300):
        pairs = [rng.normal(0, 0.03, (2, 5)).tolist() for _ in range(20)]
        found = [difference(side(x), side(y)) for x, y in pairs]
        wrong += any(judge(f, 0.01, 20) in ("slower", "faster") for f in found)
    assert wrong <= 6  # 1% is meant; the margin makes it less


@pytest.mark.parametrize(
    ("shift", "sd", "verdict"),
    [
        (0.0, 0.002, "equivalent"),
        (0.05, 0.002, "slower"),
        (-0.05, 0.002, "faster"),
        (0.0, 0.05, "inconclusive"),
    ],
)
def test_verdicts(shift: float, sd: float, verdict: str) -> None:
    steps = np.linspace(-1.5, 1.5, 12) * sd
    found = difference(side(steps.tolist(), 1e-6), side((steps + shift).tolist(), 1e-6), prior_sd=0.005)
    assert judge(found, 0.01) == verdict


def test_a_small_sure_change_is_changed_below_threshold() -> None:
    steps = np.linspace(-1, 1, 60) * 0.04
    found = difference(side(steps.tolist()), side((steps + 0.015).tolist()))
    assert judge(found, 0.01) == "changed below threshold"


def test_a_job_repeats_no_better_than_its_launches() -> None:
    """Jobs that agree by chance: the rows' own intervals stay in."""
    found = difference(side([0.0] * 50, 0.02**2), side([0.0] * 50, 0.02**2), prior_sd=0.001)
    assert found.error == pytest.approx(0.02 * math.sqrt(2 / 50))


def test_what_a_gate_does() -> None:
    shifts = (0.0, 0.015, 0.04, 0.06)
    sure = {shift: difference(side([0.0] * 30, 1e-6), side([shift] * 30, 1e-6), 0.005) for shift in shifts}
    said = {shift: gate(found, judge(found, 0.01), 0.05) for shift, found in sure.items()}
    assert said == {0.0: "passed", 0.015: "passed", 0.04: "tripped", 0.06: "tripped"}
    unsure = difference(side([0.0]), side([0.0]))
    assert gate(unsure, judge(unsure, 0.01), 0.05) == "open"
    assert detectable(unsure, 0.01) > 0.1  # one job a side cannot see 10%


def test_paired_jobs_cancel_what_they_share() -> None:
    shared = np.random.default_rng(1).normal(0, 0.2, 12)
    base, new = side(shared.tolist()), side((shared + 0.05).tolist())
    assert paired(base, new).error < difference(base, new).error / 4
    assert paired(base, new).log_ratio == pytest.approx(0.05)
    with pytest.raises(ValueError):
        paired(base, side([0.0]))


def test_a_mean_over_cases_keeps_what_jobs_share() -> None:
    """Ten cases that all swing with the job give the same job spread as one of them."""
    swings = [0.05, -0.05, 0.03, -0.03]
    together = combine([side(swings) for _ in range(10)])
    assert np.std(together.logs) == pytest.approx(np.std(swings))
    assert together.within[0] == pytest.approx(1e-5)


def test_a_rows_interval_gives_its_variance_back() -> None:
    from scipy.special import stdtrit

    half = float(stdtrit(7, 0.975)) * 0.01
    assert within_variance(5 * math.exp(-half), 5 * math.exp(half), 8) == pytest.approx(1e-4)
    assert within_variance(float("nan"), float("nan"), 8) == 0


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError):
        difference(side([]), side([0.0]))
    with pytest.raises(ValueError):
        difference(side([math.inf]), side([0.0]))
