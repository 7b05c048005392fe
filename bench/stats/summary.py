"""From samples to the numbers of a row.

The unit of evidence is the launch: inferences inside one process agree far better with each other than with those of
the next process, so an interval over inferences is an illusion (Kalibera and Jones, ISMM 2013, section 6).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# From how many samples a percentile may be told at 99% confidence (MLPerf LoadGen's early-stopping rule).
SAMPLES_FOR = {90: 64, 99: 662}

# How much log latency rises with the log of the reference workload's time, before a case has shown its own: mean and
# standard deviation. Between launches of four networks on two runtimes the slopes were 0.3 to 0.8 (docs/method.md).
SLOPE, SLOPE_SD = 0.65, 0.2
# Least spread between launches that is believed when a slope is weighed against its prior; keeps a few launches that
# agree by chance from claiming a slope.
LEAST_SD = 0.005


def confidence(launches: int, first: int) -> float:
    """Return the confidence at which to compute an interval that is to cover 95%.

    A run that stops as soon as its interval is narrow stops a little more often where chance made it narrow. Asked at
    5, 8, 12, 18, 27 and 40 launches, a 95% interval of launches that differ by 3 or 4% covers 91.5%; computed at 96.5%
    whenever it was asked for again, it covers 93 to 95% (`tests/stats/test_summary.py`).
    """
    return 0.95 if launches <= first else 0.965


@dataclass(frozen=True, slots=True)
class Estimate:
    """The latency of a case in ns, with its 95% interval; the interval is None below two launches.

    `speed` is that of the machine relative to its baseline speed, which `latency_ns` is told for.
    """

    latency_ns: float
    lo_ns: float | None
    hi_ns: float | None
    speed: float = 1.0

    @property
    def half_width(self) -> float:
        """Half the interval relative to the latency; infinite where there is no interval."""
        if self.lo_ns is None or self.hi_ns is None:
            return math.inf
        return (self.hi_ns - self.lo_ns) / 2 / self.latency_ns


def estimate(
    launches: Sequence[Sequence[float]], slowness: Sequence[float] | None = None, level: float = 0.95
) -> Estimate:
    """Summarise a case: geometric mean of the launch medians, Student t interval over launches on a log scale.

    With `slowness` the mean is told for a machine at its baseline speed (a control variate): log latency is taken to
    rise with slowness by a slope whose prior, SLOPE with standard deviation SLOPE_SD, is weighed against what the
    launches show. What is not known about the slope widens the interval in proportion to the distance that had to be
    bridged, so that a case which never met the baseline speed is not sure of its latency there.

    Args:
        launches: for each launch its latencies in ns, all positive.
        slowness: for each launch the log of the reference workload's time over the baseline one; 0 is the baseline
            speed.
        level: confidence of the interval.

    Raises:
        ValueError: there is no sample, or one is not positive.
    """
    medians = [float(np.median(samples)) for samples in launches if len(samples)]
    if not medians or min(medians) <= 0 or not np.isfinite(medians).all():
        raise ValueError("latencies must be there, finite and greater than zero")
    logs, n = np.log(medians), len(medians)
    centre = float(logs.mean())
    if slowness is None:
        slow = np.zeros(n)
    else:
        slow = np.array([s for s, samples in zip(slowness, launches, strict=True) if len(samples)])
    distance = float(slow.mean())
    slope, slope_variance, residual = _slope(logs - centre, slow - distance)
    centre -= slope * distance
    speed = math.exp(-distance)
    if n < 2:
        return Estimate(math.exp(centre), None, None, speed)
    from scipy.special import stdtrit  # scipy.stats takes half a second to import

    variance = residual / n + distance**2 * slope_variance
    half = float(stdtrit(n - 1, (1 + level) / 2)) * math.sqrt(variance)
    return Estimate(math.exp(centre), math.exp(centre - half), math.exp(centre + half), speed)


def _slope(logs: np.typing.NDArray[np.float64], slow: np.typing.NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the slope, its variance, and the variance of what it leaves; both arguments have mean zero."""
    n, spread, prior = len(logs), float(slow @ slow), 1 / SLOPE_SD**2
    slope, variance, left = SLOPE, SLOPE_SD**2, 0.0
    for _ in range(3):  # slope and residual variance depend on each other; three rounds settle them
        rest = logs - slope * slow
        left = float(rest @ rest) / (n - 1) if n > 1 else 0.0
        noise = max(left, LEAST_SD**2)
        variance = 1 / (prior + spread / noise)
        slope = variance * (prior * SLOPE + float(slow @ logs) / noise)
    return slope, variance, left


def percentile(samples: Sequence[float], q: int) -> float | None:
    """Return the q-th percentile (nearest rank), or None where the sample is too small to support it."""
    ordered = np.sort(np.asarray(samples, dtype=float))
    if len(ordered) < SAMPLES_FOR.get(q, 1):
        return None
    return float(ordered[max(0, math.ceil(q / 100 * len(ordered)) - 1)])
