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
# What is believed of (a, g, m in ns per byte, w, o, b in ns, c in ns) before any network was measured, how firmly,
# and what is possible.
PRIOR = (0.9, 0.2, 0.01, 0.3, 0.3, -500.0, 2000.0)
PRIOR_SD = (0.15, 0.15, 0.02, 0.4, 0.4, 2000.0, 20000.0)
BOUNDS = ((0.6, 0.0, 0.0, 0.0, 0.0, -5000.0, 0.0), (1.6, 1.0, 0.2, 2.0, 2.0, 20000.0, 500000.0))
CROWD_BYTES = 8 << 20  # operands with which a network is half crowded: a few times a private cache
LAST_BYTES = 128 << 20  # the same for the last cache
NOISE = 0.03  # relative spread of a network's latency around the law
LEAST_SHARE = 0.02  # share of predicted time below which an error says nothing of the regressor


def crowded(parts: Sequence[tuple[float, int]], cache_bytes: int) -> float:
    """Return what of the parts suffers from a crowded cache; each is a time (or bytes) and the bytes of its operands.

    A kernel suffers in proportion to F / (F + B) * B / (B + f), with F bytes of operands in all, f of its own, and B
    of the cache.
    """
    everything = sum(size for _, size in parts)
    crowd = everything / (everything + cache_bytes)
    return sum(part * crowd * cache_bytes / (cache_bytes + size) for part, size in parts)


def fit_law(rows: Array) -> Array:
    """Return (a, g, m, w, o, b, c) by relative least squares under prior and bounds; `rows` are terms / latencies."""
    from scipy.optimize import lsq_linear

    strength = NOISE / np.array(PRIOR_SD)
    matrix = np.vstack([rows, np.diag(strength)])
    target = np.concatenate([np.ones(len(rows)), strength * np.array(PRIOR)])
    scale = np.array(PRIOR_SD)  # equal scales: the terms differ by orders of magnitude
    low, high = (np.array(b) / scale for b in BOUNDS)
    found = lsq_linear(matrix * scale, target, bounds=(low, high))
    return np.asarray(found.x * scale, dtype=np.float64)


def half_width(calibration: Sequence[Calibration], share_unseen: float) -> float | None:
    """Return half the 90% interval of a log latency; None where too few networks were measured to tell.

    Split conformal prediction: the quantile of the errors in `calibration` (see `calibrate`) that holds for one more
    network. The part of the time that was predicted adds in proportion to its share, in squares.
    """
    base = conformal([abs(row["seen"]) for row in calibration if "seen" in row])
    if base is None:
        return None
    rates = [
        math.sqrt(max(0.0, row["unseen"] ** 2 - base**2)) / row["share"]
        for row in calibration
        if "unseen" in row and row["share"] > LEAST_SHARE
    ]
    slope = conformal(rates) if share_unseen else 0.0
    return None if slope is None else math.hypot(base, slope * share_unseen)


def conformal(scores: Sequence[float], coverage: float = COVERAGE) -> float | None:
    """Return the score that one more exchangeable one stays below with probability `coverage`; None for too few."""
    rank = math.ceil((len(scores) + 1) * coverage)
    return sorted(scores)[rank - 1] if 0 < rank <= len(scores) else None
