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


@dataclass(frozen=True, slots=True)
class Headline:
    """The latency of a case in ns, with its 95% interval; the interval is None below two launches."""

    latency_ns: float
    lo_ns: float | None
    hi_ns: float | None

    @property
    def half_width(self) -> float:
        """Half the interval relative to the latency; infinite where there is no interval."""
        if self.lo_ns is None or self.hi_ns is None:
            return math.inf
        return (self.hi_ns - self.lo_ns) / 2 / self.latency_ns


def headline(launches: Sequence[Sequence[float]], confidence: float = 0.95) -> Headline:
    """Summarise a case: geometric mean of the launch medians, Student t interval over launches on a log scale.

    Args:
        launches: for each launch its latencies in ns, all positive.
        confidence: of the interval.

    Raises:
        ValueError: there is no sample, or one is not positive.
    """
    medians = [float(np.median(samples)) for samples in launches if len(samples)]
    if not medians or min(medians) <= 0:
        raise ValueError("latencies must be there, finite and greater than zero")
    logs = np.log(medians)
    centre, n = float(logs.mean()), len(medians)
    if n < 2:
        return Headline(math.exp(centre), None, None)
    from scipy.special import stdtrit  # scipy.stats takes half a second to import

    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * float(logs.std(ddof=1)) / math.sqrt(n)
    return Headline(math.exp(centre), math.exp(centre - half), math.exp(centre + half))


def percentile(samples: Sequence[float], q: int) -> float | None:
    """Return the q-th percentile (nearest rank), or None where the sample is too small to support it."""
    ordered = np.sort(np.asarray(samples, dtype=float))
    if len(ordered) < SAMPLES_FOR.get(q, 1):
        return None
    return float(ordered[max(0, math.ceil(q / 100 * len(ordered)) - 1)])
