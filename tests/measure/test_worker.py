"""The worker as a process, spoken to in its own language."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import backends, export
from bench.backends.answers import Block, Inspected
from bench.base.errors import BenchError, MeasureError, OutOfMemory, Unsupported, WorkerCrashed, WorkerTimeout
from bench.base.wire import MARK, Marked, take
from bench.measure.launch import Launch
from bench.measure.runner import Runner
from bench.plan import zoo
from bench.plan.case import Case, Network, Plan
from bench.plan.protocol import Protocol, Warming
from bench.transport.local import SCRUBBED


def start(tiny: Path, backend: str, timeout_s: float = 60.0) -> tuple[Launch, str]:
    case = Case(Network(zoo.resolve(str(tiny))), backends.resolve(backend))
    return Launch(case, timeout_s), export.ensure(case.network).folder


def test_a_launch_from_load_to_close(tiny: Path) -> None:
    launch, folder = start(tiny, "onnxruntime")
    with launch:
        loaded = launch.load(folder, [])
        assert loaded["parity_rel_l2"] < 1e-5
        assert loaded["parity_top1"]
        assert loaded["load_ns"] > 0
        warmed = launch.warm(Warming(1, 5, 2, 5))
        assert warmed["n"] >= 5
        block = launch.ask("block", Block, n=7)
        assert len(block["latency_ns"]) == 7
        assert block["covariates"]["wall_ns"] >= sum(block["latency_ns"])
        assert {"involuntary_switches", "minor_faults", "cpu_ns"} <= set(block["covariates"])
        assert launch.ask("inspect", Inspected)["effective"]["precision"] == "fp32"
        assert launch.ask("close", dict[str, int])["peak_rss_bytes"] > 1e6


def test_what_a_runtime_prints_does_not_break_the_protocol(tiny: Path) -> None:
    launch, folder = start(tiny, "fake:fail=noise,fail_at=4")
    with launch:
        launch.load(folder, [])
        assert len(launch.ask("block", Block, n=5)["latency_ns"]) == 5
        assert "a runtime prints to stdout" in launch.log()


DEATHS = [
    ("crash", WorkerCrashed, "SIGABRT"),
    ("kill", WorkerCrashed, "SIGKILL"),
    ("hang", WorkerTimeout, "did not answer 'block'"),
    ("memory", OutOfMemory, "out of memory"),
    ("raise", Unsupported, "scripted failure"),
]


@pytest.mark.parametrize(("how", "error", "says"), DEATHS)
def test_every_death_has_its_own_line(tiny: Path, how: str, error: type[MeasureError], says: str) -> None:
    launch, folder = start(tiny, f"fake:fail={how},fail_at=4")
    with launch:
        launch.load(folder, [])
        launch._timeout_s = 1.0 if how == "hang" else 60.0
        with pytest.raises(error, match=says) as caught:
            launch.ask("block", Block, n=5)
    assert type(caught.value) is error
    assert launch._process.poll() is not None


def test_an_interpreter_without_us_is_said(tiny: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    python.chmod(0o755)
    launch, folder = start(tiny, f"fake:python={python}")
    with launch, pytest.raises(Unsupported, match="no isoflops"):
        launch.load(folder, [])
    with pytest.raises(Unsupported, match="cannot start"):
        start(tiny, "fake:python=/nowhere/python")


def test_the_worker_gets_no_hidden_thread_settings(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_INTRA_OP_NUM_THREADS", "4")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    launch, _ = start(tiny, "fake")
    with launch:
        environment = Path(f"/proc/{launch._process.pid}/environ")
        if not environment.exists():
            pytest.skip("no /proc here")
        names = dict(e.split("=", 1) for e in environment.read_text().split("\0") if "=" in e)
    assert names["OMP_NUM_THREADS"] == "1"
    ours = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}  # set again, to what the case asks for
    assert not (set(SCRUBBED) - ours) & set(names)


def test_the_worker_ends_when_its_parent_does(tiny: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "bench.measure.worker"], input="", capture_output=True, text=True, timeout=300
    )
    assert (result.returncode, result.stdout) == (0, MARK.decode())


NOISY = "print('hello from the site', end=''); import sys; sys.stdout.flush()\n"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("", ""),
        ("from bench.base import wire; wire.ok = lambda value: '{}\\n'", "no answer of isoflops: '{}'"),
        ("from bench.base import wire; wire.ok = lambda value: 'hum' + chr(10)", "no answer of isoflops: 'hum'"),
        ("from bench.base import wire; wire.ok = lambda value: '{\"ok\": 5}\\n'", "no answer of isoflops"),
    ],
)
def test_what_a_sitecustomize_prints_costs_nothing(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, says: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOISY + more)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    case = Case(Network(zoo.resolve(str(tiny))), backends.resolve("fake"))
    (row,) = Runner(Plan((case,), Protocol(launches=1, max_launches=1))).run()
    assert row.status in (("crashed",) if says else ("ok", "noisy")), row.error
    assert says in (row.error or "")


def test_a_request_that_makes_no_sense_is_answered(tiny: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "bench.measure.worker"],
        input='{"do": "dance"}\n',
        capture_output=True,
        text=True,
        timeout=300,
    )
    with pytest.raises(BenchError, match="does not do 'dance'"):
        take(Marked().feed(result.stdout.encode()), object)
    assert result.returncode == 1
