"""The timed loop: as little as can stand between two readings of a clock."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

Clock = Callable[[], int]
LEAD_IN = 3
LEAD_IN_NS = 50_000_000  # enough of a lead-in for a network so large that it never was in the cache


def lead_in(infer: Callable[[], None]) -> None:
    """Run a few inferences that nobody times.

    Whoever had the core before has left it cold: without a lead-in the first three inferences take 17, 12 and 4%
    longer than the rest after another process, and 4, 1 and 0% after this one.
    """
    begin, done = time.perf_counter_ns(), 0
    while done < LEAD_IN and (not done or time.perf_counter_ns() - begin < LEAD_IN_NS):
        infer()
        done += 1


def time_block(
    infer: Callable[[], None], n: int, clock: Clock = time.perf_counter_ns, device_ns: Clock | None = None
) -> tuple[list[int], list[int] | None]:
    """Run `n` inferences and return their latencies in ns, in order.

    With `device_ns` (a device's own clock for the last inference) the first list holds its readings and the second
    the host's; without, the host's readings are the first list and the second is None. Garbage collection is off.
    """
    host = [0] * n
    device = [0] * n if device_ns else None
    collecting = gc.isenabled()
    gc.disable()
    try:
        if device is None or device_ns is None:
            for i in range(n):
                begin = clock()
                infer()
                end = clock()
                host[i] = end - begin
            return host, None
        for i in range(n):
            begin = clock()
            infer()
            end = clock()
            host[i] = end - begin
            device[i] = device_ns()
        return device, host
    finally:
        if collecting:
            gc.enable()


def time_paced(
    infer: Callable[[], None],
    n: int,
    pace_ns: int,
    clock: Clock = time.perf_counter_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[list[int], list[int]]:
    """Start an inference every `pace_ns`, as a camera would, and sleep in between, so that the core may go idle.

    Returns the latencies in ns, counted from the intended start, and how late each inference really started. One that
    takes longer than the pace delays the next, and the delay counts: nothing is left out because the loop was busy
    (coordinated omission, as wrk2 avoids it).
    """
    latencies, late = [0] * n, [0] * n
    collecting = gc.isenabled()
    gc.disable()
    try:
        first = clock() + pace_ns
        for i in range(n):
            intended = first + i * pace_ns
            wait = intended - clock()
            if wait > 0:
                sleep(wait / 1e9)
            begin = clock()
            infer()
            latencies[i] = clock() - intended
            late[i] = begin - intended
        return latencies, late
    finally:
        if collecting:
            gc.enable()


def overhead_ns(n: int = 20000) -> float:
    """Return the median latency in ns that the loop reports for a session that does nothing."""
    latencies = sorted(time_block(lambda: None, n)[0])
    return float(latencies[n // 2])
