"""The difference of two networks, split by class of operators: the parts and the residual add up to it exactly."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.graph.classes import OpClass
from bench.profiling.network import ProfiledNetwork, total_ms

RESIDUAL = "residual"
# How far the sum of the parts may lie from the difference measured apart: this share of it, or this many standard
# errors where they are larger. A difference of fewer errors than that is none.
AGREES, ERRORS = 0.25, 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """What one class takes in both networks, and its operators and MACs in each."""

    name: str
    a_ms: float
    b_ms: float
    a_operators: int
    b_operators: int
    a_macs: int
    b_macs: int

    @property
    def difference_ms(self) -> float:
        """A less B."""
        return self.a_ms - self.b_ms


@dataclass(frozen=True, slots=True)
class Check:
    """The difference measured apart, without a profiler, in blocks that take turns: medians over pairs.

    `error_ms` is the standard error of the difference.
    """

    a_ms: float
    b_ms: float
    difference_ms: float
    error_ms: float
    pairs: int

    def fault(self, a: ProfiledNetwork, b: ProfiledNetwork) -> str:
        """Say why the parts do not explain the difference that was measured apart; empty: they do."""
        summed = a.latency_ms - b.latency_ms
        # A profile tells half its 95% interval, about two standard errors.
        error = math.hypot(self.error_ms, (a.error_ms or 0.0) / 2, (b.error_ms or 0.0) / 2)
        if abs(self.difference_ms) <= ERRORS * self.error_ms:
            return "measured apart the two hardly differ"
        if abs(summed - self.difference_ms) > max(AGREES * abs(self.difference_ms), ERRORS * error):
            return "the sum of the parts is not the difference that was measured apart"
        return ""


def split(a: ProfiledNetwork, b: ProfiledNetwork) -> list[Part]:
    """Return a part for each class that either network has, largest difference first, then the residual."""
    parts = []
    for op_class in OpClass:
        mine, other = ([op for op in network.operators if op.op_class is op_class] for network in (a, b))
        if mine or other:
            macs = sum(op.macs for op in mine), sum(op.macs for op in other)
            parts.append(Part(str(op_class), total_ms(mine), total_ms(other), len(mine), len(other), *macs))
    parts.sort(key=lambda part: -abs(part.difference_ms))
    return [*parts, Part(RESIDUAL, a.residual_ms, b.residual_ms, 0, 0, 0, 0)]


def check(latencies_ns: Sequence[tuple[float, float]]) -> Check:
    """Summarise pairs of latencies that were measured in turns."""
    a_ms, b_ms = (statistics.median(pair[i] for pair in latencies_ns) / 1e6 for i in (0, 1))
    differences = [(a - b) / 1e6 for a, b in latencies_ns]
    middle = statistics.median(differences)
    # Of a median, by the deviation that one disturbed pair does not move: 1.2533 sigma / sqrt(n), sigma = 1.4826 MAD.
    deviation = 1.4826 * statistics.median(abs(d - middle) for d in differences)
    return Check(a_ms, b_ms, middle, 1.2533 * deviation / len(differences) ** 0.5, len(differences))
