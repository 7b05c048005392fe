"""The lines under the table of a run that a person remembers."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import pytest

from bench.measure.ratios import Ratio
from bench.report.text.run import MOST, against_limits, baseline_hint, best_batches, bridged, memorable, table
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


def rates(per_s: dict[int, float], **more: object) -> tuple[list[Row], list[Ratio]]:
    """Rows of mode throughput by batch, and the ratio of each two of their times per sample."""
    rows = [
        replace(ROW, case_id=f"b{batch}", model="a", batch=batch, mode="throughput", throughput=rate,
                throughput_lo=0.98 * rate, throughput_hi=1.02 * rate, **more)  # type: ignore[arg-type]
        for batch, rate in per_s.items()
    ]  # fmt: skip
    found = []
    for x, y in combinations(rows, 2):
        fast, slow = sorted((x, y), key=lambda row: -(row.throughput or 0))
        log = math.log((fast.throughput or 0) / (slow.throughput or 1))
        found.append(Ratio(slow, fast, Effect(log, log - 0.01, log + 0.01, 8)))
    return rows, found


def test_the_best_batch_with_its_interval_against_the_next() -> None:
    rows, found = rates({1: 100.0, 8: 150.0, 32: 120.0})
    assert best_batches(rows, found) == [
        "batch 8 does most of 3 batches: 150 (147 to 153) samples/s with a on onnxruntime; "
        "1.25 (1.24 to 1.26) times those of batch 32"
    ]
    assert memorable(found) == []  # it is said once
    near, close = rates({1: 100.0, 8: 100.5})
    assert best_batches(near, close)[0].endswith("of batch 1: as far as this run can tell, as many")
    assert best_batches(near, [])[0].endswith("samples/s with a on onnxruntime")
    assert best_batches(near[:1], close) == []
    assert best_batches([replace(row, status="mismatch") for row in near], close) == []
    assert best_batches([replace(row, mode="latency", throughput=None, latency_ms=1.0) for row in near], close) == []


def test_samples_are_told_as_samples() -> None:
    rows, _ = rates({8: 150.0})
    other = replace(rows[0], case_id="other", backend="openvino", throughput=300.0)
    both = [Ratio(rows[0], other, Effect(math.log(2), math.log(1.9), math.log(2.1), 8))]
    assert memorable(both) == ["openvino does 2 (1.9 to 2.1) times as many samples/s as onnxruntime for a at batch 8"]


def test_a_table_of_both_modes_has_a_column_for_each() -> None:
    rows, _ = rates({8: 150.0}, p50_under_load_ms=13.3, streams_effective=2)
    heads = [str(column.header) for column in table(rows).columns]
    assert "samples/s" in heads
    assert not {"latency ms", "GMAC/s", "mode"} & set(heads)
    mixed = table([*rows, replace(ROW, model="a", latency_ms=5.0)])
    cells = {str(column.header): [str(cell) for cell in column.cells] for column in mixed.columns}
    assert cells["latency ms"] == ["-", "5.000"]
    assert cells["samples/s"] == ["150.0", "-"]
    assert cells["mode"] == ["throughput", "latency"]
    assert cells["streams"] == ["2", "-"]
    assert cells["95%"] == ["±2.0%", "-"]


def test_a_batch_that_a_file_has_is_in_the_table() -> None:
    """Nobody asked for it: `net.onnx` was exported with it, and one inference is of eight images."""
    (cells,) = [list(c.cells) for c in table([replace(ROW, model="a", batch=8)]).columns if c.header == "input"]
    assert cells == ["8x224"]
    (cells,) = [
        list(c.cells) for c in table([replace(ROW, model="a", batch=8, resolution=None)]).columns if c.header == "input"
    ]
    assert cells == ["batch 8"]
    assert "input" not in [c.header for c in table([replace(ROW, model="a")]).columns]


def test_a_latency_far_from_its_own_median_says_so() -> None:
    """The machine was faster than it usually is, which is taken out: the clock said another number."""
    row = replace(ROW, model="a", latency_ms=4.57, p50_ms=4.31)
    usual = "latency is told for the machine at its usual speed; the median of all inferences was:"
    assert bridged([row, ROW, replace(row, p50_ms=None)]) == [f"{usual} a on onnxruntime 4.310 ms"]
    (several,) = bridged([replace(row, model=name) for name in "abcde"])
    assert several.endswith("c on onnxruntime 4.310 ms and 2 more (p50_ms)")
    assert bridged([replace(row, p50_ms=4.4), ROW]) == []


def test_the_ends_of_a_narrow_interval_are_told_apart() -> None:
    found = compared({("a", "ort"): 1.0, ("a", "ov"): 1.05})
    tight = replace(found[0], found=Effect(math.log(1.05), math.log(1.0496), math.log(1.0503), 8))
    assert memorable([tight])[0].startswith("ov takes 1.05 (1.0496 to 1.0503) times as long as ort")


def test_what_narrows_an_interval_is_that_of_its_mode() -> None:
    rows, _ = rates({8: 150.0}, baseline="own")
    assert "narrow with further runs" in baseline_hint(rows)
    assert "doctor --learn" in baseline_hint([*rows, replace(ROW, baseline="own")])
    assert baseline_hint([replace(rows[0], baseline="known")]) == ""
