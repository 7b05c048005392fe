from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from bench.base.errors import UsageError
from bench.report.text.across import flip as said
from bench.rows.across import Across, across
from bench.rows.frame import load
from tests.rows.rows import nights, row, write

ARM = {"arch": "aarch64", "cpu": "Neoverse-N1", "cpu_id": "implementer=0x41", "target": "arm"}
NOISE = tuple(np.linspace(-0.004, 0.004, 6))


def found(tmp_path: Path, axis: str) -> Across:
    return across(load([str(tmp_path)]), axis, 0.005)


@pytest.mark.parametrize("axis", ["target", "cpu"])
def test_two_targets_beside_each_other(tmp_path: Path, axis: str) -> None:
    """Twelve networks in the same order on both but for two that change places."""
    for i in range(12):
        other = {3: 4, 4: 3}.get(i, i)
        nights(tmp_path / "x86.csv", [v + 0.1 * i for v in NOISE], model=f"net{i}")
        nights(tmp_path / "arm.csv", [v + 0.1 * other + math.log(2) for v in NOISE], model=f"net{i}", **ARM)
    result = found(tmp_path, axis)
    assert len(result.cases) == 12
    first = result.cases[0]
    assert abs(first.found.log_ratio) == pytest.approx(math.log(2), abs=1e-5)
    assert first.a_ps_per_mac is not None
    assert min(first.a_ps_per_mac, first.b_ps_per_mac or 0) == pytest.approx(5.0, rel=0.01)  # 5 ms for 1e9 MACs
    (flip,) = result.flips
    assert {flip.first, flip.second} == {"net3 on onnxruntime", "net4 on onnxruntime"}
    assert flip.on_a > 0 > flip.on_b
    # Signs are those of the first one's latency, as of every change that is printed: less is faster.
    assert re.search(r"is faster than .* \(its latency -\d.*\) and slower on .* \(\+\d", said(flip))
    (agreement,) = result.agreements
    kendall, spearman = agreement.correlations
    assert kendall.value == pytest.approx(1 - 4 / (12 * 11))
    assert spearman.lo is not None
    assert spearman.lo < spearman.value < 1


def test_a_flip_within_the_intervals_is_none(tmp_path: Path) -> None:
    for target, logs in (("x86", (0.0, 0.02)), ("arm", (0.02, 0.0))):
        for i, log in enumerate(logs):
            write(
                tmp_path / f"{target}.csv",
                [row(math.exp(log), half=0.03, model=f"net{i}", run_id=target, target=target)],
            )
    assert found(tmp_path, "target").flips == ()


def test_another_precision_is_listed_and_not_compared(tmp_path: Path) -> None:
    nights(tmp_path / "x86.csv", NOISE)
    nights(tmp_path / "arm.csv", NOISE, **ARM | {"precision_effective": "fp16", "status": "ok"})
    result = found(tmp_path, "target")
    assert not result.cases
    assert "ran in fp16 on arm and in fp32 on local" in result.incomparable[0]


def test_backends_of_the_same_jobs_are_pairs(tmp_path: Path) -> None:
    """What a job does to both runtimes cancels: its swings of 20% do not widen the interval."""
    swings = np.random.default_rng(0).normal(0, 0.2, 10)
    jobs = [{"run_id": f"job{i}", "started_at": f"2026-03-{i + 1:02}"} for i in range(10)]
    for backend, by in (("onnxruntime", 0.0), ("openvino", 0.1), ("openvino:precision=bf16", -0.5)):
        ran = {"precision": "bf16", "precision_effective": "bf16"} if "bf16" in backend else {}
        rows = [row(5 * math.exp(s + by), backend=backend, **job, **ran) for s, job in zip(swings, jobs, strict=True)]
        write(tmp_path / "r.csv", rows)
    result = found(tmp_path, "backend")
    (case,) = result.cases
    assert case.found.log_ratio == pytest.approx(0.1, abs=1e-5)
    assert case.interval[0] > 0.08
    assert sum("ran in" in line for line in result.incomparable) == 2


def test_threads_and_cases_of_one_side(tmp_path: Path) -> None:
    nights(tmp_path / "r.csv", NOISE)
    nights(tmp_path / "r.csv", [v - 0.6 for v in NOISE], threads=2, threads_effective=2)
    nights(tmp_path / "r.csv", NOISE, model="lonely")
    result = found(tmp_path, "threads")
    (case,) = result.cases
    assert (case.a, case.b, case.found.log_ratio) == ("1", "2", pytest.approx(-0.6, abs=1e-5))
    assert "only on 1, not on 2: lonely on onnxruntime" in result.incomparable


def test_one_level_is_nothing_to_compare(tmp_path: Path) -> None:
    nights(tmp_path / "r.csv", NOISE)
    with pytest.raises(UsageError, match="all rows have one target: local"):
        found(tmp_path, "target")
