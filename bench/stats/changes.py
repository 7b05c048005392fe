"""Change points: when a series of nights moved to another level, and by how much.

The segmentation is the optimal one under squared error with a fixed price per change (PELT: Killick, Fearnhead and
Eckley, JASA 2012), from the library `ruptures`. What it needs to be trusted on latencies is added here: a noise level
that changes do not inflate, outliers pulled in, changes too small or too short to act upon taken back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.base.errors import MissingExtra
from bench.stats.distributions import t_quantile

Array = NDArray[np.float64]

# A change must pay for itself with this many noise variances: 6 standard errors. A quarter of a million nights and
# cases then give less than one false change by chance, also where the noise level is estimated 15% too low.
PENALTY = 36.0
MIN_NIGHTS = 5  # on either side; a change younger than that is not told yet
SHORTEST = 2 * MIN_NIGHTS  # a series in which a change can be found
QUIETEST = 0.002  # a noise level below this is taken for this: nothing is that steady for long
# In noise standard deviations from the running median: four bad nights of five then fall short of the price of a
# change.
CLIP = 3.0
WINDOW = 9


@dataclass(frozen=True, slots=True)
class Change:
    """A level that moved between positions ``at - 1`` and ``at``; `log_ratio` is after against before, with 95% ends.

    `before` and `after` are the numbers of values on either side up to the next change.
    """

    at: int
    log_ratio: float
    lo: float
    hi: float
    before: int
    after: int


def noise(values: Array) -> float:
    """Return the standard deviation from one value to the next, which changes of level do not inflate."""
    steps = np.diff(values)
    if not len(steps):
        return 0.0
    return float(np.median(np.abs(steps))) / 0.6744897501960817 / math.sqrt(2)


def pull_in(values: Array, sd: float) -> Array:
    """Pull values in to `CLIP` sd around the running median, which follows a step and ignores short excursions."""
    if not len(values):
        return values
    size = min(WINDOW, len(values))
    mirrored = np.pad(values, (size // 2, size - 1 - size // 2), mode="reflect")
    centre = np.partition(np.lib.stride_tricks.sliding_window_view(mirrored, size), size // 2)[:, size // 2]
    clipped: Array = np.clip(values, centre - CLIP * sd, centre + CLIP * sd)
    return clipped


def breaks(values: Array, sd: float, penalty: float = PENALTY) -> list[int]:
    """Return the positions at which a new level begins, in ascending order.

    Raises:
        MissingExtra: the library is not installed.
    """
    if len(values) < SHORTEST or sd <= 0:
        return []
    try:
        from ruptures import KernelCPD
    except ImportError as error:
        raise MissingExtra("ruptures (change points)", "history") from error

    scaled = ((values - np.median(values)) / sd).reshape(-1, 1)
    found = KernelCPD(kernel="linear", min_size=MIN_NIGHTS).fit(scaled).predict(pen=penalty)
    return [int(at) for at in found[:-1]]


def levels(values: Array, starts: list[int]) -> Array:
    """Return the mean of each value's segment."""
    result = np.empty(len(values))
    for lo, hi in zip([0, *starts], [*starts, len(values)], strict=True):
        result[lo:hi] = values[lo:hi].mean()
    return result


def changes(values: Array, least: float = 0.02) -> list[Change]:
    """Find the changes of level of at least `least` (as a ratio minus one) in a series of log latencies, in time's
    order.

    The interval of a change is Welch's, on the values between the neighbouring changes; a change is where it is
    because the data say so there, so the interval is a little too narrow. A series whose neighbours resemble each
    other has fewer independent values than it seems: standard errors grow with sqrt((1 + r) / (1 - r)), r the lag-1
    autocorrelation.
    """
    sd = max(noise(values), QUIETEST)
    clipped = pull_in(values, sd)
    starts = _settled(clipped, breaks(clipped, sd))
    while starts:
        inflation = _inflation(clipped - levels(clipped, starts))
        found = _changes(clipped, starts, inflation)
        strength = [
            min(abs(c.log_ratio) / math.log1p(least), _z(c, sd * inflation) / (math.sqrt(PENALTY) - 1))
            * (c.lo > 0 or c.hi < 0)
            for c in found
        ]
        weakest = int(np.argmin(strength))
        if strength[weakest] >= 1:
            return found
        del starts[weakest]
    return []


def _settled(values: Array, starts: list[int]) -> list[int]:
    """Take back what is younger than it looks: a segment of five may begin before the change that is in it.

    The best place of a change between its neighbours, wherever that is, must be five values from either.
    """
    edges = [0, *starts, len(values)]
    kept = []
    for lo, at, hi in zip(edges, edges[1:], edges[2:], strict=False):
        part = values[lo:hi] - values[lo:hi].mean()
        n = np.arange(1, len(part))
        best = 1 + int(np.argmax(np.cumsum(part)[:-1] ** 2 / (n * (len(part) - n))))
        if min(best, len(part) - best) >= MIN_NIGHTS:
            kept.append(at)
    return kept


def _changes(values: Array, starts: list[int], inflation: float) -> list[Change]:
    edges = [0, *starts, len(values)]
    result = []
    for lo, at, hi in zip(edges, edges[1:], edges[2:], strict=False):
        before, after = values[lo:at], values[at:hi]
        parts = [float(part.var(ddof=1)) / len(part) for part in (before, after)]
        total = max(sum(parts), 1e-18)
        df = total**2 / max(sum(p**2 / (n - 1) for p, n in zip(parts, (at - lo, hi - at), strict=True)), 1e-36)
        half = t_quantile(df, 0.975) * math.sqrt(total) * inflation
        moved = float(after.mean() - before.mean())
        result.append(Change(at, moved, moved - half, moved + half, at - lo, hi - at))
    return result


def _z(change: Change, sd: float) -> float:
    return abs(change.log_ratio) / (sd * math.sqrt(1 / change.before + 1 / change.after))


def _inflation(residuals: Array) -> float:
    """Return by how much positive autocorrelation widens standard errors; 1 where chance explains it."""
    n = len(residuals)
    variance = float(np.mean(residuals**2))
    if variance == 0:
        return 1.0
    r = float(np.mean(residuals[1:] * residuals[:-1])) / variance
    return math.sqrt((1 + r) / (1 - r)) if 2 / math.sqrt(n) < r < 1 else 1.0
