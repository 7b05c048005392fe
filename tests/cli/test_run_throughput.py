"""`bench run --mode throughput` and `bench ab X@mode=throughput Y@mode=throughput`, as a person meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.rows import file as records
from tests.conftest import Bench, one_line_error

FAST = ("--launches", 3, "--budget", 1, "--output", "r.csv")
RATES = ("--mode", "throughput", "--streams", 1)
FEW = ("--pairs", 5, "--output", "ab.csv")


def test_a_sweep_of_batches_ends_in_the_best_one(bench: Bench, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    case = ("--model", "shufflenetv2:width=0.5,resolution=64", "--backend", "fake:ps_per_mac=100,launch_cv=0.001")
    result = bench("run", *case, *RATES, "--batch", 1, "--batch", 2, *FAST)  # a millisecond, and some for each image
    assert result.returncode == 0, result.stderr
    head, *lines = result.stdout.splitlines()
    assert "samples/s" in head
    assert "streams" in head
    assert "latency" not in head
    assert "GMAC/s" not in head
    best = next(line for line in lines if line.startswith("batch 2 does most of 2 batches: "))
    assert "samples/s with shufflenetv2:width=0.5 on fake" in best
    assert " times those of batch 1" in best
    assert lines.index(best) == len(lines) - 2  # the path of the rows is last
    rows = records.read(tmp_path / "r.csv")
    assert [row.batch for row in rows] == [1, 2]
    assert all(row.throughput and row.latency_ms is None for row in rows)
    assert "measured already" in bench("run", *case, *RATES, *FAST, "--resume").stderr


def test_backends_are_told_by_samples(bench: Bench, tiny: Path) -> None:
    sides = ("--backend", "fake", "--backend", "fake:latency_ms=2")
    result = bench("run", "--model", tiny, *sides, *RATES, *FAST)
    assert "fake does 2 (2 to 2) times as many samples/s as fake:latency_ms=2 for" in result.stdout
    assert "as long as" not in result.stdout
    found = json.loads(bench("run", "--model", tiny, *sides, *RATES, *FAST, "--format", "json").stdout)
    assert [round(row["throughput"]) for row in found] == [1000, 500]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--mode", "throughput", "--max-latency", "5ms"), "the limit latency<=5ms is of a latency"),
        (("--mode", "throughput", "--max", "p99=5ms"), "the limit p99<=5ms is of a latency"),
        (("--streams", "2"), "streams are of mode=throughput"),
        (("--mode", "throughput", "--pace", "33ms"), "a pace is of mode=latency"),
        (("--mode", "throughput", "--streams", "0"), "--streams 0 is not a number from 1 to 4096"),
    ],
)
def test_what_does_not_go_together_is_one_line(bench: Bench, tiny: Path, given: tuple[str, ...], says: str) -> None:
    result = bench("run", "--model", tiny, "--backend", "fake", *given, *FAST)
    assert says in one_line_error(result)
    assert result.returncode == 2


def test_ab_of_two_throughputs_speaks_of_samples(bench: Bench, tiny: Path) -> None:
    sides = (f"{tiny}@fake@mode=throughput@streams=1", f"{tiny}@fake:latency_ms=1.25@mode=throughput@streams=1")
    result = bench("ab", *sides, *FEW)
    assert result.returncode == 1, result.stderr
    a, b, verdict, *_ = result.stdout.splitlines()
    assert "1000.0 samples/s" in a
    assert "800.0 samples/s" in b
    assert " ms" not in a + b
    assert verdict.startswith("B is slower (time per sample +25.00%")
    (record,) = json.loads(bench("ab", *sides, *FEW, "--format", "json").stdout)
    assert (record["a_per_s"], record["b_per_s"], record["verdict"]) == (1000.0, 800.0, "slower")
    assert "a_ms" not in record
    page = bench("ab", *sides, *FEW, "--format", "markdown").stdout.splitlines()
    assert page[0] == "### Time per sample, B against A"
    assert "|  | samples/s | case |" in page


@pytest.mark.parametrize("swapped", [False, True])
def test_ab_refuses_a_latency_beside_a_throughput(bench: Bench, tiny: Path, swapped: bool) -> None:
    sides = [f"{tiny}@fake@mode=throughput", f"{tiny}@fake"][:: -1 if swapped else 1]
    result = bench("ab", *sides, *FEW)
    assert "which have no ratio" in one_line_error(result)
    assert "give both sides @mode=throughput, or neither" in result.stderr
    assert result.returncode == 2


def test_other_commands_say_that_they_want_a_latency(bench: Bench, tiny: Path) -> None:
    assert "one inference at a time" in one_line_error(bench("profile", f"{tiny}@fake@mode=throughput"))
    assert "'fast' is no mode" in one_line_error(bench("ab", f"{tiny}@fake@mode=fast", f"{tiny}@fake", *FEW))


def test_what_is_loaded_anew_is_compared_after_it_ran(bench: Bench, tiny: Path) -> None:
    """Pairs load a network twice: then only the lanes have run, and the session's own output is not written."""
    pytest.importorskip("openvino")
    side = f"{tiny}@openvino@mode=throughput@streams=1"
    result = bench("ab", side, side, *FEW)
    assert "NaN" not in result.stderr
    assert result.returncode in (0, 1, 3)
    assert "samples/s" in result.stdout
