"""Do two orders agree? Rank correlations with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST_RESAMPLED = 5


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
    if len(x) != len(y):
        raise ValueError("values come in pairs")
    n = len(x)
    if n < 3 or len(set(x)) < 2 or len(set(y)) < 2:
        return ()
    tau, rho = _tau(x, y), _rho(x, y)
    return (
        _interval("Kendall", tau, math.sqrt(0.437 / (n - 4)) if n > 4 else math.inf, n),
        _interval("Spearman", rho, math.sqrt((1 + rho**2 / 2) / (n - 3)) if n > 3 else math.inf, n),
    )


def _tau(x: Sequence[float], y: Sequence[float]) -> float:
    """Kendall's tau-b: one value after the other against all of them, so that thousands take no matrix of millions."""
    import numpy as np

    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    both = left = right = 0.0
    for i in range(1, len(a)):
        over, after = np.sign(a[:i] - a[i]), np.sign(b[:i] - b[i])
        both, left, right = both + float(over @ after), left + float(over @ over), right + float(after @ after)
    return both / math.sqrt(left * right)


def _rho(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's rho: the correlation of ranks, of which equal values share the mean."""
    import numpy as np

    def ranks(values: Sequence[float]) -> np.ndarray:
        _, of, times = np.unique(np.asarray(values, dtype=float), return_inverse=True, return_counts=True)
        return np.asarray((np.cumsum(times) - times / 2)[of])

    return float(np.corrcoef(ranks(x), ranks(y))[0, 1])


def _interval(name: str, value: float, error: float, n: int) -> Correlation:
    if n < 10 or abs(value) >= 1:
        return Correlation(name, value, None, None, n)
    z = math.atanh(value)
    return Correlation(name, value, math.tanh(z - 1.96 * error), math.tanh(z + 1.96 * error), n)


def resampled(x: Sequence[float], y: Sequence[float], draws: int = 2000, seed: int = 0) -> tuple[Correlation, ...]:
    """Return the same two correlations, with 95% intervals by drawing the pairs anew, with replacement.

    For what is a sample of networks, however few: no formula for the error is needed, and ties are met. The interval is
    that of the percentiles of the draws in which both sides have an order. Nothing below three values; no interval
    below `LEAST_RESAMPLED`, where most draws are of two or three pairs.

    Raises:
        ValueError: the numbers of values differ.
    """
    import numpy as np

    point = correlations(x, y)
    n = len(x)
    if not point or n < LEAST_RESAMPLED:
        return tuple(Correlation(c.name, c.value, None, None, n) for c in point)
    counts = _draws(n, draws, seed)
    found = []
    for one, drawn in zip(point, (_kendall(counts, x, y), _spearman(counts, x, y)), strict=True):
        lo, hi = np.nanpercentile(drawn, (2.5, 97.5))
        found.append(Correlation(one.name, one.value, float(lo), float(hi), n))
    return tuple(found)


@cache
def _draws(n: int, draws: int, seed: int) -> Floats:
    """How often each of `n` pairs is drawn, (draws, n)."""
    import numpy as np

    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws).astype(float)


def _kendall(counts: Floats, x: Sequence[float], y: Sequence[float]) -> Floats:
    """Kendall's tau-b of each draw: `counts` (draws, n) says how often each pair was drawn."""
    import numpy as np

    a, b = (np.sign(np.subtract.outer(v, v)) for v in (np.asarray(x), np.asarray(y)))
    both, left, right = ((counts @ m * counts).sum(axis=1) for m in (a * b, a * a, b * b))
    with np.errstate(invalid="ignore", divide="ignore"):
        tau: Floats = both / np.sqrt(left * right)
    return tau


def _spearman(counts: Floats, x: Sequence[float], y: Sequence[float]) -> Floats:
    """Spearman's rho of each draw, with mean ranks for what was drawn more than once."""
    import numpy as np

    n = counts.sum(axis=1)
    sides = []
    for values in (np.asarray(x), np.asarray(y)):
        below = np.less.outer(values, values) + 0.5 * np.equal.outer(values, values)  # [j, i]: j before i
        rank = counts @ below
        sides.append(rank - ((counts * rank).sum(axis=1) / n)[:, None])
    both, left, right = ((counts * a * b).sum(axis=1) for a, b in ((sides[0], sides[1]), *((s, s) for s in sides)))
    with np.errstate(invalid="ignore", divide="ignore"):
        rho: Floats = both / np.sqrt(left * right)
    return rho
