"""Cases that took turns: the ratio is known better than either latency."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import backends
from bench.measure.ratios import Ratio, differences, ratios
from bench.measure.runner import Observer, Runner
from bench.measure.state import CaseState, LaunchRecord
from bench.plan import zoo
from bench.plan.case import cross
from bench.plan.protocol import Protocol
from bench.rows.schema import Row
from tests.measure.test_evidence import block

CASE = cross([zoo.resolve("squeezenet")], [backends.resolve("fake")]).cases[0]


def launches(logs: list[list[float]], **more: Any) -> list[LaunchRecord]:
    """Launches of rounds with these log medians."""
    return [
        LaunchRecord({}, blocks=[block(round(1e9 * math.exp(v)), **more) | {"round": r} for r, v in enumerate(one)])
        for one in logs
    ]


def test_what_drifts_for_both_drops_out() -> None:
    rng = np.random.default_rng(0)
    drift = rng.normal(0, 0.2, (8, 4)) + rng.normal(0, 0.2, (8, 1))
    a, b = drift + rng.normal(0, 0.002, (8, 4)), drift + math.log(1.4) + rng.normal(0, 0.002, (8, 4))
    found = differences(launches(a.tolist()), launches(b.tolist()))
    assert len(found) == 8
    assert found == pytest.approx([math.log(1.4)] * 8, abs=0.01)


def test_a_round_that_was_disturbed_counts_for_neither() -> None:
    a, b = launches([[0.0] * 4] * 3), launches([[0.1, 0.1, 0.1, 5.0]] * 3)
    for launch in b:
        launch.blocks[3]["covariates"]["cpu_ns"] *= 0.5
    assert differences(a, b) == pytest.approx([0.1] * 3)
    for launch in a:
        for disturbed in launch.blocks[:2]:
            disturbed["covariates"]["steal_ms"] = 10
    assert differences(a, b) == []  # a quarter of the rounds is no evidence


def test_the_case_that_was_sure_first_had_fewer_waves() -> None:
    assert len(differences(launches([[0.0]] * 3), launches([[0.1]] * 5))) == 3


def test_the_interval_covers() -> None:
    rng = np.random.default_rng(1)
    row, hits = Row(status="ok"), 0
    for _ in range(400):
        replicate = rng.normal(0, 0.01, (2, 5, 1)) + rng.normal(0, 0.005, (2, 5, 4)) + rng.normal(0, 0.1, (5, 1))
        sides = [CaseState(CASE, launches=launches(w.tolist())) for w in replicate]
        (one,) = ratios([(sides[0], row), (sides[1], row)])
        hits += one.found.lo <= 0 <= one.found.hi
    assert 0.92 <= hits / 400 <= 0.98


def test_the_runner_tells_them_by_group(tiny: Path) -> None:
    heard: list[Ratio] = []
    specs = ["fake:latency_ms=2", "fake", "fake:fail=crash,fail_at=130", "fake:latency_ms=3"]
    plan = cross(
        [zoo.resolve(str(tiny))],
        [backends.resolve(s) for s in specs],
        protocol=Protocol(launches=3, max_launches=3, rounds=2, live=3),
    )
    rows = list(Runner(plan, observer=Observer(compared=heard.extend)).run())
    assert len(rows) == 4
    (one,) = heard  # of four cases in groups of two, one crashed
    assert (one.slow.backend, one.fast.backend) == ("fake:latency_ms=2", "fake")
    assert one.found.ratios == pytest.approx((2.0, 2.0, 2.0))
    assert one.found.n == 3


@pytest.mark.parametrize("status", ["failed", "downgraded", "mismatch"])
def test_what_was_not_measured_as_asked_is_left_out(status: str) -> None:
    sides = [CaseState(CASE, launches=launches([[0.0]] * 4)) for _ in range(2)]
    assert len(ratios([(sides[0], Row(status="ok")), (sides[1], Row(status="noisy"))])) == 1
    assert ratios([(sides[0], Row(status="ok")), (sides[1], Row(status=status))]) == []
    assert ratios([(sides[0], Row(status="ok")), (sides[1], Row(status="noisy", emulated=True))]) == []
