"""What stands in for SciPy, held against it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from bench.stats import distributions as own

FREEDOM = (0.3, 1, 1.5, 2, 3, 4.2, 7, 11, 30, 99.5, 1000, 9999, 10001, 123456, 1e9)
SHARES = (1e-20, 1e-12, 1e-6, 0.001, 0.0175, 0.025, 0.1, 0.4, 0.499999, 0.5, 0.51, 0.9, 0.975, 0.9825, 0.999, 0.9999995)


@pytest.mark.parametrize("df", FREEDOM)
def test_students_quantile_is_scipys(df: float) -> None:
    for p in SHARES:
        assert own.t_quantile(df, p) == pytest.approx(special.stdtrit(df, p), rel=1e-8, abs=1e-12), p


@pytest.mark.parametrize("df", [1, 2.5, 8, 60, 5000, math.inf])
def test_students_probability_is_scipys(df: float) -> None:
    for t in (-40, -8, -2.1, -0.5, -1e-9, 0, 1e-9, 0.3, 1, 2.5, 12):
        exact = special.ndtr(t) if math.isinf(df) else special.stdtr(df, t)
        assert own.t_cdf(df, t) == pytest.approx(exact, rel=1e-9, abs=1e-300), t


def test_a_quantile_and_its_probability_belong_together() -> None:
    rng = np.random.default_rng(0)
    for df, p in zip(rng.uniform(0.5, 200, 200), rng.uniform(1e-6, 1 - 1e-6, 200), strict=True):
        assert own.t_cdf(df, own.t_quantile(df, p)) == pytest.approx(p, rel=1e-10)


def test_what_no_degrees_of_freedom_or_no_share_gives_is_no_number() -> None:
    assert all(math.isnan(own.t_quantile(df, p)) for df, p in [(0, 0.9), (math.nan, 0.9), (3, 0), (3, 1.5)])
    assert own.t_quantile(math.inf, 0.975) == pytest.approx(1.959963984540054, rel=1e-14)
    assert math.isnan(own.beta_quantile(0, 1, 0.5))


def test_the_normal_distribution_is_scipys() -> None:
    for p in SHARES:
        assert own.normal_quantile(p) == pytest.approx(special.ndtri(p), rel=1e-12, abs=1e-15)
    for x in (-38, -9, -3, -1e-8, 0, 0.5, 4, 9):
        assert own.normal_cdf(x) == pytest.approx(special.ndtr(x), rel=1e-12)


def test_the_beta_quantile_is_scipys() -> None:
    rng = np.random.default_rng(1)
    pairs = [(0.5, 0.5), (1, 1), (600.3, 6.7), (0.02, 3), (5000, 50.5), (3, 0.02), *np.exp(rng.uniform(-2, 8, (60, 2)))]
    for a, b in pairs:
        for p in (0.025, 0.5, 0.975):
            found, exact = own.beta_quantile(a, b, p), float(special.betaincinv(a, b, p))
            # Where the distribution function is flat the value is told by its probability.
            assert found == pytest.approx(exact, abs=1e-9, rel=1e-7), (a, b, p)
    assert (own.beta_quantile(2, 3, 0), own.beta_quantile(2, 3, 1)) == (0, 1)


def test_a_root_is_found_where_interpolation_alone_goes_astray() -> None:
    assert own.root(lambda x: x**19 - 1e-12, 0, 10) == pytest.approx(1e-12 ** (1 / 19), rel=1e-12)
    assert own.root(lambda x: -1.0 if x < 1 / 3 else 1.0, -40, 40) == pytest.approx(1 / 3, rel=1e-12)
    assert own.root(lambda x: x, -1, 1) == pytest.approx(0, abs=1e-200)
    with pytest.raises(ValueError, match="no change of sign"):
        own.root(lambda x: x * x + 1, -1, 1)
