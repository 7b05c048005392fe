"""The law that makes a network's latency of the times of its kernels, and the interval around it.

    latency = a * hot + g * crowded + m * fetched + w * weights + o * others + b * kernels + c

`hot` is the sum of all kernels alone, over and over, with their operands in the cache. In a network they push each
other's out: `crowded` is the part of `hot` that suffers from it, none of it in a tiny network, and nothing of a kernel
whose own operands are too large for the cache anyway. `fetched` is the same for the last cache: the bytes of weights
that a network of this size has to fetch from memory. `weights` and `others` are what the kernels with and without
weights take longer alone when cold. A run of one kernel alone has the overhead of a whole run, which a network has
once: hence b is below what a dispatch takes, even below zero. The seven terms are fitted on networks that were measured
end to end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.predict.table import Calibration

Array = NDArray[np.float64]
COVERAGE = 0.9
FEWEST = 9  # networks from which a 90% quantile of their errors is one of them
# What errors are believed to be before any network was measured, as if so many had been.
BELIEVED_SEEN, BELIEVED_RATE, BELIEVED = 0.05, 1.0, 3.0
# What is believed of (a, g, m in ns per byte, w, o, b in ns, c in ns) before any network was measured, how firmly,
# and what is possible.
PRIOR = (0.9, 0.2, 0.01, 0.3, 0.3, -500.0, 2000.0)
PRIOR_SD = (0.15, 0.15, 0.02, 0.4, 0.4, 2000.0, 20000.0)
PRIOR_TOLD = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5000.0)
PRIOR_TOLD_SD = (0.1, 0.05, 0.002, 0.001, 0.001, 500.0, 20000.0)
BOUNDS = ((0.6, 0.0, 0.0, 0.0, 0.0, -5000.0, 0.0), (1.6, 1.0, 0.2, 2.0, 2.0, 20000.0, 500000.0))
CROWD_BYTES = 8 << 20  # operands with which a network is half crowded: a few times a private cache
LAST_BYTES = 128 << 20  # the same for the last cache
NOISE = 0.03  # relative spread of a network's latency around the law
LEAST_UNSURE = 0.01  # below which an error says nothing of the regressor


def crowded(parts: Sequence[tuple[float, int]], cache_bytes: int) -> float:
    """Return what of the parts suffers from a crowded cache; each is a time (or bytes) and the bytes of its operands.

    A kernel suffers in proportion to F / (F + B) * B / (B + f), with F bytes of operands in all, f of its own, and B
    of the cache.
    """
    everything = sum(size for _, size in parts)
    crowd = everything / (everything + cache_bytes)
    return sum(part * crowd * cache_bytes / (cache_bytes + size) for part, size in parts)


def fit_law(rows: Array, spreads: Array | None = None, told: bool = False) -> Array:
    """Return (a, g, m, w, o, b, c) by relative least squares under prior and bounds.

    Args:
        rows: terms / latencies, one row for each network.
        spreads: how far each may be from the law, relative; by default `NOISE`.
        told: the times of kernels were told inside networks, and have all that a cache does in them.
    """
    from scipy.optimize import lsq_linear

    prior, sd = (PRIOR_TOLD, PRIOR_TOLD_SD) if told else (PRIOR, PRIOR_SD)
    strength = NOISE / np.array(sd)
    weights = NOISE / (np.full(len(rows), NOISE) if spreads is None else spreads)
    matrix = np.vstack([rows * weights[:, None], np.diag(strength)])
    target = np.concatenate([weights, strength * np.array(prior)])
    scale = np.array(sd)  # equal scales: the terms differ by orders of magnitude
    low, high = (np.array(b) / scale for b in BOUNDS)
    found = lsq_linear(matrix * scale, target, bounds=(low, high))
    return np.asarray(found.x * scale, dtype=np.float64)


def half_width(calibration: Sequence[Calibration], unsure: float) -> float:
    """Return half the 90% interval of a log latency whose predicted kernels are `unsure` (see `Sums`).

    Split conformal prediction: the quantile of the errors in `calibration` (see `calibrate`) that holds for one more
    network. What was predicted and not timed adds, in squares and in proportion to how unsure it is; the factor is
    the quantile of what it was for the networks in `calibration`. Below nine networks: see `quantile`.
    """
    base = quantile([abs(row["seen"]) for row in calibration if "seen" in row], BELIEVED_SEEN)
    if not unsure:
        return base
    rates = [
        math.sqrt(max(0.0, row["unseen"] ** 2 - base**2)) / max(row["unsure"], LEAST_UNSURE)
        for row in calibration
        if "unseen" in row
    ]
    return math.hypot(base, quantile(rates, BELIEVED_RATE) * unsure)


def quantile(scores: Sequence[float], believed: float) -> float:
    """Return what the size of one more error stays below in 90% of cases, whatever their distribution.

    Of fewer than nine the largest does not promise as much. Then errors count as normal around zero, of a size that
    is `believed` and was seen, as if it had been seen in `BELIEVED` cases: Student's t.
    """
    if (found := conformal(scores)) is not None:
        return found
    from scipy.stats import t

    freedom = BELIEVED + len(scores)
    size = math.sqrt((BELIEVED * believed**2 + sum(s * s for s in scores)) / freedom)
    return float(t.ppf((1 + COVERAGE) / 2, freedom)) * size


def conformal(scores: Sequence[float], coverage: float = COVERAGE) -> float | None:
    """Return the score that one more exchangeable one stays below with probability `coverage`; None for too few."""
    rank = math.ceil((len(scores) + 1) * coverage)
    return sorted(scores)[rank - 1] if 0 < rank <= len(scores) else None
