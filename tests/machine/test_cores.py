"""Which cores are chosen, on machines made of files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bench.base.errors import Unsupported
from bench.machine import cores, doctor
from bench.machine.cores import pin, quietest
from bench.machine.environment import usable_cores
from tests.machine.test_board import machine

CPU = "sys/devices/system/cpu"


def watched(root: Path, monkeypatch: pytest.MonkeyPatch, busy: dict[int, int]) -> None:
    """Let the cores be busy for so many ticks while they are watched."""

    def stat(ticks: dict[int, int]) -> str:
        return "".join(f"cpu{core} {n} 0 0 100 0 0 0 0 0 0\n" for core, n in ticks.items())

    machine(root, {"proc/stat": stat(dict.fromkeys(busy, 0))})
    monkeypatch.setattr(cores.time, "sleep", lambda _: machine(root, {"proc/stat": stat(busy)}))


def test_the_last_cores_unless_they_are_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched(tmp_path, monkeypatch, {0: 0, 1: 0, 2: 0, 3: 1})
    assert quietest(1, [0, 1, 2, 3], tmp_path) == [3]  # one tick is no neighbour
    watched(tmp_path, monkeypatch, {0: 0, 1: 0, 2: 0, 3: 5})
    assert quietest(1, [0, 1, 2, 3], tmp_path) == [2]
    watched(tmp_path, monkeypatch, {0: 0, 1: 0, 2: 0, 3: 5})
    assert quietest(2, [0, 1, 3], tmp_path) == [0, 1]
    watched(tmp_path, monkeypatch, {0: 4, 1: 5})
    assert quietest(1, [0, 1], tmp_path) == [0]


def test_one_hardware_thread_of_each_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = {f"{CPU}/cpu{n}/topology/thread_siblings_list": f"{n % 2},{n % 2 + 2}\n" for n in range(4)}
    machine(tmp_path, pairs)
    watched(tmp_path, monkeypatch, dict.fromkeys(range(4), 0))
    assert quietest(2, [0, 1, 2, 3], tmp_path) == [2, 3]
    assert quietest(3, [0, 1, 2, 3], tmp_path) == [1, 2, 3]  # no third core is left
    watched(tmp_path, monkeypatch, {0: 0, 1: 5, 2: 0, 3: 0})
    assert quietest(1, [0, 1, 2, 3], tmp_path) == [2]  # the sibling of core 3 is busy


def test_fast_cores_before_slow_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(tmp_path, {f"{CPU}/cpu{n}/cpu_capacity": "1024" if n < 2 else "400" for n in range(4)})
    watched(tmp_path, monkeypatch, {0: 0, 1: 5, 2: 0, 3: 0})
    assert quietest(1, [0, 1, 2, 3], tmp_path) == [0]


def test_favoured_cores_are_of_one_kind_with_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few percent of clock are nothing beside a neighbour; half of it is another kind of core."""
    clocks = {0: 5_750_000, 1: 5_750_000, 2: 5_800_000, 3: 4_300_000}
    machine(tmp_path, {f"{CPU}/cpu{n}/cpufreq/cpuinfo_max_freq": str(khz) for n, khz in clocks.items()})
    watched(tmp_path, monkeypatch, {0: 0, 1: 0, 2: 5, 3: 0})
    assert quietest(1, [0, 1, 2, 3], tmp_path) == [1]
    watched(tmp_path, monkeypatch, {0: 5, 1: 5, 2: 5, 3: 0})
    assert quietest(1, [0, 1, 2, 3], tmp_path) == [2]


def test_threads_stay_on_one_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(tmp_path, {f"{CPU}/cpu{n}/topology/physical_package_id": str(n % 2) for n in range(6)})
    watched(tmp_path, monkeypatch, dict.fromkeys(range(6), 0))
    assert quietest(2, list(range(6)), tmp_path) == [3, 5]
    watched(tmp_path, monkeypatch, {0: 0, 1: 5, 2: 0, 3: 0, 4: 0, 5: 5})
    assert quietest(2, list(range(6)), tmp_path) == [2, 4]  # the other socket has one quiet core left
    watched(tmp_path, monkeypatch, {0: 0, 1: 5, 2: 0, 3: 0, 4: 0, 5: 5})
    assert quietest(4, list(range(6)), tmp_path) == [0, 2, 3, 4]  # no socket has four
    for n in range(6):  # memory nodes say it better than sockets
        (tmp_path / f"{CPU}/cpu{n}/node{n // 3}").mkdir()
    watched(tmp_path, monkeypatch, dict.fromkeys(range(6), 0))
    assert quietest(2, list(range(6)), tmp_path) == [4, 5]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EACCES])
def test_where_pinning_is_forbidden_it_runs_unpinned(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(pid: int, cores: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    pinned = pin([0])
    assert pinned.cores == usable_cores()
    assert os.strerror(number) in pinned.why_not
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: refuse(pid, None))
    assert pin([0]).cores == list(range(os.cpu_count() or 1))


def test_cores_that_are_not_there_are_the_targets_fault() -> None:
    with pytest.raises(Unsupported, match="cannot run on cores"):
        pin([100_000])


def test_where_nothing_can_be_watched(tmp_path: Path) -> None:
    assert quietest(2, [4, 5, 6], tmp_path) == [5, 6]
    assert quietest(3, [4, 5, 6], tmp_path) == [4, 5, 6]
    with pytest.raises(Unsupported, match="4 threads on 3 cores"):
        quietest(4, [4, 5, 6], tmp_path)


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS])
def test_where_pinning_is_forbidden_it_runs_and_says_so(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, cores: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert cores.pin([0]).cores == sorted(os.sched_getaffinity(0))
    assert not cores.pinning()
    (symptom,) = doctor.cores(Path("/"), 1)[:1]
    if len(os.sched_getaffinity(0)) >= 1:
        assert symptom.state == "warning"
        assert "none to be pinned to" in symptom.found


def test_cores_that_are_not_there_are_a_mistake() -> None:
    with pytest.raises(Unsupported, match="cannot run on cores"):
        cores.pin([4095])
    assert cores.pinning()
