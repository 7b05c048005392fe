"""From samples to the numbers of a row.

The unit of evidence is the launch: inferences inside one process agree far better with each other than with those of
the next process, so an interval over inferences is an illusion (Kalibera and Jones, ISMM 2013, section 6).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.stats.distributions import t_quantile
from bench.stats.repeats import LAUNCH_DF, LEAST_SD, Array, Repeats, expected

# From how many samples a percentile may be told at 99% confidence (MLPerf LoadGen's early-stopping rule).
SAMPLES_FOR = {90: 64, 99: 662}


LEAST_RUN = 3  # launches of an earlier run, at least


def confidence(launches: int, first: int) -> float:
    """Return the confidence at which to compute an interval that is to cover 95%.

    A run that stops as soon as its interval is narrow stops a little more often where chance made it narrow. Asked at
    5, 8, 12, 18, 27 and 40 launches, a 95% interval of launches that differ by 3 or 4% covers 91.5%; computed at 96.5%
    whenever it was asked for again, it covers 93 to 95% (`tests/stats/test_summary.py`).
    """
    return 0.95 if launches <= first else 0.965


@dataclass(frozen=True, slots=True)
class Estimate:
    """The latency of a case in ns with two 95% intervals; both are None below two launches.

    `within_*` is for more launches of the same run; `lo_ns` to `hi_ns` is for another run on the same machine. `speed`
    is that of the machine relative to its baseline speed, which `latency_ns` is told for.
    """

    latency_ns: float
    within_lo_ns: float | None
    within_hi_ns: float | None
    lo_ns: float | None
    hi_ns: float | None
    speed: float = 1.0
    between_sd: float = 0.0

    @property
    def half_width(self) -> float:
        """Half the interval for another run, relative to the latency; infinite where there is none."""
        return self._half(self.lo_ns, self.hi_ns)

    @property
    def rate_half_width(self) -> float:
        """Half the interval of the rate, ``1 / latency``, for another run, relative to the rate; infinite for none."""
        if self.lo_ns is None or self.hi_ns is None:
            return math.inf
        return (self.latency_ns / self.lo_ns - self.latency_ns / self.hi_ns) / 2

    @property
    def within_half_width(self) -> float:
        """Half the interval for more launches of this run, relative to the latency; infinite where there is none."""
        return self._half(self.within_lo_ns, self.within_hi_ns)

    def _half(self, lo_ns: float | None, hi_ns: float | None) -> float:
        return math.inf if lo_ns is None or hi_ns is None else (hi_ns - lo_ns) / 2 / self.latency_ns


def estimate(
    launches: Sequence[Sequence[float]],
    offsets: Sequence[tuple[float, float]] | None = None,
    repeats: Repeats | None = None,
    over_s: float = 0.0,
    level: float = 0.95,
    unsure: float = 0.0,
) -> Estimate:
    """Summarise a case: geometric mean of the launch medians, told for the machine at its baseline speed.

    With `offsets` log latency is taken to rise with what the reference workloads show (control variates), by slopes
    that `repeats` knows and the launches at hand refine. What is not known about the slopes widens both intervals in
    proportion to the distance that had to be bridged. The interval for another run adds what runs differ by beyond
    their launches, and on the lower side what is not known of the baseline.

    Args:
        launches: for each launch its latencies in ns, all positive.
        offsets: for each launch the logs of product and copy over their baseline; 0 is the baseline speed.
        repeats: how the case repeats on this machine; without it nothing is added for another run.
        over_s: seconds over which the launches are spread.
        level: confidence of the interval.
        unsure: how far the baseline may be too slow (a log, at 95%), where it was seldom met.

    Raises:
        ValueError: there is no sample, or one is not positive.
    """
    medians = [float(np.median(samples)) for samples in launches if len(samples)]
    if not medians or min(medians) <= 0 or not np.isfinite(medians).all():
        raise ValueError("latencies must be there, finite and greater than zero")
    logs, n = np.log(medians), len(medians)
    centre = float(logs.mean())
    beside = np.zeros((n, 2))
    if offsets is not None:
        beside = np.array([o for o, samples in zip(offsets, launches, strict=True) if len(samples)], dtype=float)
    known = repeats or expected(math.exp(centre))
    distance = beside.mean(axis=0)
    slopes, covariance, residual = _refined(known, logs - centre, beside - distance)
    centre -= float(slopes @ distance)
    speed = math.exp(-float(distance[0]))
    if n < 2:
        return Estimate(math.exp(centre), None, None, None, None, speed)
    df = float(n - 1)
    if known.runs:  # launches of earlier runs say how far launches differ
        df += LAUNCH_DF
        residual = (LAUNCH_DF * known.launch_sd**2 + (n - 1) * residual) / df
    bridged = math.sqrt(float(distance @ covariance @ distance))
    upper = (1 + level) / 2
    of_slopes = t_quantile(df + LEAST_RUN * known.runs, upper)  # every earlier run tells of them, too
    within = math.hypot(t_quantile(df, upper) * math.sqrt(residual / n), of_slopes * bridged)
    spread = repeats.between(over_s) if repeats else 0.0
    between = repeats.half(over_s, upper) if repeats else 0.0
    below, above = math.hypot(within, between, unsure), math.hypot(within, between)
    latency, inner_lo, inner_hi, lo, hi = (math.exp(centre + x) for x in (0.0, -within, within, -below, above))
    return Estimate(latency, inner_lo, inner_hi, lo, hi, speed, spread)


def _refined(repeats: Repeats, logs: Array, beside: Array) -> tuple[Array, Array, float]:
    """Return the slopes, their covariance, and the variance of what they leave; logs and offsets have mean zero."""
    n, left = len(logs), 0.0
    slopes, covariance = repeats.slopes, repeats.covariance
    prior = np.linalg.inv(covariance)
    for _ in range(3):  # slopes and residual variance depend on each other; three rounds settle them
        rest = logs - beside @ slopes
        left = float(rest @ rest) / (n - 1) if n > 1 else 0.0
        noise = max(left, LEAST_SD**2)
        covariance = np.asarray(np.linalg.inv(prior + beside.T @ beside / noise), dtype=np.float64)
        slopes = covariance @ (prior @ repeats.slopes + beside.T @ logs / noise)
    return slopes, covariance, left


def percentile(samples: Sequence[float], q: int) -> float | None:
    """Return the q-th percentile (nearest rank), or None where the sample is too small to support it."""
    ordered = np.sort(np.asarray(samples, dtype=float))
    if len(ordered) < SAMPLES_FOR.get(q, 1):
        return None
    return float(ordered[max(0, math.ceil(q / 100 * len(ordered)) - 1)])
