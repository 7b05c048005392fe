"""`bench run --like` as a person meets it: rows of this machine and of another, and rows that cannot be run."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.rows import file as records
from bench.rows.schema import Row
from tests.conftest import Bench, one_line_error
from tests.rows.rows import write

RESULTS = Path(__file__).parents[2] / "results"
FAST = ("--launches", "2", "--budget", "0.5")


@pytest.fixture
def measured(bench: Bench, tiny: Path, tmp_path: Path) -> Path:
    """Two cases of the tiny network, with settings and a seed of their own."""
    run = ("run", "--model", tiny, "--backend", "fake:latency_ms=2", "--backend", "fake:latency_ms=3", "--seed", 5)
    result = bench(*run, "--batch", 1, "--pace", "20ms", *FAST, "--output", "rows.csv")
    assert result.returncode == 0, result.stdout
    return tmp_path / "rows.csv"


def changed(path: Path, times: float = 1.0, **values: object) -> Path:
    """Write the first row again, with other latencies or cells."""
    first: Row = records.read(path)[0]
    names = ("latency_ms", "latency_lo_ms", "latency_hi_ms", "within_lo_ms", "within_hi_ms")
    scaled = {name: getattr(first, name) * times for name in names}
    return write(path.with_name("changed.csv"), [replace(first, **scaled | values)])


def test_rows_of_this_machine_agree(bench: Bench, measured: Path, tmp_path: Path) -> None:
    result = bench("run", "--like", "rows.csv", *FAST, "--output", "again.csv", "--format", "json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert [one["verdict"] for one in found] == ["agrees", "agrees"]
    assert [one["here_latency_ms"] for one in found] == [pytest.approx(2), pytest.approx(3)]
    there, here = records.read(measured), records.read(tmp_path / "again.csv")
    for name in ("case_id", "model", "backend", "threads", "batch", "pace_ms", "seed", "artifact_sha256"):
        assert [getattr(row, name) for row in here] == [getattr(row, name) for row in there]


def test_side_by_side(bench: Bench, measured: Path) -> None:
    changed(measured, 1.5, cpu="VAX", backend_version="0.1")
    result = bench("run", "--like", "changed.csv", *FAST)
    assert result.returncode == 1
    assert "differs: 33.3% faster here" in result.stdout
    assert "3 ±" in result.stdout
    assert "2 ±" in result.stdout
    assert "cpu: VAX -> " in result.stdout
    assert "backend_version: 0.1 -> " in result.stdout
    assert "rows: results/" in result.stdout


@pytest.mark.parametrize("text", ["id", "tiny.onnx@fake:latency_ms=3"])
def test_one_case_of_a_file(bench: Bench, measured: Path, text: str) -> None:
    text = records.read(measured)[1].case_id if text == "id" else text.replace("tiny", str(measured.with_name("tiny")))
    result = bench("run", "--like", f"rows.csv#{text}", *FAST, "--format", "csv")
    (one,) = csv.DictReader(result.stdout.splitlines())
    assert (one["case"].split()[2], one["verdict"]) == ("fake:latency_ms=3", "agrees")


def test_what_cannot_be_run_here_says_why(bench: Bench, measured: Path, tmp_path: Path) -> None:
    first = records.read(measured)[0]
    rows = [
        replace(first, backend="tensorrt"),
        replace(first, model="/nowhere/net.onnx"),
        replace(first, threads=512, case_id=""),
        replace(first, batch=2, status="noisy"),
    ]
    result = bench("run", "--like", write(tmp_path / "odd.csv", rows), *FAST, "--format", "json")
    assert result.returncode == 3
    found = json.loads(result.stdout)
    assert [one["verdict"] for one in found] == ["cannot be run here"] * 3 + ["no verdict"]
    for one, says in zip(found, ("no backend named", "no file", "512 threads on", "the row is noisy"), strict=True):
        assert says in one["reason"]
    assert [row.status for row in records.read(next(tmp_path.glob("results/*/local.csv")))] == ["unsupported"]


def test_a_row_of_another_machine(bench: Bench, tmp_path: Path) -> None:
    """One that another machine measured with an older program: what differs is named, whichever machine this is."""
    there = RESULTS / "xeon-vm-2core" / "zoo.csv"
    text = f"{there}#squeezenet:version=1.1"
    result = bench("run", "--like", text, *FAST, "--output", "here.csv", "--format", "json")
    (one,) = json.loads(result.stdout)
    (here,) = records.read(tmp_path / "here.csv")
    assert (here.model, here.backend, here.threads, here.seed) == ("squeezenet:version=1.1", "onnxruntime", 1, 0)
    assert here.case_id == one["case_id"]
    assert one["there"].startswith("Intel(R) Xeon(R) Processor")
    assert one["there_latency_ms"] > 0
    assert one["here_latency_ms"] == pytest.approx(here.latency_ms)
    assert one["verdict"] in ("agrees", "differs", "no verdict")
    assert "artifact_sha256: " in one["differs"]
    assert result.returncode in (0, 1, 3)


MISTAKES = {
    ("--model", "shufflenetv2"): "leave --model out",
    ("--suite", "quick"): "leave --suite out",
    ("--backend", "fake"): "leave --backend out",
    ("--threads", "2"): "leave --threads out",
    ("--seed", "0"): "leave --seed out",
    ("--resume",): "leave --resume out",
    ("--max-latency", "3ms"): "leave --max-latency out",
    ("--fleet", "tcp://x:8786"): "leave --fleet out",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_what_the_rows_say_is_not_said_again(bench: Bench, arguments: tuple[str, ...]) -> None:
    assert MISTAKES[arguments] in one_line_error(bench("run", "--like", "rows.csv", *arguments))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("no.csv", "cannot be read"),
        ("other.csv", "holds no result rows"),
        ("rows.csv#resnet18", "no case in these rows"),
        ("rows.csv#x@y@threads=a", "is not threads=NUMBER"),
    ],
)
def test_mistakes_are_one_line(bench: Bench, tmp_path: Path, source: str, says: str) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    row = records.read(RESULTS / "xeon-vm-2core" / "nine.csv")[0]
    write(tmp_path / "rows.csv", [row])
    assert says in one_line_error(bench("run", "--like", source))
