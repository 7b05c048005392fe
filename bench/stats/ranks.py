"""Do two orders agree? Rank correlations with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Correlation:
    """A rank correlation with its 95% interval; the ends are None where there are too few values for one."""

    name: str
    value: float
    lo: float | None
    hi: float | None
    n: int


def correlations(x: Sequence[float], y: Sequence[float]) -> tuple[Correlation, ...]:
    """Return Kendall's tau-b and Spearman's rho of paired values, with intervals by Fisher's z.

    Standard errors on the z scale: sqrt(0.437 / (n - 4)) for Kendall (Fieller, Hartley and Pearson, Biometrika 1957),
    sqrt((1 + rho^2 / 2) / (n - 3)) for Spearman (Bonett and Wright, Psychometrika 2000). Nothing below three values, or
    where one side has no order at all; no interval below ten values, where neither formula holds.

    Raises:
        ValueError: the numbers of values differ.
    """
    from scipy.stats import kendalltau, spearmanr

    if len(x) != len(y):
        raise ValueError("values come in pairs")
    n = len(x)
    if n < 3 or len(set(x)) < 2 or len(set(y)) < 2:
        return ()
    tau, rho = float(kendalltau(x, y).statistic), float(spearmanr(x, y).statistic)
    return (
        _interval("Kendall", tau, math.sqrt(0.437 / (n - 4)) if n > 4 else math.inf, n),
        _interval("Spearman", rho, math.sqrt((1 + rho**2 / 2) / (n - 3)) if n > 3 else math.inf, n),
    )


def _interval(name: str, value: float, error: float, n: int) -> Correlation:
    if n < 10 or abs(value) >= 1:
        return Correlation(name, value, None, None, n)
    z = math.atanh(value)
    return Correlation(name, value, math.tanh(z - 1.96 * error), math.tanh(z + 1.96 * error), n)
