"""The lead-in of profiled blocks leaves no trace."""

from __future__ import annotations

import pytest

from bench.backends.profiling import ProfilerCost, RawProfile, TimedOperator
from bench.measure import profiling


class Scripted:
    """A session and its profiler whose first inferences in a block are slow; one operator is told one by one."""

    def __init__(self) -> None:
        self.now, self.in_block, self.each = 0, 0, []

    def clock(self) -> int:
        return self.now

    def infer(self) -> None:
        self.now += 1000

    def block(self, n: int) -> list[int]:
        times = [900 if i < profiling.LEAD_IN else 100 for i in range(n)]
        self.each += times
        return times

    def read(self) -> RawProfile:
        mean = sum(self.each) / len(self.each)
        operators = (
            TimedOperator("each", "Conv", [t / 2 for t in self.each]),
            TimedOperator("mean", "Conv", [mean / 2]),
        )
        return RawProfile(operators, ProfilerCost(0, 0, 0, 1))


def test_lead_ins_do_not_count() -> None:
    scripted = Scripted()
    found = profiling.profile(scripted, scripted, rounds=4, n=5, clock=scripted.clock, device_ns=None)
    assert found["unprofiled_ns"] == [1000] * 20
    assert found["profiled_ns"] == [100] * 20
    each, mean = found["operators"]
    assert each["raw_ns"] == [50] * 20
    assert mean["raw_ns"] == pytest.approx([50])
