from __future__ import annotations

import numpy as np
import pytest

from bench.stats import ranks
from bench.stats.ranks import correlations, resampled


def test_the_same_order_and_its_opposite() -> None:
    x = list(range(12))
    assert [c.value for c in correlations(x, x)] == [pytest.approx(1), pytest.approx(1)]
    assert [c.value for c in correlations(x, x[::-1])] == [pytest.approx(-1), pytest.approx(-1)]


def test_too_few_values_give_no_interval_and_fewer_nothing() -> None:
    assert correlations([1, 2], [1, 2]) == ()
    assert correlations([1, 1, 1], [1, 2, 3]) == ()
    assert all(c.lo is None for c in correlations([1, 2, 3, 4], [1, 3, 2, 4]))
    with pytest.raises(ValueError):
        correlations([1], [1, 2])


def test_the_correlations_are_scipys() -> None:
    """Ties and all, of few values and of thousands."""
    from scipy.stats import kendalltau, spearmanr

    rng = np.random.default_rng(3)
    for n, levels in ((3, 3), (9, 4), (60, 20), (2000, 300)):
        x = [0.0, *rng.integers(0, levels, n - 1).astype(float), -1.0]
        y = [1.0, *(rng.integers(0, levels, n - 1) + np.array(x[1:-1]) / 3), 0.0]
        found = {c.name: c.value for c in correlations(x, y)}
        assert found["Kendall"] == pytest.approx(kendalltau(x, y).statistic, abs=1e-12)
        assert found["Spearman"] == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)


def test_intervals_cover() -> None:
    """Normal pairs with correlation 0.6: tau is 2/pi asin(0.6), rho 6/pi asin(0.3) (Pearson)."""
    truth = {"Kendall": 2 / np.pi * np.arcsin(0.6), "Spearman": 6 / np.pi * np.arcsin(0.3)}
    rng = np.random.default_rng(0)
    inside = dict.fromkeys(truth, 0)
    for _ in range(400):
        x = rng.normal(size=40)
        y = 0.6 * x + 0.8 * rng.normal(size=40)
        for c in correlations(x.tolist(), y.tolist()):
            assert c.lo is not None
            assert c.hi is not None
            inside[c.name] += c.lo <= truth[c.name] <= c.hi
    assert all(0.91 <= n / 400 <= 0.99 for n in inside.values()), inside


def test_a_resampled_draw_is_the_correlation_of_what_was_drawn() -> None:
    """Against SciPy on the drawn pairs themselves, ties and all."""
    from scipy.stats import kendalltau, spearmanr

    x, y = [1.0, 2.0, 2.0, 4.0, 5.0, 6.0], [2.0, 1.0, 4.0, 4.0, 3.0, 6.0]
    counts = ranks._draws(6, 40, 7)
    told = ranks._kendall(counts, x, y), ranks._spearman(counts, x, y)
    for i, times in enumerate(counts.astype(int)):
        a, b = np.repeat(x, times), np.repeat(y, times)
        if len(set(a)) > 1 and len(set(b)) > 1:
            assert told[0][i] == pytest.approx(kendalltau(a, b).statistic)
            assert told[1][i] == pytest.approx(spearmanr(a, b).statistic)


def test_resampling_gives_the_same_values_and_intervals_that_hold() -> None:
    truth = 6 / np.pi * np.arcsin(0.3)
    rng = np.random.default_rng(2)
    inside = []
    for i in range(200):
        x = rng.normal(size=30)
        y = 0.6 * x + 0.8 * rng.normal(size=30)
        kendall, spearman = resampled(x.tolist(), y.tolist(), 400, i)
        assert [kendall.value, spearman.value] == [c.value for c in correlations(x.tolist(), y.tolist())]
        assert spearman.lo is not None
        assert spearman.hi is not None
        inside.append(spearman.lo <= truth <= spearman.hi)
    assert 0.86 <= np.mean(inside) <= 0.99


def test_resampling_says_the_same_each_time_and_nothing_of_too_few() -> None:
    x, y = [1.0, 2, 3, 4, 5, 6], [1.0, 3, 2, 4, 6, 5]
    assert resampled(x, y) == resampled(x, y)
    assert all(c.lo is None for c in resampled(x[:4], y[:4]))
    assert resampled([1, 1, 1], [1, 2, 3]) == ()
