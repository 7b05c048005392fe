from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from bench.stats.sequential import boundary, crossed, last


@pytest.mark.parametrize(
    ("looks", "two_sided", "constant"),
    [(2, 0.05, 1.977), (3, 0.05, 2.004), (5, 0.05, 2.040), (10, 0.05, 2.087), (4, 0.01, 2.609), (5, 0.01, 2.621)],
)
def test_equal_steps_have_the_constants_of_the_book(looks: int, two_sided: float, constant: float) -> None:
    """Jennison and Turnbull, Group Sequential Methods, table 2.3."""
    found = boundary(tuple(10 * k for k in range(1, looks + 1)), two_sided / 2)
    assert found[-1] == pytest.approx(constant, abs=1.5e-3)
    assert found[0] == pytest.approx(found[-1] * looks**0.5)


def test_one_look_is_the_usual_quantile() -> None:
    assert boundary((7,), 0.005)[0] == pytest.approx(norm.ppf(0.995), abs=1e-4)
    assert last((10, 15, 20), 6, 0.025) == pytest.approx(norm.ppf(0.975), abs=1e-4)


def test_the_rate_is_that_of_simulated_walks() -> None:
    rng = np.random.default_rng(0)
    looks, bounds = (10, 15, 20, 25, 30), (2.5, 2.2, 2.0, 1.9, 1.8)
    walks = rng.normal(size=(200_000, 30)).cumsum(axis=1)
    hits = np.any([walks[:, n - 1] / n**0.5 > c for n, c in zip(looks, bounds, strict=True)], axis=0)
    assert crossed(looks, bounds) == pytest.approx(hits.mean(), abs=0.002)


@pytest.mark.parametrize("n", [10, 12, 20, 23, 30])
def test_an_early_end_spends_what_is_left_and_no_more(n: int) -> None:
    looks = (10, 15, 20, 25, 30)
    before = tuple(k for k in looks if k < n)
    bound = last(looks, n, 0.005)
    assert crossed((*before, n), (*boundary(looks, 0.005)[: len(before)], bound)) == pytest.approx(0.005, rel=1e-3)
    if n in looks:
        assert bound <= boundary(looks, 0.005)[looks.index(n)] + 1e-6
