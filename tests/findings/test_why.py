"""The experiments behind the explanations: which they are, what is left of them, and what they say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import backends
from bench.findings import store
from bench.findings.catalog import catalog
from bench.findings.evaluate import cases_of
from bench.findings.finding import TIME
from bench.findings.why import HELD, ISA, PROTOCOL, held, held_results, padded, points, stages, sweep
from bench.report.html.charts import why as charts
from bench.report.text import why

SPECS = tuple(f"{name}{option}" for name in HELD for option in ISA)
ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = {"arch": "x86_64", "microarchitecture": "zen4", "cpu": "EPYC", "cores": 2, "os": "x", "hypervisor": ""}


def lines_of(specs: tuple[str, ...], findings: Any, time: Any) -> list[dict[str, Any]]:
    """Make up three replicates of every case; `time(spec, model)` gives its ms."""
    lines: list[dict[str, Any]] = []
    for spec in specs:
        cases = cases_of(findings, backends.resolve(spec, here=False), (TIME,))
        for number in range(3):
            sides = {c.id: {"blocks": [[[time(spec, c.model.canonical) * 1e6 * (1 + number / 1e4), False]] * 2] * 2}
                     for c in cases}  # fmt: skip
            lines.append({"kind": "wave", "at": 9.0 * number, "backend": spec, "sides": sides})
        lines += [{"kind": "count", "model": str(case.network), "macs": channels(case.model.canonical) ** 2}
                  for case in cases]  # fmt: skip
    return lines


def channels(model: str) -> int:
    return int(model.partition("c=")[2].partition(",")[0] or 1)


def evidence(tmp_path: Path, lines: list[dict[str, Any]]) -> store.Evidence:
    path = tmp_path / "why.jsonl"
    head = {"kind": "header", "format": store.FORMAT, "environment": ENVIRONMENT, "started_at": "2026-01-02T00:00:00"}
    path.write_text("".join(json.dumps(line) + "\n" for line in (head, *lines)))
    return store.read(path)


def test_what_explains_is_in_no_catalogue() -> None:
    assert not any(id.startswith("WHY") for id in catalog())
    pointwise = sweep("pointwise", 2)
    assert len(pointwise.experiments) == 24
    names = {finding.id for finding in held()}
    assert names == {"T8-40", "T8-140", "T8-300", "T8-500", "G1", "G2", "G3", "LC-04"}
    assert all(e.a.batch == 1 for finding in held() for e in finding.experiments)
    assert sum(len(f.experiments) for f in held()) >= 14
    assert {spec for stage in stages() for spec in stage.backends} == {"onnxruntime", *SPECS}


def test_blocks_are_padded_on_both_sides_of_a_1x1() -> None:
    assert padded("pointwise", 32) == padded("depthwise", 48) == 1
    assert padded("pointwise", 24) == pytest.approx((32 / 24) ** 2)
    assert padded("depthwise", 24) == pytest.approx(32 / 24)
    assert padded("depthwise", 24, 8) == 1


def test_a_sweep_tells_the_block_that_it_is_of(tmp_path: Path) -> None:
    """Time in proportion to MACs of whole blocks of 8: the page finds 8, and not the 16 that it was asked about."""

    def time(spec: str, model: str) -> float:
        return 1e-3 * channels(model) ** 2 * padded("pointwise", channels(model), 8)

    told = points(evidence(tmp_path, lines_of(("onnxruntime",), [sweep("pointwise", 2)], time)))
    assert len(told) == 24
    assert next(p for p in told if p.channels == 18).time == pytest.approx((24 / 18) ** 2, rel=1e-3)
    assert why.spread(told, 8) < 1e-6 < why.spread(told, 16)
    assert why.spread(told, 8) < why.spread(told, 1)


def test_the_page_and_its_pictures_say_what_was_measured(tmp_path: Path) -> None:
    factor = dict(zip(SPECS, (0.9, 1.1, 1.4, 0.95, 1.15, 1.45), strict=True))

    def time(spec: str, model: str) -> float:
        return factor[spec] if model.startswith("mobilenet") else 1.0

    lines = lines_of(SPECS, held(), time)
    lines += lines_of(("onnxruntime",), [sweep("depthwise", 2)], lambda spec, model: channels(model) ** 2.0)
    found = evidence(tmp_path, lines)
    results = held_results(found)
    assert {r.backend for r in results} == set(SPECS)
    text = why.page(results, "why.jsonl", found)
    rival = next(line for line in text.splitlines() if line.startswith("| T8-300 | mobilenetv2 against"))
    assert re.findall(r"\| ([0-9.]+) \(", rival) == ["0.9", "1.1", "1.4", "0.95", "1.15", "1.45"]
    assert "openvino: of 8 pairs of Table 8, as it comes, 0 go the published way" in text
    assert "SSE4.1, 8 go the published way" in text
    assert "evidence: `why.jsonl`" in text
    for chart in (charts.channels(found), charts.instructions(found)):
        assert chart is not None
        assert json.dumps(chart.spec())
    nothing = evidence(tmp_path, [])
    assert charts.channels(nothing) is None
    assert charts.instructions(nothing) is None


def test_the_plan_counts_what_is_left(tmp_path: Path) -> None:
    def dry(path: Path) -> tuple[str, ...]:
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.why", str(path), "--dry-run"], cwd=ROOT, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        return tuple(told.stdout.splitlines())

    whole = dry(tmp_path / "nothing.jsonl")
    assert whole[-1].startswith("about ")
    assert f"{2 * 25 * PROTOCOL.replicates} launches" in whole[0]
    evidence(tmp_path, lines_of(("onnxruntime",), [sweep("pointwise", 2)], lambda spec, model: 1.0))
    assert f"{25 * PROTOCOL.replicates} launches" in dry(tmp_path / "why.jsonl")[0]
