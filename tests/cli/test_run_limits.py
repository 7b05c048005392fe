"""`bench run --max-latency 10ms --max p99=33ms` on scripted latencies: verdict, exit code, what the row keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.rows import file as records
from tests.conftest import Bench, one_line_error

FAST = ("--launches", 3, "--budget", 0.5, "--output", "r.csv")


@pytest.mark.parametrize(
    ("limits", "verdict", "code"),
    [
        (("--max-latency", "2.1ms"), "pass", 0),
        (("--max-latency", "1.9ms"), "fail", 1),
        (("--max", "mean=2.1ms", "--max", "p50=1.9ms"), "fail", 1),
        (("--max", "first=1s", "--max", "p90=2.1ms", "--max-latency", "0.003s"), "pass", 0),
        (("--max", "p99=2.1ms", "--max-latency", "2.1ms"), "inconclusive", 3),  # 300 samples bound no p99 from above
        (("--max", "p99=1.9ms"), "fail", 1),
    ],
)
def test_verdict_and_exit_code(bench: Bench, tiny: Path, limits: tuple[str, ...], verdict: str, code: int) -> None:
    result = bench("run", "--model", tiny, "--backend", "fake:latency_ms=2", *FAST, *limits, "--format", "json")
    (row,) = json.loads(result.stdout)
    assert (row["limit_verdict"], result.returncode) == (verdict, code), result.stderr
    assert f"{verdict}: " in result.stderr
    (kept,) = records.read(tiny.parent / "r.csv")
    assert kept.limit_verdict == verdict
    assert kept.limit == row["limit"]


def test_any_number_of_cases(bench: Bench, tiny: Path) -> None:
    cases = ("--model", tiny, "--backend", "fake", "--backend", "fake:latency_ms=2", "--backend", "fake:launch_cv=0.5")
    result = bench("run", *cases, *FAST, "--max-latency", "1.5ms")
    rows = {row.backend: row.limit_verdict for row in records.read(tiny.parent / "r.csv")}
    assert (rows["fake"], rows["fake:latency_ms=2"]) == ("pass", "fail")
    assert result.returncode == 1
    assert "latency<=1.5ms (2 to 2)" in result.stdout
    lone = bench("run", *cases[:4], *FAST, "--max-latency", "1.5ms")
    assert lone.returncode == 0


def test_a_case_that_was_not_measured_as_asked_has_no_verdict(bench: Bench, tiny: Path) -> None:
    result = bench("run", "--model", tiny, "--backend", "fake:effective=bf16", *FAST, "--max-latency", "1s")
    (row,) = records.read(tiny.parent / "r.csv")
    assert (row.status, row.limit_verdict, result.returncode) == ("downgraded", None, 1)


def test_resuming_measures_what_was_not_held_against_the_limit(bench: Bench, tiny: Path) -> None:
    run = ("run", "--model", tiny, "--backend", "fake", *FAST, "--resume")
    assert bench(*run).returncode == 0
    assert "measured already" in bench(*run).stderr
    assert "measured already" not in bench(*run, "--max-latency", "1s").stderr
    again = bench(*run, "--max-latency", "1s")
    assert "measured already" in again.stderr
    assert again.returncode == 0
    assert "measured already" not in bench(*run, "--max-latency", "1us").stderr


@pytest.mark.parametrize(("option", "text"), [("--max", "p98=3ms"), ("--max", "p99"), ("--max-latency", "fast")])
def test_mistakes_are_one_line(bench: Bench, tiny: Path, option: str, text: str) -> None:
    result = bench("run", "--model", tiny, "--backend", "fake", *FAST, option, text)
    assert "is no" in one_line_error(result)
    assert result.returncode == 2
