"""Two sides that were measured by several jobs each: the difference of their logarithms, and what may be said of it.

A job (one `bench run`) is the unit. Jobs of one shared machine differ by more than their own intervals say: the clock,
the neighbours and the host change between them. With few jobs that spread is unknown, so it is estimated from the jobs
there are and from a prior worth `PRIOR_JOBS` degrees of freedom, each side for itself (moderated variance: Smyth 2004,
Statistical Applications in Genetics and Molecular Biology 3, equation 4), and the two sides are compared by Welch's t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.distributions import t_cdf, t_quantile
from bench.stats.verdict import SHOWN, zone

Array = NDArray[np.float64]

# Jobs of ten launches, cut out of ten minutes of one shared machine, differ by a standard deviation of 1.8 to 2.6%
# (results/xeon-vm-2core/aa.samples.jsonl.gz); three cases of two runs eight minutes apart by 1, 10 and 11%.
# `python benchmarks/nightly_aa.py` measures it on a machine of one's own.
PRIOR_SD = 0.03
PRIOR_JOBS = 3
FAMILY_ERROR = 0.01


@dataclass(frozen=True, slots=True)
class JobSide:
    """Logarithms of one case's latency, one per job, and the variance of each that its own launches admit.

    `between` is the standard deviation between jobs that the machine has shown; None where its rows do not tell.
    """

    logs: tuple[float, ...]
    within: tuple[float, ...]
    between: float | None = None

    @property
    def mean(self) -> float:
        """Mean of the logarithms."""
        return math.fsum(self.logs) / len(self.logs)

    def variance(self, prior_sd: float) -> float:
        """Return the variance of one job: what was seen and the prior, weighted by their degrees of freedom.

        The prior is what the machine has shown, or `prior_sd` where it is not told.
        """
        prior_sd = prior_sd if self.between is None else self.between
        n, within = len(self.logs), math.fsum(self.within) / len(self.within)
        seen = float(np.var(self.logs, ddof=1)) if n > 1 else 0.0
        moderated = (PRIOR_JOBS * (prior_sd**2 + within) + (n - 1) * seen) / (PRIOR_JOBS + n - 1)
        return max(moderated, within)  # a job repeats no better than its own launches do


@dataclass(frozen=True, slots=True)
class Difference:
    """NEW minus BASE on the log scale, with standard error and degrees of freedom."""

    log_ratio: float
    error: float
    df: float

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the ends of the two-sided interval, on the log scale."""
        half = t_quantile(self.df, (1 + confidence) / 2) * self.error
        return self.log_ratio - half, self.log_ratio + half


def difference(base: JobSide, new: JobSide, prior_sd: float = PRIOR_SD) -> Difference:
    """Compare two sides: Welch's t on moderated variances, Satterthwaite's degrees of freedom.

    Raises:
        ValueError: a side has no job, or a logarithm is not finite.
    """
    if not base.logs or not new.logs or not np.isfinite([*base.logs, *new.logs]).all():
        raise ValueError("each side needs a job, and logarithms must be finite")
    parts = [(side.variance(prior_sd) / len(side.logs), PRIOR_JOBS + len(side.logs) - 1) for side in (base, new)]
    total = parts[0][0] + parts[1][0]
    if total == 0:
        return Difference(new.mean - base.mean, 0.0, math.inf)
    df = total**2 / sum(variance**2 / freedom for variance, freedom in parts)
    return Difference(new.mean - base.mean, math.sqrt(total), df)


def paired(base: JobSide, new: JobSide, prior_sd: float = PRIOR_SD) -> Difference:
    """Compare two sides that the same jobs measured, in the same order: what a job does to both cancels.

    Student's t on the differences, with the same prior: a slow job slows two networks or two runtimes by different
    factors, so the differences spread as well.

    Raises:
        ValueError: the numbers of jobs differ, or there is none.
    """
    logs = tuple(n - b for b, n in zip(base.logs, new.logs, strict=True))
    both = JobSide(logs, tuple(b + n for b, n in zip(base.within, new.within, strict=True)), _root([base, new], 1))
    if not logs:
        raise ValueError("there is no job that measured both")
    return Difference(both.mean, math.sqrt(both.variance(prior_sd) / len(logs)), PRIOR_JOBS + len(logs) - 1)


