"""What a device has is enough to measure and to write rows; where more is needed one line says what to install."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.rows import file as records
from tests import lean
from tests.conftest import TINY_MACS, Bench, one_line_error
from tests.lean import PROJECT

ANALYSIS = "hint: pip install 'isoflops[analysis]'"
Lean = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def device(bench: Bench, tmp_path: Path) -> Lean:
    """The command where nothing but the base install can be imported, with a cache of its own."""
    environment = lean.environment(tmp_path)
    return lambda *arguments: bench(*arguments, **environment)


def test_the_base_install_is_what_a_device_needs() -> None:
    """A dependency more is a decision: on a board each megabyte is downloaded, stored and perhaps carried by hand."""
    assert {"pandas", "scipy", "torch", "altair", "sympy", "openvino"} & lean.base() == set()
    assert {"numpy", "onnx", "onnxruntime", "rich", "click", "psutil", "msgspec"} <= lean.base()
    assert {"pandas", "scipy", "torch", "pytest"} <= lean.blocked()
    assert not {"numpy", "onnx", "google", "bench"} & lean.blocked()


def test_what_is_not_there_cannot_be_imported(tmp_path: Path) -> None:
    """The other tests of this module would say nothing if it could."""
    code = "import numpy, onnx, bench.rows.frame\nfor name in ('pandas', 'scipy.special', 'torch'):\n"
    code += "    try: __import__(name)\n    except ImportError: print('no', name)"
    environment = {"PATH": "", **lean.environment(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split("\n")[:3] == ["no pandas", "no scipy.special", "no torch"], done.stderr


def test_an_exported_model_is_measured_with_parity(tiny: Path, bench: Bench, device: Lean) -> None:
    """Exported elsewhere, with its reference; counted, measured, held to a limit, resumed."""
    exported = bench("export", tiny, "--output", "net.onnx")
    assert exported.returncode == 0, exported.stderr
    given = ["--model", "net.onnx", "--launches", 3, "--budget", 1, "--max-latency", "1s", "--max", "p50=1s"]
    done = device("run", *given, "--output", "r.csv")
    assert done.returncode in (0, 3), done.stderr  # a busy machine leaves limits open
    (row,) = records.read(tiny.with_name("r.csv"))
    assert row.status in ("ok", "noisy"), row.error
    assert "carried in net.reference.npz" in str(row.parity_reference)
    assert row.parity_rel_l2 is not None
    assert row.parity_rel_l2 < 1e-4
    assert row.macs == TINY_MACS
    assert row.limit_verdict in ("pass", "inconclusive")
    again = device("run", *given, "--output", "r.csv", "--resume")
    assert again.returncode in (0, 3), again.stderr
    assert len(records.read(tiny.with_name("r.csv"))) == 1


def test_cases_are_told_with_their_intervals(tiny: Path, device: Lean) -> None:
    """Scripted, so that no neighbour takes the launches away that an interval needs."""
    backends = ["--backend", "fake:latency_ms=1,launch_cv=0.01", "--backend", "fake:latency_ms=2,launch_cv=0.01"]
    done = device("run", "--model", tiny, *backends, "--output", "r.csv")
    assert done.returncode == 0, done.stderr
    for row in records.read(tiny.with_name("r.csv")):
        assert row.latency_ms is not None
        assert row.latency_lo_ms is not None
        assert row.latency_hi_ms is not None
        assert row.latency_lo_ms < row.latency_ms < row.latency_hi_ms
    assert "times as long as" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("ab", "fake:latency_ms=1", "fake:latency_ms=2"),
        ("inspect",),
        ("export",),
    ],
    ids=lambda words: words[0],
)
def test_what_measures_or_counts_works(tiny: Path, device: Lean, command: tuple[str, ...]) -> None:
    name, *backends = command
    words = {
        "ab": [f"{tiny}@{backend}" for backend in backends] + ["--budget", 1],
        "inspect": [tiny],
        "export": [tiny, "--output", "out.onnx"],
    }[name]
    done = device(name, *words)
    assert done.returncode == (1 if name == "ab" else 0), done.stderr  # slower


def test_contributed_devices_are_checked(tmp_path: Path, device: Lean) -> None:
    """As CI does it, with the base install."""
    done = device("devices", "check", PROJECT / "results" / "devices")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [("compare", "r.csv", "r.csv"), ("show", "r.csv"), ("rank", "r.csv"), ("history", "r.csv"), ("report", "r.csv")],
    ids=lambda words: words[0],
)
def test_what_reads_many_rows_says_in_one_line_what_to_install(
    tmp_path: Path, device: Lean, words: tuple[str, ...]
) -> None:
    from bench.rows.schema import Row

    row = Row(run_id="a", status="ok", model="net", backend="onnxruntime", latency_ms=1.0, macs=1, launches=3)
    records.append(tmp_path / "r.csv", row)
    done = device(*words)
    said = one_line_error(done)
    assert done.returncode == 2
    extra = "hint: pip install 'isoflops[report]'" if words[0] == "report" else ANALYSIS
    assert said.endswith(f"is not installed\n{extra}\n"), said


def test_a_frame_without_pandas_says_what_to_install(tmp_path: Path) -> None:
    code = "from bench.api.results import Results\nimport bench\ntry: Results(()).frame()\n"
    code += "except bench.BenchError as error: print(error.hint)"
    environment = {"PATH": "", **lean.environment(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout == "pip install 'isoflops[analysis]'\n", done.stderr


def test_what_reads_rows_gets_pandas_from_its_extra() -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for name in ("history", "report", "all"):
        assert any("analysis" in one for one in extras[name]), name
    assert any(one.startswith("scipy") for one in extras["predict"])
