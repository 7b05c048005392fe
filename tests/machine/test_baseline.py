"""What is remembered of a machine between runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.machine import baseline
from bench.machine.baseline import BaselineSpeed
from bench.machine.environment import local
from tests.conftest import Bench
from tests.measure.test_evidence import block

HERE = replace(local(), cpu="a machine of this test")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path))


def launch(gemm: float) -> list[dict[str, object]]:
    return [block(gemm=gemm), block(gemm=gemm)]


def test_a_machine_is_known_after_some_launches_and_forgets_old_ones() -> None:
    for _ in range(baseline.LEAST - 1):
        baseline.remember(HERE, "openvino", "c", launch(1000.0))
    assert baseline.recall(HERE, "openvino", "c") is None
    baseline.remember(HERE, "openvino", "c", launch(1000.0))
    assert baseline.recall(HERE, "openvino", "c") == BaselineSpeed(1000.0, 50000.0)
    for _ in range(baseline.KEPT):
        baseline.remember(HERE, "openvino", "c", launch(1500.0))
    assert baseline.recall(HERE, "openvino", "c") == BaselineSpeed(1500.0, 50000.0)
    assert baseline.known(HERE) == {"openvino c": baseline.KEPT}


def test_machines_backends_and_canaries_are_kept_apart() -> None:
    for _ in range(baseline.LEAST):
        baseline.remember(HERE, "openvino", "c", launch(1000.0))
    assert baseline.recall(HERE, "onnxruntime", "c") is None
    assert baseline.recall(HERE, "openvino", "other numpy") is None
    assert baseline.recall(replace(HERE, cpu="another"), "openvino", "c") is None
    assert baseline.forget(HERE)
    assert not baseline.forget(HERE)
    assert baseline.recall(HERE, "openvino", "c") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"openvino c": 3}', '{"openvino c": [[1]]}', '{"openvino c": [[0, 1]]}']
)
def test_a_broken_memory_is_no_memory(text: str) -> None:
    baseline.path(HERE).write_text(text)
    assert baseline.recall(HERE, "openvino", "c") is None
    baseline.remember(HERE, "openvino", "c", launch(1000.0))
    assert json.loads(baseline.path(HERE).read_text()) == {"openvino c": [[1000.0, 50000.0]]}


def test_a_cache_that_cannot_be_written_costs_the_memory_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("ISOFLOPS_CACHE", str(file / "below"))
    baseline.remember(HERE, "openvino", "c", launch(1000.0))


def test_the_doctor_tells_and_forgets(bench: Bench, tiny: Path) -> None:
    bench("run", "--model", tiny, "--launches", "2", "--budget", "1", "--output", "r.csv")
    said = json.loads(bench("doctor", "--json").stdout)[-1]
    assert said["check"] == "baseline speed"
    assert "launches beside onnxruntime" in said["found"]
    forgot = json.loads(bench("doctor", "--json", "--forget").stdout)[-1]
    assert forgot["state"] == "unknown"
