"""The timed region of mode throughput: several inferences at once, a thread for each.

A lane runs its inferences back to back, and goes on until all lanes have done theirs, so that each one that counts had
the others beside it. What a lane gives is what it did over its own time; the rates of the lanes add up. A block has no
tail in which some of them idle, and how many inferences are in it moves nothing.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier, get_native_id

from bench.backends.base import Lane
from bench.backends.loop import lead_in

GONE_S = 1.0  # a thread that has ended is in the system's list for a moment


@dataclass(frozen=True, slots=True)
class Flow:
    """A block of inferences at once: every latency in ns, lane after lane, and the ns from one result to the next.

    `cpu_share` is the CPU time of this process over the wall time, from when all lanes ran until the last had done its
    own.
    """

    latency_ns: list[int]
    every_ns: float
    cpu_share: float


@dataclass(frozen=True, slots=True)
class _Lap:
    """A lane's clock before and after each inference; wall and CPU time at its start, and when it had done its own."""

    times: list[int]
    begin: tuple[int, int]
    end: tuple[int, int]
    thread: int


class Streams:
    """Lanes with their threads, which sleep between blocks.

    Raises:
        Exception: from `run`, whatever a lane's inference raised.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.lanes = tuple(lanes)
        self._pool = ThreadPoolExecutor(len(self.lanes), "stream")
        self._threads: set[int] = set()

    def run(self, n: int, lead: bool = False) -> Flow:
        """Run `n` inferences in every lane, after a few that do not count if there is to be a `lead`."""
        start, done = Barrier(len(self.lanes)), [0]
        collecting = gc.isenabled()
        gc.disable()
        try:
            running = [self._pool.submit(_lap, lane, n, lead, start, done, len(self.lanes)) for lane in self.lanes]
            laps = [one.result() for one in running]
        finally:
            if collecting:
                gc.enable()
        latencies = [after - before for lap in laps for before, after in zip(lap.times, lap.times[1:], strict=False)]
        self._threads |= {lap.thread for lap in laps}
        rate = sum(n / max(1, lap.times[-1] - lap.times[0]) for lap in laps)
        (wall, cpu), (wall_end, cpu_end) = max(lap.begin for lap in laps), max(lap.end for lap in laps)
        return Flow(latencies, 1 / rate, (cpu_end - cpu) / max(1, wall_end - wall))

    def close(self) -> None:
        """End the threads, and wait until the system has: who counts threads next is not to count these."""
        self._pool.shutdown()
        patience = time.monotonic() + GONE_S
        while any(os.path.exists(f"/proc/self/task/{one}") for one in self._threads) and time.monotonic() < patience:
            time.sleep(0.001)


def _lap(lane: Lane, n: int, lead: bool, start: Barrier, done: list[int], lanes: int) -> _Lap:
    """Run a lane's inferences; `done` has a cell for every lane that has run its own, and one more."""
    infer, now, times = lane.infer, lane.now, [0] * (n + 1)
    try:
        start.wait()
        begin = time.perf_counter_ns(), time.process_time_ns()
        if lead:
            lead_in(infer)
        times[0] = now()
        for i in range(1, n + 1):
            infer()
            times[i] = now()
        end = time.perf_counter_ns(), time.process_time_ns()
    except BaseException:
        done.extend([0] * lanes)  # nobody is to wait for this one
        raise
    done.append(0)
    while len(done) <= lanes:
        infer()
    return _Lap(times, begin, end, get_native_id())
