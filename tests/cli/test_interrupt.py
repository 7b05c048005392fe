"""`bench run` interrupted: what is finished is kept, and no worker stays."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.rows import file as records


@contextlib.contextmanager
def started(tiny: Path, folder: Path, *backends: str) -> Iterator[subprocess.Popen[str]]:
    options = [part for backend in backends for part in ("--backend", backend)]
    command = [
        sys.executable,
        "-m",
        "bench",
        "run",
        "--model",
        str(tiny),
        *options,
        "--output",
        "r.csv",
        "--launches",
        "3",
    ]
    # A test run in the background ignores SIGINT, and its children would inherit that.
    restore = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=folder, stderr=pipe, stdout=pipe, text=True, preexec_fn=restore)
    with process:
        try:
            yield process
        finally:
            process.kill()


PATIENCE_S = 300.0  # of a wait that ends as soon as it may: only what never comes takes as long


def wait_for(path: Path, rows: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not path.exists() or len(path.read_text().splitlines()) <= rows:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"{path} never got {rows} rows"
        time.sleep(0.05)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_loses_no_finished_row(tiny: Path, tmp_path: Path, asked: signal.Signals) -> None:
    many = [f"fake:latency_ms={i}" for i in range(1, 10)]  # two groups: the first is finished before the second begins
    with started(tiny, tmp_path, *many, "fake:fail=hang,fail_at=3") as process:
        wait_for(tmp_path / "r.csv", 3, process)
        process.send_signal(asked)
        _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "interrupted: " in stderr
    assert "--resume goes on" in stderr
    assert "Traceback" not in stderr
    assert all(row.status == "ok" for row in records.read(tmp_path / "r.csv"))
    wait_until_none(process.pid)


def test_a_parent_that_is_killed_leaves_rows_and_no_worker(tiny: Path, tmp_path: Path) -> None:
    many = [f"fake:latency_ms={i}" for i in range(1, 10)]
    with started(tiny, tmp_path, *many, "fake:fail=hang,fail_at=3") as process:
        wait_for(tmp_path / "r.csv", 3, process)
        process.kill()
        process.communicate()
    assert len(records.read(tmp_path / "r.csv")) >= 3
    wait_until_none(process.pid)


def wait_until_none(parent: int) -> None:
    """A worker that was only just started ends when its imports are through: it then meets a closed stdin."""
    end = time.monotonic() + PATIENCE_S
    while left := workers_of(parent):
        assert time.monotonic() < end, f"workers {left} outlived {parent}"
        time.sleep(0.05)


def workers_of(parent: int) -> list[int]:
    """Find workers that the parent started (they keep its id as parent, or were handed to init)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text()
            stat = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if "bench.measure.worker" in command and int(stat[1]) in (1, parent) and stat[0] != "Z":
            found.append(int(process.name))
    return found


def test_an_interrupted_comparison_says_so_in_a_line(tiny: Path, tmp_path: Path) -> None:
    side = f"{tiny}@fake:sleep_ms=5"
    command = [sys.executable, "-m", "bench", "ab", side, side, "--output", "ab.csv"]
    restore = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stderr=pipe, stdout=pipe, text=True, preexec_fn=restore) as process:
        samples, end = tmp_path / "ab.samples.jsonl.gz", time.monotonic() + PATIENCE_S
        while not samples.exists() or not samples.stat().st_size:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == "error: interrupted"
    assert "" not in said.rstrip("\n").splitlines()
