"""A quantity against its limit: pass, fail or inconclusive, by where its 95% interval lies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.stats.robust import Array

PASS, INCONCLUSIVE, FAIL = VERDICTS = ("pass", "inconclusive", "fail")
ERROR = 0.025  # of either end
Interval = tuple[float, float]
UNKNOWN: Interval = (0.0, math.inf)


def judge(interval: Interval, limit: float) -> str:
    """Return `pass` where the interval ends at the limit or below, `fail` where it begins above it."""
    lo, hi = interval
    return PASS if hi <= limit else FAIL if lo > limit else INCONCLUSIVE


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the 95% interval of what launches tell of something, one positive value each: Student's t on logarithms."""
    from scipy.special import stdtrit

    n = len(values)
    if n < 2:
        return UNKNOWN
    logs = np.log(values)
    centre, half = float(logs.mean()), float(stdtrit(n - 1, 1 - ERROR) * logs.std(ddof=1)) / math.sqrt(n)
    return math.exp(centre - half), math.exp(centre + half)
