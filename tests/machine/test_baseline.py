"""What is remembered of a machine between runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.machine import baseline
from bench.machine.baseline import BaselineSpeed
from bench.machine.doctor import baseline_speed
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
    found = baseline.recall(HERE, "openvino", "c")
    assert found is not None
    assert (found.gemm_ns, found.copy_ns, found.launches) == (1000.0, 50000.0, baseline.LEAST)


def test_the_reference_stands_still_and_the_doctor_says_when_the_machine_has_become_another() -> None:
    for _ in range(baseline.LEARN):
        baseline.remember(HERE, "openvino", "c", launch(1000.0))
    assert [known.shift for known in baseline.known(HERE)] == [0.0]
    assert baseline_speed(baseline.known(HERE)).state == "ok"
    for _ in range(baseline.KEPT):
        baseline.remember(HERE, "openvino", "c", launch(1500.0))
    found = baseline.recall(HERE, "openvino", "c")
    assert found is not None
    assert (found.gemm_ns, found.launches) == (1000.0, baseline.LEARN)
    (known,) = baseline.known(HERE)
    assert (known.launches, known.shift) == (baseline.KEPT, pytest.approx(math.log(1.5)))
    told = baseline_speed([known])
    assert (told.state, told.found) == ("warning", "lately +41% beside openvino")
    assert "--forget" in told.hint


def test_a_machine_met_more_often_is_surer_of_its_speed() -> None:
    once, often = BaselineSpeed(1000.0, 1.0, 5, 1), BaselineSpeed(1000.0, 1.0, 40, 8, spread=0.01)
    assert once.unsure == pytest.approx(1.96 * baseline.SLOW_SD)
    assert often.unsure < once.unsure / 5


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
    ((gemm, copy, _),) = json.loads(baseline.path(HERE).read_text())["openvino c"]
    assert (gemm, copy) == (1000.0, 50000.0)


def test_a_cache_that_cannot_be_written_costs_the_memory_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("ISOFLOPS_CACHE", str(file / "below"))
    baseline.remember(HERE, "openvino", "c", launch(1000.0))


def test_the_doctor_tells_and_forgets(bench: Bench, tiny: Path) -> None:
    bench("run", "--model", tiny, "--launches", "2", "--budget", "1", "--output", "r.csv")
    speed, repeats = json.loads(bench("doctor", "--json").stdout)[-2:]
    assert (speed["check"], repeats["check"]) == ("baseline speed", "repeatability")
    assert "launches beside onnxruntime" in speed["found"]
    assert repeats["state"] == "unknown"
    forgot = json.loads(bench("doctor", "--json", "--forget").stdout)[-2]
    assert forgot["state"] == "unknown"
