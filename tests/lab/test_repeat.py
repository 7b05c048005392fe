"""Repeatability: what is asked, what is kept, and what is made of it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.lab import repeat
from benchmarks.lab.repeat import Answer


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


def test_turns_are_kept_and_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Path) -> None:
    asked: list[str] = []
    monkeypatch.setattr(repeat, "_ours", lambda *_: asked.append("ours") or {"latency_ms": 1.0, "status": "ok"})
    monkeypatch.setattr(repeat, "_benchmark_app", lambda *_: asked.append("app") or 1.1)
    monkeypatch.setattr(repeat, "_torch", lambda *_: asked.append("torch") or 1.2)
    output = tmp_path / "r.jsonl"
    first = repeat.turns(str(tiny), output, 2, 2, lambda answer: None)
    assert [(a.turn, a.quiet) for a in first][::3] == [(0, True), (1, False), (2, False), (3, True)]
    assert sorted(asked) == ["app"] * 4 + ["ours"] * 4 + ["torch"] * 4
    assert repeat.turns(str(tiny), output, 2, 2, lambda answer: None) == first
    assert len(asked) == 12
    assert repeat.read(output) == first


def test_the_neighbour_burns_and_rests() -> None:
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.lab.burner", "--on", "0.3", "--off", "0.3"])
    try:
        time.sleep(1.7)
        spent = psutil.Process(process.pid).cpu_times()
        assert 0.1 < spent.user + spent.system < 1.6
    finally:
        process.kill()
        process.wait()
