from __future__ import annotations

import numpy as np
import pytest

from bench.stats import changes as changes_module
from bench.stats.changes import changes, noise, pull_in


def series(seed: int, n: int, sd: float, steps: dict[int, float]) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, sd, n)
    for at, size in steps.items():
        values[at:] += size
    return values


@pytest.mark.parametrize("seed", range(5))
def test_steps_are_found_where_they_are_and_as_large(seed: int) -> None:
    found = changes(series(seed, 400, 0.015, {120: 0.06, 250: -0.1}))
    assert [abs(c.at - at) <= 3 for c, at in zip(found, (120, 250), strict=True)] == [True, True]
    assert found[0].log_ratio == pytest.approx(0.06, abs=0.008)
    assert found[1].lo < found[1].log_ratio < found[1].hi
    assert (found[0].before, found[1].after) == (found[0].at, 400 - found[1].at)


def test_noise_alone_has_no_changes() -> None:
    assert sum(len(changes(series(seed, 400, 0.02, {}))) for seed in range(200)) == 0


def test_outliers_are_no_changes() -> None:
    alarms = 0
    for seed in range(50):
        values = series(seed, 300, 0.015, {})
        values[np.random.default_rng(seed + 1000).random(300) < 0.02] += 0.4
        values[100:103] += 0.3  # three bad nights in a row; by chance more of them are near
        alarms += bool(changes(values))
    assert alarms <= 1


def test_neighbours_that_resemble_each_other_are_no_evidence() -> None:
    """A drifting machine (autocorrelation 0.5): a rule for independent nights would cry wolf in most of these."""
    alarms = 0
    for seed in range(60):
        steps = np.random.default_rng(seed).normal(0, 0.015, 400)
        values = np.zeros(400)
        for i in range(1, 400):
            values[i] = 0.5 * values[i - 1] + steps[i]
        alarms += bool(changes(values))
    assert alarms <= 6


def test_small_and_young_changes_are_not_told() -> None:
    assert changes(series(0, 400, 0.003, {200: 0.015})) == []
    assert changes(series(0, 200, 0.003, {197: 0.2})) == []
    assert [c.at for c in changes(series(0, 200, 0.003, {195: 0.2}))] == [195]


def test_a_series_without_noise_has_its_step_found() -> None:
    (found,) = changes(np.repeat([0.0, 0.1], 20))
    assert (found.at, found.log_ratio) == (20, pytest.approx(0.1))


@pytest.mark.parametrize("n", [0, 1, 2, 5, 9])
def test_short_series(n: int) -> None:
    assert changes(np.zeros(n)) == []


def test_a_step_does_not_inflate_the_noise_and_is_not_pulled_in() -> None:
    values = series(1, 400, 0.01, {200: 0.5})
    assert noise(values) == pytest.approx(0.01, rel=0.15)
    pulled = pull_in(values, 0.01)
    assert abs(pulled[200:].mean() - values[200:].mean()) < 0.002


@pytest.mark.parametrize("n", [1, 2, 3, 10, 14, 15, 40])
def test_the_running_median_is_scipys(n: int) -> None:
    from scipy.ndimage import median_filter

    values = np.random.default_rng(n).normal(size=n)
    centre = median_filter(values, size=min(changes_module.WINDOW, n), mode="mirror")
    assert pull_in(values, 0.0) == pytest.approx(centre)
    assert len(pull_in(np.array([]), 1.0)) == 0
