"""The worker as a process, spoken to in its own language."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import backends, export
from bench.backends.answers import Block, Closed, Inspected
from bench.base.errors import BenchError, MeasureError, OutOfMemory, Unsupported, WorkerCrashed, WorkerTimeout
from bench.base.process import peak_rss_bytes
from bench.base.wire import MARK, Marked, take
from bench.measure.launch import Launch
from bench.measure.measuring import Measurer
from bench.measure.rows import _remarks
from bench.measure.runner import Runner
from bench.measure.state import CaseState, LaunchRecord
from bench.plan import zoo
from bench.plan.case import Case, Network, Plan
from bench.plan.protocol import Protocol, Warming


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
        assert launch.ask("close", Closed)["peak_rss_bytes"] > 1e6


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
    for name in HIDDEN:
        monkeypatch.setenv(name, "7")
    monkeypatch.setenv("TORCH_HOME", "/kept")
    launch, _ = start(tiny, "fake")
    with launch:
        environment = Path(f"/proc/{launch._process.pid}/environ")
        if not environment.exists():
            pytest.skip("no /proc here")
        launch.choose(1, [])  # until it answers, the system may not have given it its environment
        names = dict(e.split("=", 1) for e in environment.read_text().split("\0") if "=" in e)
    assert names["OMP_NUM_THREADS"] == "1"
    ours = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}  # set again, to what the case asks for
    assert not (set(HIDDEN) - ours) & set(names)
    assert names["TORCH_HOME"] == "/kept"


HIDDEN = (
    *("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OMP_MAX_ACTIVE_LEVELS", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "MKL_CBWR"),
    *(
        "OPENBLAS_NUM_THREADS",
        "OPENBLAS_CORETYPE",
        "ATEN_CPU_CAPABILITY",
        "TORCHDYNAMO_DISABLE",
        "TORCH_COMPILE_DISABLE",
    ),
    *("ORT_INTRA_OP_NUM_THREADS", "OV_CPU_X", "ONEDNN_MAX_CPU_ISA", "MALLOC_ARENA_MAX", "LD_PRELOAD", "GLIBC_TUNABLES"),
)


def test_what_a_wrapper_sets_is_told(tiny: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nOMP_THREAD_LIMIT=1 exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    launch, folder = start(tiny, f"fake:python={python}")
    with launch:
        assert launch.load(folder, [])["hidden"] == ["OMP_THREAD_LIMIT"]


def test_a_worker_that_may_not_be_pinned_measures_and_says_so(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, cores: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    case = Case(Network(zoo.resolve(str(tiny))), backends.resolve("fake"))
    made, worker = export.ensure(case.network), Measurer()
    request = {"artifact": made.folder, "backend": "fake", "options": case.backend.options}
    loaded = worker.load(**request, settings={"threads": 1}, cores=[0], given=list(os.environ))
    assert loaded["unpinned"] == "sched_setaffinity: Operation not permitted"
    state = CaseState(case, artifact=made, launches=[LaunchRecord(loaded)], inspected=worker.inspect())
    assert _remarks(state) == ["not pinned to cores: sched_setaffinity: Operation not permitted"]


def test_peak_memory_is_that_of_this_program(tmp_path: Path) -> None:
    """What a parent once held is in ``ru_maxrss`` of every program that it starts."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import subprocess, sys\n"
        "held = bytearray(400 << 20)\n"
        "held[::4096] = b'x' * len(held[::4096])\n"
        "code = 'from bench.base.process import peak_rss_bytes; print(peak_rss_bytes())'\n"
        "print(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout)\n"
    )
    folder = Path(__file__).parents[2]
    said = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(folder)},
    )
    assert 5e6 < int(said.stdout) < 300e6
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmPeak:\t  900 kB\nVmHWM:\t    1234 kB\n")
    assert peak_rss_bytes(status) == 1234 * 1024
    assert peak_rss_bytes(tmp_path / "nothing") > 5e6


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
