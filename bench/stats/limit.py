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


def percentile_interval(launches: Sequence[Array], q: int) -> Interval:
    """Return the 95% interval of the q-th percentile of all samples; launches are the unit.

    Woodruff's interval (1952): the share of samples below the percentile is known with an error, and the samples at the
    ends of its interval are those of the percentile's. The shares differ between launches by more than chance; as
    many independent samples as would give this spread stand for all in the binomial interval (Korn and Graubard 1998),
    never more than there are. An end that no sample bounds is open.
    """
    from scipy.special import betaincinv, stdtrit

    m, ordered = len(launches), np.sort(np.concatenate(launches)) if launches else np.empty(0)
    n, share = len(ordered), q / 100
    if m < 2:
        return UNKNOWN
    at = ordered[max(0, math.ceil(share * n) - 1)]
    spread = float(np.var([(launch <= at).mean() for launch in launches], ddof=1)) / m
    worth = min(n, share * (1 - share) / spread) if spread else n
    worth *= float(stdtrit(n - 1, 1 - ERROR) / stdtrit(m - 1, 1 - ERROR)) ** 2
    hits = worth * share
    low, high = betaincinv(hits, worth - hits + 1, ERROR), betaincinv(hits + 1, worth - hits, 1 - ERROR)
    first, last = math.floor(low * n), math.ceil(high * n)
    return (float(ordered[first - 1]) if first else 0.0), (float(ordered[last]) if last < n else math.inf)
