"""Location and interval that a few wild launches cannot move: trimmed mean with its Winsorised interval.

Tukey and McLaughlin 1963; Wilcox, Introduction to Robust Estimation and Hypothesis Testing, chapter 4.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TRIM = 0.2
Array = NDArray[np.float64]


def trimmed_mean(values: Sequence[float] | Array, trim: float = TRIM) -> float:
    """Return the mean of what is left when the share `trim` is cut off at either end."""
    ordered, cut = _ordered(values, trim)
    return float(ordered[cut : len(ordered) - cut].mean())


def winsorised_sd(values: Sequence[float] | Array, trim: float = TRIM) -> float:
    """Return the standard deviation after the cut values are pulled in to the nearest that is left."""
    ordered, cut = _ordered(values, trim)
    return float(np.clip(ordered, ordered[cut], ordered[len(ordered) - 1 - cut]).std(ddof=1))


def trimmed_interval(
    values: Sequence[float] | Array, confidence: float, trim: float = TRIM
) -> tuple[float, float, float]:
    """Return trimmed mean and the ends of its two-sided interval.

    Raises:
        ValueError: fewer than two values are left after trimming.
    """
    n = len(values)
    left = n - 2 * math.floor(trim * n)
    if left < 2:
        raise ValueError(f"{n} values leave no interval")
    from scipy.special import stdtrit

    centre = trimmed_mean(values, trim)
    share = 1 - 2 * math.floor(trim * n) / n
    error = winsorised_sd(values, trim) / (share * math.sqrt(n))
    half = float(stdtrit(left - 1, (1 + confidence) / 2)) * error
    return centre, centre - half, centre + half


def _ordered(values: Sequence[float] | Array, trim: float) -> tuple[Array, int]:
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if not len(ordered) or not np.isfinite(ordered).all():
        raise ValueError("values must be there and finite")
    return ordered, math.floor(trim * len(ordered))
