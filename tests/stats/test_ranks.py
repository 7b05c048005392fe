from __future__ import annotations

import numpy as np
import pytest

from bench.stats.ranks import correlations


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
