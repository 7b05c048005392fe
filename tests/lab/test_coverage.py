from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.lab import another
from benchmarks.lab.coverage import LEAST, coverage
from benchmarks.lab.synthetic import MACHINES
from benchmarks.lab.synthetic import coverage as machine
from tests.conftest import Bench
from tests.measure.test_evidence import block


def recorded(n: int, sd: float, drift: float = 0.0) -> list[list[dict[str, object]]]:
    rng = np.random.default_rng(5)
    levels = np.exp(rng.normal(0, sd, n) + drift * np.sin(np.arange(n) / 8))
    return [[block(round(1e6 * level))] * 2 for level in levels]


@pytest.mark.parametrize("sd", [0.005, 0.015, 0.03])
def test_independent_launches_are_covered_as_promised(sd: float) -> None:
    found = coverage(recorded(300, sd))
    assert found is not None
    assert 0.92 <= found["covered"] <= 0.98
    assert 0.90 <= found["covered_in_a_row"] <= 0.99


def test_a_drift_shows_in_a_row_only() -> None:
    found = coverage(recorded(300, 0.005, drift=0.02))
    assert found is not None
    assert found["covered"] > 0.9
    assert found["covered_in_a_row"] < 0.6


def test_few_launches_say_nothing(bench: Bench, lab: Bench, tiny: Path) -> None:
    assert coverage(recorded(LEAST - 1, 0.01)) is None
    bench("run", "--model", tiny, "--backend", "fake", "--launches", 2, "--output", "r.csv")
    result = lab("coverage", "--within", "r.csv")
    assert result.returncode == 2
    assert "no case has 20 recorded launches" in result.stderr
    result = lab("coverage", "r.csv")
    assert result.returncode == 2
    assert "no case has enough recorded runs" in result.stderr


def test_recorded_runs_are_held_against_each_other() -> None:
    """Runs that differ by 3% although their launches agree to 1%: the inner interval fails, the outer one learns."""
    rng = np.random.default_rng(2)

    def run(number: int) -> list[list[dict[str, object]]]:
        level = 2e6 * np.exp(rng.normal(0, 0.03))
        starts = [(number * 100 + i) * 10**9 for i in range(6)]
        return [
            [block(round(level * f)) | {"start_ns": at}] * 2
            for f, at in zip(rng.lognormal(0, 0.01, 6), starts, strict=True)
        ]

    judged = another.judge({"squeezenet@onnxruntime@threads=1": [run(i) for i in range(24)]})
    (of_case, every) = another.summary(judged)
    assert of_case["runs"] == every["runs"] == 24
    assert of_case["sd"] == pytest.approx(0.03, rel=0.4)
    assert of_case["holds_within"] < 0.6 < 0.9 < of_case["holds"]
    assert 0.8 < of_case["width_over_spread"] < 2
    later = another.judge({"squeezenet@onnxruntime@threads=1": [run(i) for i in range(10)]}, learn=4, launches=3)
    assert [one.launches for one in later] == [3] * 6


@pytest.mark.parametrize("name", list(MACHINES))
def test_made_up_machines_are_covered(name: str) -> None:
    found = machine(name, machines=5, runs=12)
    assert found["holds"] >= 0.88  # 92% and more in the full experiment, docs/method.md
    assert found["half_width"] < 0.1
