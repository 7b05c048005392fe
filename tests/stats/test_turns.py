"""The interval of an effect promises another run: on made-up machines whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.stats.ratio import effect
from bench.stats.turns import BETWEEN_SD, WITHIN_SD, Spread, another, learn


def made_up(rng: np.random.Generator, within: float, between: float, sessions: int, n: int = 4) -> list[list[float]]:
    return [list(rng.normal(0.3 + rng.normal(0, between), within, n)) for _ in range(sessions)]


def test_spreads_of_a_machine_are_learnt() -> None:
    rng = np.random.default_rng(1)
    groups = [[made_up(rng, 0.006, 0.03, 2)] for _ in range(60)]
    found = learn(groups)
    assert found.sessions == 60
    assert found.within == pytest.approx(0.006, rel=0.15)
    assert found.between == pytest.approx(0.03, rel=0.2)


def test_without_sessions_what_another_machine_showed_stands_in() -> None:
    assert learn([]) == Spread()
    found = learn([[[[0.1, 0.12, 0.11]]]])
    assert (found.between, found.sessions) == (BETWEEN_SD, 0)
    assert found.within != WITHIN_SD


def test_pairs_of_the_same_replicates_count_once() -> None:
    rng = np.random.default_rng(2)
    pair = made_up(rng, 0.01, 0.05, 2)
    assert learn([[pair] * 20]).sessions == 1
    assert learn([[pair] * 20]).between == pytest.approx(learn([[pair]]).between)


def test_the_interval_holds_what_other_runs_find() -> None:
    rng = np.random.default_rng(3)
    spread = learn([[made_up(rng, 0.01, 0.015, 2)] for _ in range(300)])
    hits, old, widths = 0, 0, []
    for _ in range(1000):
        logs = made_up(rng, 0.01, 0.015, 1)
        found, one_run = another(logs, spread), effect(logs[0])
        hits += found.lo <= 0.3 <= found.hi
        old += one_run.lo <= 0.3 <= one_run.hi
        widths.append(found.hi - found.lo)
    assert 910 <= hits <= 985
    assert old < 850  # of one run alone
    assert np.median(widths) < 1.2 * 2 * 1.96 * math.hypot(0.01 / 2, 0.015)


def test_more_sessions_narrow_it_and_more_confidence_widens_it() -> None:
    spread = Spread()
    once, twice = [[0.3, 0.31, 0.29, 0.3]], [[0.3, 0.31], [0.29, 0.3]]
    one, two, sure = another(once, spread), another(twice, spread), another(once, spread, 0.999)
    assert two.hi - two.lo < one.hi - one.lo < sure.hi - sure.lo
    assert one.log == two.log == sure.log


@pytest.mark.parametrize("logs", [[], [[0.1, 0.2]], [[0.1, math.nan, 0.2]]])
def test_an_interval_needs_three_finite_samples(logs: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="interval"):
        another(logs, Spread())
