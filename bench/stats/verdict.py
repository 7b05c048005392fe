"""From the log-ratios of pairs to a verdict. "I do not know" is called inconclusive and never anything else.

Pairs are asked at agreed numbers of them (`bench.stats.sequential`). With d = log(1 + margin) the verdict is the zone
that an interval lies in, and zones meet at d: none of them reaches into another, so that no change is called one thing
today and its opposite tomorrow by chance. Once a verdict is reached it stands, whatever more pairs would say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats import sequential
from bench.stats.distributions import normal_cdf, t_quantile
from bench.stats.robust import Array, dependence, trimmed

MIN_PAIRS = 5
LOOKS = (10, 15, 20, 25, 30)
# Nominal rates of error at a change of exactly the margin: of `slower` (and of `faster` on the other side), and of
# `equivalent`, whose interval is the one that is shown. The Winsorised error is a little too small for so rare an
# error: 0.3% is 0.3% on normal pairs and up to 0.5% on recorded ones (docs/method.md), and 0.5% is what is promised.
SURE, SHOWN = 0.003, 0.025
DECIDED = ("slower", "faster", "equivalent")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What pairs of processes say about B against A.

    `ratio` is B's latency over A's, with the 95% interval that holds at all looks together; `slower` and `faster` ask
    for 99%. `pairs` is the number of them that the verdict was reached with. `detectable` is the smallest slowdown (as
    a ratio minus one) that this much evidence would have called slower. `widened` is the factor by which the intervals
    are wider because pairs in a row were alike; 1 where they were not.
    """

    verdict: str
    ratio: float
    lo: float
    hi: float
    pairs: int
    detectable: float
    widened: float = 1.0


Ends = tuple[float, float] | tuple[Array, Array]


def zone(sure: Ends, shown: Ends, margin: float) -> NDArray[np.str_]:
    """Return the verdict that follows from where intervals of a log-ratio lie; the one rule of all comparisons.

    With d = log(1 + margin): `slower` if the `sure` interval (99%) lies above d, `faster` if below -d, `equivalent` if
    the `shown` one (95%) lies within -d and d, `changed below threshold` if the sure one excludes zero only, else
    `inconclusive`. Numbers give an array without dimensions.
    """
    d = math.log1p(margin)
    lo, hi = (np.asarray(end) for end in sure)
    rules = {
        "slower": lo > d,
        "faster": hi < -d,
        "equivalent": (np.asarray(shown[0]) >= -d) & (np.asarray(shown[1]) <= d),
        "changed below threshold": (lo > 0) | (hi < 0),
    }
    return np.select(list(rules.values()), list(rules), "inconclusive")


def decide(log_ratios: Sequence[float], margin: float, looks: sequential.Looks = LOOKS) -> Verdict:
    """Judge B against A from one log-ratio per pair, in order of time, when no more pairs will come.

    The first of the `looks` at which a boundary is crossed has the say, and later pairs none. Where none is, all pairs
    are judged once more, by what the boundary has left (`sequential.last`). At most as many count as the last look has.

    Raises:
        ValueError: fewer than `MIN_PAIRS` pairs, or a value that is not finite.
    """
    if len(log_ratios) < MIN_PAIRS:
        raise ValueError(f"{len(log_ratios)} pairs are too few to judge; {MIN_PAIRS} at least")
    values = np.asarray(log_ratios, dtype=np.float64)[: looks[-1]]
    if not np.isfinite(values).all():
        raise ValueError("log-ratios must be finite")
    n = next((k for k in looks if k <= len(values) and _crossed(values, margin, looks, k)), 0)
    ended = not n
    n = n or len(values)
    said, *numbers = _at(values, margin, looks, n, ended)
    centre, sure, shown = map(float, numbers)
    return Verdict(
        str(said),
        math.exp(centre),
        math.exp(centre - shown),
        math.exp(centre + shown),
        n,
        math.expm1(sure + math.log1p(margin)),
        float(dependence(values[:n])),
    )


def decided(log_ratios: Sequence[float], margin: float, looks: sequential.Looks = LOOKS) -> bool:
    """Tell whether a comparison that goes on has crossed a boundary at the look that it has come to."""
    n = len(log_ratios)
    return n in looks and _crossed(np.asarray(log_ratios, dtype=np.float64), margin, looks, n)


def verdicts(
    values: Array, margin: float, looks: sequential.Looks = LOOKS
) -> tuple[NDArray[np.str_], NDArray[np.intp]]:
    """Judge many comparisons, a row of log-ratios each and as many as the last look has; return verdicts and pairs."""
    said = np.full(len(values), "inconclusive", dtype="<U32")
    used = np.full(len(values), looks[-1])
    going = np.arange(len(values))
    for n in looks:
        found = _at(values[going], margin, looks, n, n == looks[-1])[0]
        ends = np.isin(found, DECIDED) | (n == looks[-1])
        said[going[ends]], used[going[ends]] = found[ends], n
        going = going[~ends]
    return said, used


def _crossed(values: Array, margin: float, looks: sequential.Looks, n: int) -> bool:
    return str(_at(values, margin, looks, n, ended=False)[0]) in DECIDED


def _at(
    values: Array, margin: float, looks: sequential.Looks, n: int, ended: bool
) -> tuple[NDArray[np.str_], Array, Array, Array]:
    """Judge the first `n` values of the last axis: verdict, centre, half-widths of the sure and the shown interval."""
    centre, error, df = trimmed(values[..., :n])
    error = error * dependence(values[..., :n])
    halves = []
    for rate in (SURE, SHOWN):
        bound = sequential.last(looks, n, rate) if ended else sequential.boundary(looks, rate)[looks.index(n)]
        halves.append(-t_quantile(df, normal_cdf(-bound)) * error)
    sure, shown = halves
    said = zone((centre - sure, centre + sure), (centre - shown, centre + shown), margin)
    return said, centre, sure, shown
