"""A quantity against its limit: pass, fail or inconclusive, by where its 95% interval lies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.stats.distributions import beta_quantile, normal_quantile, t_quantile
from bench.stats.robust import Array

PASS, INCONCLUSIVE, FAIL = VERDICTS = ("pass", "inconclusive", "fail")
ERROR = 0.025  # of either end
PERCENTILE_ERROR = 0.07  # of a percentile's upper end, in the worst of what `percentile_interval` is good for
Interval = tuple[float, float]
UNKNOWN: Interval = (0.0, math.inf)


def judge(interval: Interval, limit: float) -> str:
    """Return `pass` where the interval ends at the limit or below, `fail` where it begins above it."""
    lo, hi = interval
    return PASS if hi <= limit else FAIL if lo > limit else INCONCLUSIVE


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the 95% interval of what launches tell, one positive value each: Student's t on logarithms."""
    n = len(values)
    if n < 2:
        return UNKNOWN
    logs = np.log(values)
    centre, half = float(logs.mean()), t_quantile(n - 1, 1 - ERROR) * float(logs.std(ddof=1)) / math.sqrt(n)
    return math.exp(centre - half), math.exp(centre + half)


def percentile_interval(launches: Sequence[Array], q: int) -> Interval:
    """Return the 95% interval of the q-th percentile of all samples (positive); launches are the unit.

    It holds two intervals, because neither covers everything alone (`python -m benchmarks.lab limits`). An end that no
    sample bounds is open.

    - Woodruff's (1952): the share of samples below the percentile has an interval, and the samples at its ends bound
      the percentile. The shares differ between launches by more than chance, so the binomial interval is that of as
      many independent samples as would spread like this (Korn and Graubard 1998), never more than there are.
    - The order statistics of independent samples, and in quadrature what the launches' levels leave open.
    """
    m = len(launches)
    if m < 2:
        return UNKNOWN
    ordered = np.sort(np.concatenate(launches))
    n, share = len(ordered), q / 100
    at = float(ordered[max(0, math.ceil(share * n) - 1)])
    quantile = t_quantile(m - 1, 1 - ERROR)
    spread = float(np.var([(launch <= at).mean() for launch in launches], ddof=1)) / m
    worth = min(n, share * (1 - share) / spread) if spread else n
    low, high = _bounded(ordered, share, worth * (t_quantile(n - 1, 1 - ERROR) / quantile) ** 2)
    below, above = _bounded(ordered, share, n)
    levels = quantile * _levels(launches, ordered, share)
    below = math.exp(-math.hypot(math.log(at / below), levels)) * at if below else 0.0
    above = math.exp(math.hypot(math.log(above / at), levels)) * at if math.isfinite(above) else above
    return min(low, below), max(high, above)


def _levels(launches: Sequence[Array], ordered: Array, share: float) -> float:
    """Return the standard error on the log scale that comes from the launches' levels, of which there are few.

    As if both levels and samples were normal: the mean of the levels is uncertain, and so is their spread, which moves
    a percentile z standard deviations from the middle by z times the share that levels have in the spread of all.
    """
    m, spread = len(launches), float(np.log([np.median(launch) for launch in launches]).std(ddof=1))
    among_all = spread / max(float(np.log(ordered).std()), spread) if spread else 0.0
    return spread * math.sqrt(1 / m + (normal_quantile(share) * among_all) ** 2 / (2 * (m - 1)))


def _bounded(ordered: Array, share: float, worth: float) -> Interval:
    """Return the samples between which a percentile lies, if they tell as much as `worth` independent ones."""
    hits, n = worth * share, len(ordered)
    first = math.floor(n * beta_quantile(hits, worth - hits + 1, ERROR))
    last = math.ceil(n * beta_quantile(hits + 1, worth - hits, 1 - ERROR))
    return (float(ordered[first - 1]) if first else 0.0), (float(ordered[last]) if last < n else math.inf)
