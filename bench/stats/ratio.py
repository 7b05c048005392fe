"""The ratio of two cases that took turns, replicate by replicate: what drifts for both drops out of every
difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.stats.distributions import t_quantile

CONFIDENCE = 0.95
LEAST = 3  # samples that give an interval


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect on the log scale with the ends of its 95% interval, from `n` samples (0: counted, exact)."""

    log: float
    lo: float
    hi: float
    n: int

    @property
    def ratios(self) -> tuple[float, float, float]:
        """Effect and interval as ratios."""
        return math.exp(self.log), math.exp(self.lo), math.exp(self.hi)

    @property
    def inverse(self) -> Effect:
        """The effect of the same two, the other way round."""
        return Effect(-self.log, -self.hi, -self.lo, self.n)


def effect(logs: Sequence[float]) -> Effect:
    """Return the mean of log ratios, one per replicate of fresh processes, with Student's interval.

    Raises:
        ValueError: there are fewer than `LEAST`, or one is not finite.
    """
    n = len(logs)
    if n < LEAST or not all(map(math.isfinite, logs)):
        raise ValueError(f"{n} samples give no interval")
    mean = math.fsum(logs) / n
    sd = math.sqrt(math.fsum((x - mean) ** 2 for x in logs) / (n - 1))
    half = t_quantile(n - 1, (1 + CONFIDENCE) / 2) * sd / math.sqrt(n)
    return Effect(mean, mean - half, mean + half, n)
