"""The lines under the table of a run that a person remembers."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import pytest

from bench.measure.ratios import Ratio
from bench.report.text.run import MOST, against_limits, memorable
from bench.rows.schema import Row
from bench.stats.ratio import Effect

ROW = Row(status="ok", backend="onnxruntime", precision="fp32", threads=1, batch=1, resolution=224)


def compared(latencies: dict[tuple[str, str], float], half: float = 0.01, **more: object) -> list[Ratio]:
    """All ratios of cases given by model and backend."""
    rows = [
        replace(ROW, case_id=f"{model} {backend}", model=model, backend=backend, latency_ms=ms, **more)  # type: ignore[arg-type]
        for (model, backend), ms in latencies.items()
    ]
    found = []
    for a, b in combinations(rows, 2):
        fast, slow = sorted((a, b), key=lambda row: row.latency_ms or 0)
        log = math.log((slow.latency_ms or 0) / (fast.latency_ms or 1))
        found.append(Ratio(slow, fast, Effect(log, log - half, log + half, 8)))
    return found


def test_two_models_are_one_line() -> None:
    ratios = compared({("mobilenetv2", "onnxruntime"): 4.97, ("shufflenetv2", "onnxruntime"): 3.5}, 0.02)
    (line,) = memorable(ratios)
    assert line == "mobilenetv2 takes 1.42 (1.39 to 1.45) times as long as shufflenetv2 on onnxruntime"


def test_models_on_two_backends_are_told_backend_by_backend() -> None:
    lines = memorable(compared({("a", "ort"): 1.0, ("b", "ort"): 2.0, ("a", "ov"): 3.0, ("b", "ov"): 1.5}))
    assert lines == [
        "b takes 2 (1.98 to 2.02) times as long as a on ort",
        "a takes 2 (1.98 to 2.02) times as long as b on ov",
    ]


def test_one_model_on_two_backends_and_threads() -> None:
    (line,) = memorable(compared({("a", "ort"): 1.0, ("a", "ov"): 1.5}, threads=2))
    assert line == "ov takes 1.5 (1.49 to 1.52) times as long as ort for a with 2 threads"


def test_of_many_the_two_fastest_and_of_equals_that_they_are() -> None:
    (line,) = memorable(compared({("a", "ort"): 3.0, ("b", "ort"): 1.005, ("c", "ort"): 1.0}))
    assert line.startswith("b takes 1 (0.995 to 1.02) times as long as c on ort (the two fastest of 3)")
    assert line.endswith(": as far as this run can tell, equally long")
    many = {(model, f"backend{i}"): 1.0 + j for i in range(5) for j, model in enumerate("ab")}
    assert len(memorable(compared(many))) == MOST


def test_nothing_is_said_of_what_took_no_turns() -> None:
    assert memorable([]) == []
    apart = compared({("a", "ort"): 1.0, ("b", "ov"): 2.0})  # they differ in two things
    assert memorable(apart) == []


@pytest.mark.parametrize("verdict", ["pass", "fail", "inconclusive"])
def test_a_limit_is_told_with_its_interval_and_its_error(verdict: str) -> None:
    row = replace(ROW, model="a", limit="p99<=33ms (29.8 to 34.1)", limit_verdict=verdict)
    said = against_limits([row, ROW])
    assert said[0] == f"{verdict}: a on onnxruntime: p99<=33ms (29.8 to 34.1)"
    assert "2.5% of runs" in said[1]
    assert "of a percentile up to 7%" in said[1]
    assert "percentile" not in against_limits([replace(row, limit="latency<=33ms (1 to 2)")])[1]
    assert ("more --launches" in said[1]) == (verdict == "inconclusive")
    assert against_limits([ROW]) == []
