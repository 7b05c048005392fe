"""Repeatability: what is asked, what is kept, and what is made of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bench.base.errors import Unsupported
from benchmarks.lab import burner, repeat
from benchmarks.lab.repeat import Answer
from tests.measure.cluster import until


def answers() -> list[Answer]:
    quiet = [Answer(t, True, tool, 2.0, 5.0, "ok" if tool == "bench run" else "") for t in (0, 9) for tool in TOOLS]
    ours = [
        Answer(t, False, "bench run", ms, 8.0, s) for t, ms, s in ((1, 2.0, "ok"), (2, 2.04, "ok"), (3, 3, "noisy"))
    ]
    theirs = [Answer(t, False, "benchmark_app", ms, 8.0) for t, ms in ((1, 2.0), (2, 2.5), (3, 4.0))]
    return quiet + ours + theirs


TOOLS = ("bench run", "benchmark_app")


def test_the_summary() -> None:
    ours, ok, theirs = repeat.summary(answers())
    assert (ours["tool"], ours["answers"], ours["quiet_ms"]) == ("bench run", 3, 2.0)
    assert ours["spread"] == pytest.approx(1.0 / 2.04)
    assert (ok["tool"], ok["answers"]) == ("bench run, ok", 2)
    assert ok["spread"] == pytest.approx(0.04 / 2.02)
    assert ok["worst_off"] == pytest.approx(0.02)
    assert theirs["spread"] == pytest.approx(2.0 / 2.5)
    assert (theirs["holds_others"], theirs["half_width"]) == (None, None)  # it prints no range


def test_a_printed_range_is_held_against_the_quiet_answers_of_its_own_tool() -> None:
    """The mean of the quiet ones is 2.0; each quiet one is held against the others."""
    quiet = [Answer(t, True, "pyperf", 2.0, 5.0, lo_ms=1.9, hi_ms=2.1) for t in (0, 9)]
    near, far = (Answer(t, False, "pyperf", m, 5.0, lo_ms=m - 0.1, hi_ms=m + 0.1) for t, m in ((1, 2.05), (2, 2.5)))
    (line,) = repeat.summary([*quiet, near, far])
    assert line["holds_others"] == "3 of 4"
    assert line["half_width"] == pytest.approx(0.05, rel=0.03)
    assert line["quiet_spread"] == 0.0


def test_turns_are_kept_and_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Path) -> None:
    asked: list[str] = []
    monkeypatch.setattr(repeat, "_ours", lambda *_: asked.append("ours") or {"latency_ms": 1.0, "status": "ok"})
    monkeypatch.setattr(repeat, "_benchmark_app", lambda *_: asked.append("app") or 1.1)
    ranged = {"latency_ms": 1.2, "lo_ms": 1.1, "hi_ms": 1.3}
    monkeypatch.setattr(repeat, "_torch", lambda *_: asked.append("torch") or ranged)
    monkeypatch.setattr(repeat, "_pyperf", lambda *_: asked.append("pyperf") or ranged)
    monkeypatch.setattr(repeat, "_tool", lambda python: python.with_name("benchmark_app"))  # there or not
    monkeypatch.setattr(repeat, "find_spec", lambda name: name)
    output = tmp_path / "r.jsonl"
    first = repeat.turns(str(tiny), output, 2, 2, lambda answer: None)
    assert [(a.turn, a.quiet) for a in first][::4] == [(0, True), (1, False), (2, False), (3, True)]
    assert sorted(asked) == ["app"] * 4 + ["ours"] * 4 + ["pyperf"] * 4 + ["torch"] * 4
    assert repeat.turns(str(tiny), output, 2, 2, lambda answer: None) == first
    assert len(asked) == 16
    assert repeat.read(output) == first


def test_without_benchmark_app_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="benchmark_app is not installed"):
        repeat._tool(tmp_path / "python")
    tmp_path.joinpath("benchmark_app").touch()
    assert repeat._tool(tmp_path / "python") == tmp_path / "benchmark_app"


class Scripted:
    """A machine of four cores whose clock moves by a tenth of a second with every reading, and by what is slept."""

    def __init__(self, rests: int) -> None:
        self.now, self.rests, self.events = 0.0, rests, []
        self.began = 0.0

    def monotonic(self) -> float:
        self.now += 0.1
        return self.now

    def sleep(self, seconds: float) -> None:
        self.events.append(("burnt", round(self.now - self.began, 1)))
        self.events.append(("rested", seconds))
        self.now += seconds
        self.rests -= 1
        if not self.rests:
            raise StopIteration

    def sched_getaffinity(self, _: int) -> set[int]:
        return {0, 1, 2, 3}

    def sched_setaffinity(self, _: int, cores: set[int]) -> None:
        (core,) = cores
        self.events.append(("core", core))
        self.began = self.now


@pytest.mark.parametrize("wander", [False, True])
def test_the_neighbour_burns_one_core_and_rests(monkeypatch: pytest.MonkeyPatch, wander: bool) -> None:
    machine = Scripted(rests=20)
    monkeypatch.setattr(burner, "time", machine)
    monkeypatch.setattr(burner, "os", machine)
    with pytest.raises(StopIteration):
        burner.burn(3.0, 2.0, 0, wander)
    kinds = [kind for kind, _ in machine.events]
    assert kinds == ["core", "burnt", "rested"] * 20
    assert {value for kind, value in machine.events if kind == "rested"} == {2.0}
    # One reading begins a burst, so that it ends with the first one that is 3 s later.
    assert {value for kind, value in machine.events if kind == "burnt"} <= {3.1, 3.2}
    cores = {value for kind, value in machine.events if kind == "core"}
    assert len(cores) > 1 if wander else len(cores) == 1


def test_the_neighbour_is_a_process_that_takes_cpu_time() -> None:
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.lab.burner", "--on", "0.3", "--off", "0.3"])
    try:
        neighbour = psutil.Process(process.pid)
        started = until(lambda: sum(neighbour.cpu_times()[:2]), "the first tick of its CPU time")
        until(lambda: sum(neighbour.cpu_times()[:2]) > started + 0.5, "more of it")
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