def judge(found: Difference, margin: float, comparisons: int = 1) -> str:
    """Give the verdict on NEW against BASE.

    The zones of `bench.stats.verdict.zone`, but the 99% is that of all `comparisons` together (Bonferroni): of tables
    with sixty equal cases every second would otherwise have a false verdict.
    """
    sure = found.interval(decision_confidence(comparisons))
    return str(zone(sure, found.interval(1 - 2 * SHOWN), margin))


def decision_confidence(comparisons: int) -> float:
    """Return the confidence of each interval with which all of them together hold at 99%."""
    return 1 - FAMILY_ERROR / max(1, comparisons)


def detectable(found: Difference, margin: float, comparisons: int = 1) -> float:
    """Return the smallest slowdown (a ratio minus one) whose estimate would have been called slower."""
    lo, hi = found.interval(decision_confidence(comparisons))
    return math.expm1((hi - lo) / 2 + math.log1p(margin))


def gate(found: Difference, verdict: str, threshold: float) -> str:
    """Say what a gate at `threshold` does with one case: `tripped`, `passed` or `open`.

    Tripped: the verdict is `slower` and the estimate is at least half the threshold, so that a slowdown of just the
    threshold is not missed every other time, and one that nobody asked about does not trip. Passed: a slowdown of
    `threshold` is excluded at 95% (one-sided). Open: neither.
    """
    if verdict == "slower" and found.log_ratio >= math.log1p(threshold) / 2:
        return "tripped"
    return "passed" if found.interval(0.90)[1] < math.log1p(threshold) else "open"


def trips_at(found: Difference, margin: float, threshold: float, comparisons: int = 1) -> float:
    """Return the smallest slowdown (a ratio minus one) whose estimate would have tripped a gate at `threshold`."""
    return max(detectable(found, margin, comparisons), math.sqrt(1 + threshold) - 1)


def false_alarm(found: Difference, margin: float, threshold: float, comparisons: int = 1) -> float:
    """Return how likely the same gate trips where the sides are equal and jobs differ by as much as in `found`."""
    if found.error == 0:
        return 0.0
    return t_cdf(found.df, -math.log1p(trips_at(found, margin, threshold, comparisons)) / found.error)


def within_variance(lo_ms: ArrayLike, hi_ms: ArrayLike, launches: ArrayLike) -> Array:
    """Return the variance of rows' log latencies that their 95% intervals over launches stand for, 0 without one.

    Arrays of one shape, or numbers.
    """
    lo, hi, n = (np.asarray(values, dtype=np.float64) for values in (lo_ms, hi_ms, launches))
    known = (lo > 0) & (lo <= hi) & np.isfinite(hi)
    numbers, of = np.unique(np.where(n > 1, n - 1, math.inf), return_inverse=True)
    quantile = np.array([t_quantile(df, 0.975) for df in numbers.tolist()])[of.reshape(n.shape)]
    found: Array = np.where(known, np.log(np.where(known, hi, 1) / np.where(known, lo, 1)) / 2 / quantile, 0) ** 2
    return found


def combine(sides: Sequence[JobSide]) -> JobSide:
    """Average cases job by job: every side must have the same jobs, in the same order.

    What jobs have in common stays in; the variances that launches admit are independent between cases.
    """
    logs = np.array([side.logs for side in sides])
    within = np.array([side.within for side in sides])
    admitted = tuple((within.sum(axis=0) / len(sides) ** 2).tolist())
    return JobSide(tuple(logs.mean(axis=0).tolist()), admitted, _root(sides, len(sides)))


def _root(sides: Sequence[JobSide], n: int) -> float | None:
    """Return the root of the sum of squares over `n` of what the sides tell of jobs; None where one does not."""
    known = [side.between for side in sides if side.between is not None]
    return math.sqrt(math.fsum(b**2 for b in known) / n) if len(known) == len(sides) else None
