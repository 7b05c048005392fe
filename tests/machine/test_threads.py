"""Which threads compute, on processes made of files and on a real one."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.machine import threads as machine_threads
from bench.machine.threads import computing, count_computing, cpu_ns

TASK = "proc/self/task"


def test_a_thread_computes_that_gets_a_tenth_of_what_the_fullest_gets() -> None:
    assert computing({1: 0, 2: 0}, {1: 1000, 2: 400, 3: 90}) == 2
    assert computing({1: 5000}, {1: 5100, 2: 100}) == 2
    assert computing({1: 5}, {1: 5}) is None
    assert computing({}, {}) is None


def test_times_are_read_in_ns_or_in_ticks(tmp_path: Path) -> None:
    for thread, name, text in ((7, "schedstat", "123456 9 3\n"), (8, "stat", "8 (a (b) c) S" + " 0" * 10 + " 3 2 0\n")):
        folder = tmp_path / TASK / str(thread)
        folder.mkdir(parents=True)
        (folder / name).write_text(text)
    (tmp_path / TASK / "9").mkdir()
    assert cpu_ns(tmp_path) == {7: 123456, 8: 50_000_000}
    assert cpu_ns(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    ("seen", "found", "looks"),
    [([2], 2, 1), ([1, 1, 2], 2, 3), ([1] * 9, 1, 5), ([None], None, 1), ([3], 3, 1)],
)
def test_a_thread_that_waited_for_a_core_is_looked_for_again(
    monkeypatch: pytest.MonkeyPatch, seen: list[int | None], found: int | None, looks: int
) -> None:
    told = iter(seen)
    worked: list[None] = []
    monkeypatch.setattr(machine_threads, "computing", lambda before, after: next(told))
    assert count_computing(lambda: worked.append(None), 2, watch_s=0.0) == found
    assert len(worked) == 1 + looks


@pytest.mark.parametrize("threads", [1, 2])
def test_the_threads_of_this_process_are_counted(threads: int) -> None:
    if not cpu_ns():
        pytest.skip("this system does not tell")
    together = threading.Barrier(threads)
    data = bytes(1 << 22)

    def burn(_: int) -> None:
        together.wait()  # so that each thread takes one
        for _ in range(32):  # so long that what else this process does beside is no tenth of it
            hashlib.sha256(data)  # without the interpreter's lock

    with ThreadPoolExecutor(threads) as pool:
        assert count_computing(lambda: list(pool.map(burn, range(threads))), threads, watch_s=0.0) == threads
