"""Location and interval that a few wild launches cannot move: trimmed mean with its Winsorised interval.

Tukey and McLaughlin 1963; Wilcox, Introduction to Robust Estimation and Hypothesis Testing, chapter 4.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.stats.distributions import t_quantile

# Cut off at either end. More costs power (of pairs that spread by 1.2% a fifth finds +2% in 70%, a tenth in 83%), less
# lets wild pairs in (`python -m benchmarks.lab rates`).
TRIM = 0.1
# From this many standard errors on, neighbours are alike; and no correlation is believed beyond what n values can tell.
ALIKE, MOST_ALIKE = 1.645, 0.9
Array = NDArray[np.float64]


def trimmed(values: Array) -> tuple[Array, Array, int]:
    """Return trimmed mean, its standard error and degrees of freedom along the last axis.

    Raises:
        ValueError: fewer than two values are left after trimming.
    """
    n = values.shape[-1]
    cut = math.floor(TRIM * n)
    if n - 2 * cut < 2:
        raise ValueError(f"{n} values leave no interval")
    ordered, pulled = _winsorised(values, cut)
    error = pulled.std(axis=-1, ddof=1) / ((1 - 2 * cut / n) * math.sqrt(n))
    return ordered[..., cut : n - cut].mean(axis=-1), error, n - 2 * cut - 1


def dependence(values: Array) -> Array:
    """Return by how much neighbours in time that are alike widen the error of a mean, along the last axis; 1 if none.

    The lag-1 autocorrelation r of the Winsorised values counts where it is positive and significant (one-sided 5%):
    sqrt((1 + r) / (1 - r)), what a first-order process asks for. Its bias of -1/n is taken out.
    """
    n = values.shape[-1]
    _, pulled = _winsorised(values, math.floor(TRIM * n))
    pulled = pulled - pulled.mean(axis=-1, keepdims=True)
    power = (pulled**2).sum(axis=-1)
    alike = (pulled[..., 1:] * pulled[..., :-1]).sum(axis=-1)
    lag = np.divide(alike, power, out=np.zeros_like(power), where=power > 0) + 1 / n
    widened = np.minimum(lag, MOST_ALIKE)
    return np.where(lag * math.sqrt(n) > ALIKE, np.sqrt((1 + widened) / (1 - widened)), 1.0)


def trimmed_interval(values: Sequence[float] | Array, confidence: float) -> tuple[float, float, float]:
    """Return trimmed mean and the ends of its two-sided interval.

    Raises:
        ValueError: fewer than two values are left after trimming, or one is not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    if not np.isfinite(found).all():
        raise ValueError("values must be finite")
    centre, error, df = trimmed(found)
    half = t_quantile(df, (1 + confidence) / 2) * float(error)
    return float(centre), float(centre) - half, float(centre) + half


def _winsorised(values: Array, cut: int) -> tuple[Array, Array]:
    """Return the values in order, and as they were with those cut off pulled in to the nearest that is left."""
    ordered, last = np.sort(values, axis=-1), values.shape[-1] - 1 - cut
    return ordered, np.clip(values, ordered[..., cut, None], ordered[..., last, None])
