"""What to time next: the kernels whose expected error is the largest part of the networks that people ask about.

A kernel counts with its share of the predicted time of each network, times how unsure its prediction is, over what
timing it costs. Networks that somebody asked about count several times. Among what is left the draw is random in
proportion, so that a hundred alike are not timed at once.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from bench.predict.features import moved_bytes
from bench.predict.regressor import LEAST, Regressor
from bench.predict.table import KernelTable, Timing

ASKED, REAL = 5.0, 2.0  # times that a network counts which somebody asked about, or which is no made-up one
START_S, REPEATS = 0.02, 14  # what timing a kernel takes: once, and so many times its own time
MOST_BYTES = 1 << 28  # of a kernel's operands: more would take long and teach little
FIRST = 150  # kernels that are drawn from all networks alike before anything is learnt


def choose(table: KernelTable, seconds: float, seed: int = 0, tried: Collection[str] = ()) -> list[str]:
    """Return the keys of kernels to time in about so many seconds, never those `tried`, the most urgent first."""
    rng = np.random.default_rng(seed)
    baseline_ns = table.baseline_gemm_ns
    keys = [key for key, timing in table.timings.items() if key not in tried and _wanted(timing, baseline_ns)]
    if not keys:
        return []
    timed = {key: t for key, t in table.timings.items() if t.runs}
    known = {key: t.hot_ns(baseline_ns) for key, t in timed.items()}
    if len(timed) < max(LEAST, FIRST):
        guess = dict.fromkeys(keys, 20000.0)
        urgent = np.ones(len(keys))
    else:
        hot = np.array(list(known.values()))
        cold = np.array([t.cold_ns(baseline_ns) for t in timed.values()])
        regressor = Regressor([t.kernel for t in timed.values()], hot, cold, seed, rough=True)
        found, _, unsure = regressor.predict([table.timings[key].kernel for key in keys])
        guess = dict(zip(keys, found.tolist(), strict=True))
        weights = importance(table, known | guess)
        urgent = np.array([weights.get(key, 0.0) for key in keys]) * unsure
    costs = np.array([START_S + REPEATS * guess[key] * 1e-9 for key in keys])
    order = np.argsort(-(np.log(np.maximum(urgent, 1e-12) / costs) + rng.gumbel(size=len(keys))))
    within = np.cumsum(costs[order]) <= seconds
    return [keys[i] for i in order[: max(1, int(within.sum()))]]


def importance(table: KernelTable, times_ns: dict[str, float]) -> dict[str, float]:
    """Return, by kernel, the sum of its shares of the time of all networks."""
    found: dict[str, float] = {}
    for network in table.networks.values():
        keys = [key for key in network.keys if key in times_ns]
        total = sum(times_ns[key] for key in keys)
        if not total:
            continue
        factor = 1.0 if network.made else REAL if network.latency_ns else ASKED
        for key in keys:
            found[key] = found.get(key, 0.0) + factor * times_ns[key] / total
    return found


def _wanted(timing: Timing, baseline_gemm_ns: float) -> bool:
    """Tell whether a kernel is still to be timed: never yet, or once and disturbed."""
    kernel = timing.kernel
    if timing.failed or kernel.moves_nothing or moved_bytes(kernel) > MOST_BYTES:
        return False
    return not timing.runs or (len(timing.runs) < 2 and not timing.quiet_runs(baseline_gemm_ns))
