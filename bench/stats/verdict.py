"""From the log-ratios of pairs to a verdict. "I do not know" is called inconclusive and never anything else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.stats.robust import trimmed_interval

MIN_PAIRS = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What pairs of processes say about B against A.

    `ratio` is B's latency over A's, with its 95% interval for display; the decision uses 99%. `detectable` is the
    smallest slowdown (as a ratio minus one) that this much evidence would have called slower.
    """

    verdict: str
    ratio: float
    lo: float
    hi: float
    pairs: int
    detectable: float


def decide(log_ratios: Sequence[float], margin: float) -> Verdict:
    """Judge B against A from one log-ratio per pair.

    With d = log(1 + margin): `slower` if the 99% interval lies above d, `faster` if below -d, `equivalent` if the 90%
    interval lies within max(log 1.02, 2 d) on both sides (two one-sided tests at 5%), `changed below threshold` if the
    99% interval excludes zero only, else `inconclusive`.

    Raises:
        ValueError: fewer than `MIN_PAIRS` pairs, or a value that is not finite.
    """
    if len(log_ratios) < MIN_PAIRS:
        raise ValueError(f"{len(log_ratios)} pairs are too few to judge; {MIN_PAIRS} at least")
    delta = math.log1p(margin)
    centre, lo99, hi99 = trimmed_interval(log_ratios, 0.99)
    _, lo95, hi95 = trimmed_interval(log_ratios, 0.95)
    _, lo90, hi90 = trimmed_interval(log_ratios, 0.90)
    same = max(math.log(1.02), 2 * delta)
    if lo99 > delta:
        verdict = "slower"
    elif hi99 < -delta:
        verdict = "faster"
    elif -same < lo90 and hi90 < same:
        verdict = "equivalent"
    elif lo99 > 0 or hi99 < 0:
        verdict = "changed below threshold"
    else:
        verdict = "inconclusive"
    detectable = math.expm1((hi99 - lo99) / 2 + delta)
    return Verdict(verdict, math.exp(centre), math.exp(lo95), math.exp(hi95), len(log_ratios), detectable)


def half_width(log_ratios: Sequence[float]) -> float:
    """Return half the 95% interval of the log-ratio, by which a comparison decides to stop (never by its verdict)."""
    if len(log_ratios) < MIN_PAIRS:
        return math.inf
    _, lo, hi = trimmed_interval(log_ratios, 0.95)
    return (hi - lo) / 2
