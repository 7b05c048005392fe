"""Taking the profiler out of its own figures. Pure functions on numbers; times in ns.

An event's time t is told as t + δ. δ is bounded by what trivial operators cost with the profiler's code in cache
(`hot_ns`) and out of it (`cold_ns`); where in between is read from the network: its operators told together, less the
unprofiled latency, per event. Whatever is then left of the unprofiled latency is the residual, of either sign.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.backends.profiling import ProfilerCost, middle

IMPRECISE = 3.0  # an operator shorter than this many δ cannot be told precisely


@dataclass(frozen=True, slots=True)
class Corrected:
    """One load of the model: latencies, δ of an event, and per operator the raw and the corrected time, in ns."""

    unprofiled_ns: float
    profiled_ns: float
    delta_ns: float
    raw_ns: tuple[float, ...]
    corrected_ns: tuple[float, ...]


def reduce_raw(raw_ns: Sequence[Sequence[float]], profiled_ns: Sequence[float]) -> tuple[float, ...]:
    """Reduce each operator's times to one that adds up over operators.

    Where there is a time per inference, the mean over the inferences in the middle half by profiled latency. Where
    there is only a mean, a preempted inference is in it: it is scaled by median over mean of the profiled latencies.
    """
    order = sorted(range(len(profiled_ns)), key=lambda i: profiled_ns[i])
    cut = len(order) // 4
    kept = order[cut : len(order) - cut]
    scale = statistics.median(profiled_ns) / statistics.fmean(profiled_ns)
    return tuple(
        statistics.fmean(times[i] for i in kept) if len(times) == len(profiled_ns) else statistics.fmean(times) * scale
        for times in raw_ns
    )


def delta(raw_sum_ns: float, unprofiled_ns: float, events: float, cost: ProfilerCost) -> float:
    """Return δ of one event: what the network itself says, kept between the hot and the cold calibration."""
    if not events:
        return cost.hot_ns
    told = (raw_sum_ns - unprofiled_ns) / events + cost.dispatch_ns
    return min(max(told, cost.hot_ns), cost.cold_ns)


def take_out(raw_ns: float, events: float, delta_ns: float, resolution_ns: float) -> float:
    """Return an operator's time without its events' δ, never negative.

    A counter that truncates (δ < 0) tells nothing of what is below its resolution: that stays as it is.
    """
    if delta_ns < 0 and raw_ns < resolution_ns:
        return raw_ns
    return max(0.0, raw_ns - delta_ns * events)


def correct(
    unprofiled_ns: Sequence[float],
    profiled_ns: Sequence[float],
    raw_ns: Sequence[Sequence[float]],
    events: Sequence[float],
    cost: ProfilerCost,
    scale: float = 1.0,
) -> Corrected:
    """Correct one load: `raw_ns` and `events` have an entry per operator.

    δ is found from blocks that took turns with the profiled twin's. Corrected times and the unprofiled latency are
    then scaled: by `alone_over_beside`, to what the session takes without a twin.
    """
    raw = reduce_raw(raw_ns, profiled_ns)
    plain = middle(unprofiled_ns)
    found = delta(sum(raw), plain, sum(events), cost)
    corrected = tuple(take_out(t, e, found, cost.resolution_ns) for t, e in zip(raw, events, strict=True))
    corrected = tuple(t * scale for t in corrected)
    return Corrected(plain * scale, middle(profiled_ns), found, raw, corrected)


def alone_over_beside(loads: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
    """Return how long a session takes alone over how long beside its twin: the median over loads.

    One factor for all loads, because a neighbour who takes the core during one would spoil that load's.
    """
    return statistics.median(middle(alone) / middle(beside) for alone, beside in loads)


def imprecise(corrected_ns: float, events: float, delta_ns: float) -> bool:
    """Tell whether the profiler's cost is too large beside an operator to tell its time precisely."""
    return corrected_ns < IMPRECISE * abs(delta_ns) * events
