"""The worker's part of ``bench profile``: unprofiled and profiled blocks take turns in one process.

So both meet the same clock speed and the same neighbours, and what the profiler costs is their difference.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from bench import backends
from bench.backends.loop import Clock, time_block
from bench.base.errors import Unsupported

if TYPE_CHECKING:
    from bench.backends.answers import Load
    from bench.backends.base import Backend, Session
    from bench.backends.profiling import Profiler, TimedOperator

# Inferences at the start of a block that do not count: the twin has taken the cache. Without them the first take 17, 12
# and 4% longer, which made a latency here up to 4% longer than that of `bench ab`.
LEAD_IN = 3


def start(backend: Backend, session: Session) -> Profiler:
    """Load the profiled twin of a session.

    Raises:
        Unsupported: the session cannot be profiled.
    """
    if not backend.capabilities.profiles:
        others = [b.name for b in backends.working() if b.capabilities.profiles and not b.capabilities.scripted]
        raise Unsupported(
            f"the backend {backend.name} cannot tell the time of an operator", f"{', '.join(others)} can be profiled"
        )
    return session.profiler()


def profile(session: Session, profiler: Profiler, rounds: int, n: int, clock: Clock, device_ns: Clock | None) -> Load:
    """Run `rounds` pairs of blocks of `n` inferences after a lead-in; which of the two comes first alternates.

    Returns latencies of both kinds in ns, in order, and the raw profile, all without the lead-ins.
    """
    plain: list[int] = []
    profiled: list[int] = []
    for i in range(rounds):
        for with_profiler in (i % 2 == 1, i % 2 == 0):
            if with_profiler:
                profiled += profiler.block(LEAD_IN + n)
            else:
                plain += time_block(session.infer, LEAD_IN + n, clock, device_ns)[0][LEAD_IN:]
    raw = profiler.read()
    kept = [j for j in range(len(profiled)) if j % (LEAD_IN + n) >= LEAD_IN]
    return {
        "unprofiled_ns": plain,
        "profiled_ns": [profiled[j] for j in kept],
        "operators": [asdict(_without_lead_in(operator, profiled, kept)) for operator in raw.operators],
        "cost": asdict(raw.cost),
    }


def _without_lead_in(operator: TimedOperator, profiled_ns: Sequence[int], kept: Sequence[int]) -> TimedOperator:
    """Drop the times of lead-ins; a mean over all inferences is scaled as the mean latency is by dropping them."""
    if len(operator.raw_ns) == len(profiled_ns):
        return replace(operator, raw_ns=[operator.raw_ns[j] for j in kept])
    scale = statistics.fmean(profiled_ns[j] for j in kept) / statistics.fmean(profiled_ns)
    return replace(operator, raw_ns=[time_ns * scale for time_ns in operator.raw_ns])
