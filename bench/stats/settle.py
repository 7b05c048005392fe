"""Where a latency that was followed for a long time came to rest, and at what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats.distributions import t_quantile

LAST = 2 / 3  # what comes after this share of the time is the level that the rest is held against
LEAST = 3  # values in that last part, at least
DRIFT = 0.02  # by which its two halves may differ: beyond that it has not come to rest
NEAR = 0.03  # what lies within this of the level is at it, or within three of the level's own deviations


@dataclass(frozen=True, slots=True)
class Mean:
    """A geometric mean with its 95% interval over the values; without ends where there is one value."""

    value: float
    lo: float | None
    hi: float | None


@dataclass(frozen=True, slots=True)
class Settled:
    """The level at which values came to rest, and since when (in the times' unit)."""

    level: Mean
    after: float


def mean(values: Sequence[float]) -> Mean | None:
    """Return the geometric mean of values above 0; None of none."""
    if not len(values):
        return None
    logs = np.log(np.asarray(values, dtype=float))
    middle = float(logs.mean())
    if len(logs) < 2:
        return Mean(math.exp(middle), None, None)
    half = t_quantile(len(logs) - 1, 0.975) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    return Mean(math.exp(middle), math.exp(middle - half), math.exp(middle + half))


def settled(times: Sequence[float], values: Sequence[float]) -> Settled | None:
    """Find where values (above 0, in order of time) came to rest; None where they still move at the end.

    The level is the median of the last third. It is at rest if the two halves of that third agree within `DRIFT`, and
    since the first time from which on the running median of three stays near it.
    """
    at, logs = np.asarray(times, dtype=float), np.log(np.asarray(values, dtype=float))
    if len(at) < LEAST:
        return None
    last = logs[at >= at[0] + LAST * (at[-1] - at[0])]
    if len(last) < LEAST:
        return None
    first, second = (float(np.median(half)) for half in np.array_split(last, 2))
    if abs(first - second) > DRIFT:
        return None
    level = float(np.median(last))
    near = max(NEAR, 3 * 1.4826 * float(np.median(np.abs(last - level))))
    off = np.flatnonzero(np.abs(_smooth(logs) - level) > near)
    start = int(off[-1]) + 1 if len(off) else 0
    found = mean(np.exp(logs[start:]).tolist())
    return None if found is None else Settled(found, float(at[start]))


def _smooth(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the running median of three; the ends stand as they are."""
    middle = np.median(np.stack([logs[:-2], logs[1:-1], logs[2:]]), axis=0)
    return np.concatenate([logs[:1], middle, logs[-1:]])
