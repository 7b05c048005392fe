"""Do the intervals within a run hold? Recorded launches of a case, resampled as runs, against what all say together.

Two answers. Drawn at random, launches are independent, as the interval takes them to be. Taken as they came, one window
after the other, they share whatever the machine did in those seconds, and the share that covers says how far to
believe an interval beyond the minute it was measured in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.backends.answers import Block
from bench.machine.baseline import BaselineSpeed, baseline_of, reading
from bench.measure.evidence import Weighing, weigh
from bench.plan.protocol import Protocol
from bench.stats.summary import Estimate, confidence, estimate

LEAST = 20


def coverage(launches: Sequence[Sequence[Block]], draws: int = 1000, seed: int = 0) -> dict[str, Any] | None:
    """Return shares of covering intervals for the recorded blocks of one case; None below 20 launches that count.

    The truth is the estimate over all launches; each resampled run stops where `bench run` would.
    """
    baseline: BaselineSpeed = baseline_of([reading(block) for launch in launches for block in launch])
    weighing: Weighing = weigh(launches, baseline)
    n = len(weighing.launches)
    if not weighing.sound or n < LEAST:
        return None
    medians = np.array([np.median(launch) for launch in weighing.launches])
    beside = np.array(weighing.offsets)
    truth = _estimate(medians, beside).latency_ns
    rng = np.random.default_rng(seed)
    protocol = Protocol()
    hits, narrow, used = 0, 0, 0
    for _ in range(draws):
        order = rng.integers(0, n, protocol.max_launches)
        found, count = _run(medians[order], beside[order], protocol)
        hits += covers(found, truth)
        narrow += found.within_half_width <= protocol.tolerance
        used += count
    windows = [_estimate(medians[i : i + 5], beside[i : i + 5]) for i in range(n - 4)]
    return {
        "launches": n,
        "aside": weighing.share_aside,
        "sd": float(np.log(medians).std(ddof=1)),
        "truth_ms": truth / 1e6,
        "covered": hits / draws,
        "ok": narrow / draws,
        "mean_launches": used / draws,
        "covered_in_a_row": sum(covers(w, truth) for w in windows) / len(windows),
    }


def _estimate(medians: Any, beside: Any, level: float = 0.95) -> Estimate:
    return estimate([[m] for m in medians], beside.tolist(), level=level)


def covers(found: Estimate, truth: float) -> bool:
    """Tell whether an interval holds the truth."""
    lo, hi = found.within_lo_ns, found.within_hi_ns
    return lo is not None and hi is not None and lo <= truth <= hi


def _run(medians: Any, beside: Any, protocol: Protocol) -> tuple[Estimate, int]:
    for n in protocol.stopping.looks():
        count = min(n, len(medians))
        found = _estimate(medians[:count], beside[:count], confidence(count, protocol.launches))
        if protocol.stopping.enough(count, lambda found=found: found.within_half_width):  # type: ignore[misc]
            break
    return found, count
