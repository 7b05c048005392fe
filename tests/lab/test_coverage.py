from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.lab.coverage import LEAST, coverage
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
    result = lab("coverage", "r.csv")
    assert result.returncode == 2
    assert "no case has 20 recorded launches" in result.stderr
