"""Numbers that are none, standard output that is closed or full, an interruption: one clear line each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import bench as package
from tests.conftest import Bench, one_line_error
from tests.rows.rows import row, write


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--model", "x.onnx", "--timeout", "nan"),
        ("run", "--model", "x.onnx", "--timeout", "inf"),
        ("run", "--model", "x.onnx", "--timeout", "1e300"),
        ("run", "--model", "x.onnx", "--budget", "nan"),
        ("run", "--model", "x.onnx", "--budget", "inf"),
        ("run", "--model", "x.onnx", "--fleet-wait", "nan"),
        ("run", "--model", "x.onnx", "--seed", str(2**64)),
        ("run", "--model", "x.onnx", "--seed", "-1"),
        ("ab", "x.onnx", "x.onnx", "--budget", "nan"),
        ("ab", "x.onnx", "x.onnx", "--seed", str(2**63)),
        ("profile", "x.onnx", "--timeout", "nan"),
        ("export", "x.onnx", "--seed", str(2**64)),
        ("findings", "run", "--budget", "inf"),
        ("compare", "x.csv", "x.csv", "--gate", "nan"),
        ("compare", "x.csv", "x.csv", "--margin", "nan"),
        ("history", "x.csv", "--least", "inf"),
    ],
    ids=" ".join,
)
def test_a_number_that_is_none_is_refused(bench: Bench, arguments: tuple[str, ...]) -> None:
    result = bench(*arguments)
    assert result.returncode == 2
    assert f"'{arguments[-2]}'" in result.stderr
    assert "internal" not in result.stderr
    assert "x.onnx" not in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0])
@pytest.mark.parametrize("name", ["budget", "timeout"])
def test_the_api_refuses_them_too(tiny: Path, name: str, value: float) -> None:
    with pytest.raises(package.BenchError, match=f"{name} .* is no number of seconds"):
        package.run(tiny, "fake", **{name: value})  # type: ignore[arg-type]


def started(path: Path, redirect: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = f'exec "$0" -m bench "$@" {redirect}'
    return subprocess.run(
        ["bash", "-c", command, sys.executable, *arguments], cwd=path, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("format", ["table", "csv", "json"])
@pytest.mark.parametrize(("redirect", "says"), [(">&-", "standard output is closed"), ("> /dev/full", "No space left")])
def test_nowhere_to_print(tmp_path: Path, redirect: str, says: str, format: str) -> None:
    write(tmp_path / "r.csv", [row(model=f"net{i}") for i in range(200)])  # more than a buffer holds
    for arguments in (("show", "r.csv", "--format", format), ("list", "backends"), ("--help",)):
        done = started(tmp_path, redirect, *arguments)
        assert says in one_line_error(done), arguments


def test_a_reader_that_leaves_is_no_answer(tmp_path: Path) -> None:
    """Nor an error: what `set -o pipefail` sees of `bench show | head` must not be "slower"."""
    write(tmp_path / "r.csv", [row(model=f"net{i}") for i in range(3000)])  # more than a pipe holds
    done = started(tmp_path, "| true; exit ${PIPESTATUS[0]}", "show", "r.csv", "--format", "csv")
    assert (done.returncode, done.stderr) == (141, "")


def test_an_interrupted_comparison_prints_no_empty_line(tiny: Path, tmp_path: Path) -> None:
    restore = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    command = [sys.executable, "-m", "bench", "ab", str(tiny), str(tiny), "--backend", "fake:fail=hang,fail_at=1"]
    ready = tmp_path / "ab.samples.jsonl.gz"
    with subprocess.Popen(
        [*command, "--output", str(tmp_path / "ab.csv")], stderr=subprocess.PIPE, text=True, preexec_fn=restore
    ) as process:
        while not ready.exists():  # made before the first pair, by which time the command is under way
            assert process.poll() is None
            os.sched_yield()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said == "error: interrupted\n"


@pytest.mark.parametrize("arguments", [("show", "r.csv"), ("show", "r.csv", "--format", "csv"), ("doctor",)])
def test_a_terminal_of_another_encoding(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """louwrentius/fio-plot#12: what such a terminal cannot show is written otherwise, and ends nothing."""
    write(tmp_path / "r.csv", [row(model="réseau.onnx")])
    done = subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=tmp_path, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, timeout=120,
    )  # fmt: skip
    assert b"internal error" not in done.stderr
    assert done.stdout.isascii()
    assert "r.csv" not in arguments or b"seau.onnx" in done.stdout


def test_files_of_a_person_are_not_ours(tmp_path: Path, tiny: Path) -> None:
    """onnx/onnx#3945: a script called onnx.py in the folder in which one works."""
    for name in ("onnx", "numpy", "click", "onnxruntime", "rich"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    run = ("run", "--model", tiny, "--backend", "onnxruntime", "--launches", 1, "--budget", 1, "--output", "r.csv")
    for arguments in (("inspect", tiny), run):
        done = started(tmp_path, "", *map(str, arguments))
        assert done.returncode == 0, done.stderr
        assert "the wrong module" not in done.stdout + done.stderr
