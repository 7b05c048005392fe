"""Do the intervals hold? Recorded launches of a case, resampled as runs, against what all of them say together.

Two answers. Drawn at random, launches are independent, as the interval takes them to be. Taken as they came, one window
after the other, they share whatever the machine did in those seconds, and the share that covers says how far to
believe an interval beyond the minute it was measured in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.machine.quiet import Usual, reading, usual
from bench.measure.evidence import Evidence, weigh
from bench.plan.protocol import Protocol
from bench.stats.summary import Headline, confidence, headline

LEAST = 20


def coverage(launches: Sequence[Sequence[dict[str, Any]]], draws: int = 1000, seed: int = 0) -> dict[str, Any] | None:
    """Return shares of covering intervals for the recorded blocks of one case; None below 20 launches that count.

    The truth is the headline over all launches; each resampled run stops where `bench run` would.
    """
    quiet: Usual = usual([reading(block) for launch in launches for block in launch])
    evidence: Evidence = weigh(launches, quiet)
    n = len(evidence.launches)
    if not evidence.sound or n < LEAST:
        return None
    medians = np.array([np.median(launch) for launch in evidence.launches])
    slow = np.array(evidence.slowness)
    truth = _headline(medians, slow).latency_ns
    rng = np.random.default_rng(seed)
    protocol = Protocol()
    hits, narrow, used = 0, 0, 0
    for _ in range(draws):
        order = rng.integers(0, n, protocol.max_launches)
        found, count = _run(medians[order], slow[order], protocol)
        hits += covers(found, truth)
        narrow += found.half_width <= protocol.tolerance
        used += count
    windows = [_headline(medians[i : i + 5], slow[i : i + 5]) for i in range(n - 4)]
    return {
        "launches": n,
        "aside": evidence.share_aside,
        "sd": float(np.log(medians).std(ddof=1)),
        "truth_ms": truth / 1e6,
        "covered": hits / draws,
        "ok": narrow / draws,
        "mean_launches": used / draws,
        "covered_in_a_row": sum(covers(w, truth) for w in windows) / len(windows),
    }


def _headline(medians: Any, slow: Any, level: float = 0.95) -> Headline:
    return headline([[m] for m in medians], slow.tolist(), level)


def covers(found: Headline, truth: float) -> bool:
    """Tell whether an interval holds the truth."""
    return found.lo_ns is not None and found.hi_ns is not None and found.lo_ns <= truth <= found.hi_ns


def _run(medians: Any, slow: Any, protocol: Protocol) -> tuple[Headline, int]:
    for n in protocol.stopping.looks():
        count = min(n, len(medians))
        found = _headline(medians[:count], slow[:count], confidence(count, protocol.launches))
        if protocol.stopping.enough(count, lambda found=found: found.half_width):  # type: ignore[misc]
            break
    return found, count
