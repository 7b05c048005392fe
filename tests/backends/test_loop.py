from __future__ import annotations

import gc

import pytest

from bench.backends.loop import overhead_ns, time_block, time_paced


class Scripted:
    """A session with its own clock: each inference takes what the script says."""

    def __init__(self, script: list[int]) -> None:
        self.script, self.now = iter(script), 0
        self.collecting: list[bool] = []

    def infer(self) -> None:
        self.collecting.append(gc.isenabled())
        self.last = next(self.script)
        self.now += self.last


def test_every_sample_is_kept_in_order() -> None:
    session = Scripted([5, 3, 9, 1])
    assert time_block(session.infer, 4, lambda: session.now) == ([5, 3, 9, 1], None)


def test_a_device_clock_gives_the_latency_and_the_host_stays_beside_it() -> None:
    session = Scripted([5, 3])
    assert time_block(session.infer, 2, lambda: session.now, lambda: session.last // 2) == ([2, 1], [5, 3])


def test_garbage_collection_is_off_inside_and_back_after() -> None:
    session = Scripted([1, 1])
    time_block(session.infer, 2, lambda: session.now)
    assert session.collecting == [False, False]
    assert gc.isenabled()

    def fail() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        time_block(fail, 1)
    assert gc.isenabled()


def test_the_loop_costs_little_beside_a_function_call() -> None:
    """Against a thousand calls of nothing, measured in the same way: a ratio, never an absolute time."""

    def thousand() -> None:
        for _ in range(1000):
            nothing()

    def nothing() -> None:
        return None

    thousand_ns = sorted(time_block(thousand, 200)[0])[100]
    assert overhead_ns(2000) < thousand_ns / 20


def test_a_paced_latency_counts_from_the_intended_start() -> None:
    session = Scripted([3, 25, 4, 4, 4])

    def sleep(seconds: float) -> None:
        session.now += round(seconds * 1e9) + 1  # it wakes a little late

    latencies, late = time_paced(session.infer, 5, 10, lambda: session.now, sleep)
    # The second starts on time and takes 25, so the third starts 16 late and the fourth 10; only then it is caught up.
    assert latencies == [4, 26, 20, 14, 8]
    assert late == [1, 1, 16, 10, 4]
    assert session.collecting == [False] * 5
