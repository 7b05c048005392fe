"""`bench compare BASE NEW`, without the command line."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from bench.rows.frame import load
from bench.rows.reference import relative
from bench.rows.sides import Comparison, Options, compare
from tests.rows.rows import nights, row, write

QUIET = Options(job_sd=0.005)
STEADY = tuple(np.linspace(-0.004, 0.004, 8))


def judged(tmp_path: Path, options: Options = QUIET) -> Comparison:
    return compare(load([str(tmp_path / "base.csv")]), load([str(tmp_path / "new.csv")]), options)


def shifted(by: float) -> list[float]:
    return [v + by for v in STEADY]


def test_verdict_ratio_and_interval(tmp_path: Path) -> None:
    nights(tmp_path / "base.csv", STEADY)
    nights(tmp_path / "new.csv", shifted(math.log(1.1)))
    (case,) = judged(tmp_path).cases
    assert case.verdict == "slower"
    assert case.ratio == pytest.approx(1.1)
    assert case.interval[0] < 1.1 < case.interval[1]
    assert (case.base_jobs, case.new_jobs) == (8, 8)


@pytest.mark.parametrize(("by", "verdict"), [(0.06, "slower"), (0.0, "equivalent"), (-0.06, "faster")])
def test_swapping_the_sides_mirrors_everything(tmp_path: Path, by: float, verdict: str) -> None:
    for name, logs in (("base", STEADY), ("new", shifted(by))):
        nights(tmp_path / f"{name}.csv", logs, model="x")
        nights(tmp_path / f"{name}.csv", logs, model="y")
    base, new = (load([str(tmp_path / f"{name}.csv")]) for name in ("base", "new"))
    there, back = compare(base, new, QUIET), compare(new, base, QUIET)
    mirror = {"slower": "faster", "faster": "slower"}
    for x, y in zip((*there.cases, *there.backends), (*back.cases, *back.backends), strict=True):
        assert x.ratio == pytest.approx(1 / y.ratio)
        assert x.verdict == verdict
        assert y.verdict == mirror.get(verdict, verdict)


@pytest.mark.parametrize("by", [0.1, 1.0])
@pytest.mark.parametrize(("base", "new"), [(1, 1), (2, 8), (8, 2), (8, 1)])
def test_too_few_jobs_have_no_verdict(tmp_path: Path, by: float, base: int, new: int) -> None:
    """Two runs of one machine, minutes apart, were 10% apart with intervals of 2% (results/xeon-vm-2core)."""
    for model in ("x", "y"):
        nights(tmp_path / "base.csv", STEADY[:base], model=model)
        nights(tmp_path / "new.csv", [v + by for v in STEADY[:new]], model=model)
    found = judged(tmp_path, Options(threshold=0.05))
    assert {case.verdict for case in (*found.cases, *found.backends)} == {"withheld"}
    assert found.exit_code == 3
    # No slowdown has a verdict, none trips, and where none trips there is no false alarm either.
    assert {(case.seen, case.trips_at) for case in found.cases} == {(math.inf, math.inf)}
    assert {case.seen for case in found.backends} == {math.inf}
    assert found.alarm == 0
    assert any(f"{base} and {new} jobs" in note and "needs 3 on each side" in note for note in found.notes)


def test_three_jobs_a_side_may_have_a_verdict(tmp_path: Path) -> None:
    nights(tmp_path / "base.csv", STEADY[:3])
    nights(tmp_path / "new.csv", [v + 0.5 for v in STEADY[:3]])
    assert judged(tmp_path).cases[0].verdict == "slower"


def test_another_cpu_is_another_machine(tmp_path: Path) -> None:
    nights(tmp_path / "base.csv", STEADY)
    nights(tmp_path / "new.csv", STEADY, cpu="Xeon", cpu_id="family=6")
    found = judged(tmp_path, Options(threshold=0.05))
    assert not found.cases
    assert {u.reason for u in found.unmatched} == {
        "another CPU in NEW: Xeon (family=6)",
        "another CPU in BASE: EPYC (family=25 model=1)",
    }
    assert found.exit_code == 3


def test_another_target_is_another_machine_unless_pooled(tmp_path: Path) -> None:
    nights(tmp_path / "base.csv", STEADY, target="ubuntu-22.04")
    nights(tmp_path / "new.csv", STEADY, target="ubuntu-24.04", backend_version="1.1", artifact_sha256="b" * 64)
    apart = judged(tmp_path)
    assert not apart.cases
    assert apart.unmatched[0].reason == "another target in NEW: ubuntu-24.04 (--pool cpu joins targets of one CPU)"
    found = compare(*(load([str(tmp_path / f"{side}.csv")], pool="cpu") for side in ("base", "new")), QUIET)
    assert found.cases[0].verdict == "equivalent"
    assert "backend_version: 1.0 -> 1.1" in found.cases[0].differs
    assert any(note.startswith("artifact_sha256") for note in found.notes)


def test_another_precision_is_never_compared(tmp_path: Path) -> None:
    nights(tmp_path / "base.csv", STEADY)
    nights(tmp_path / "new.csv", STEADY, precision_effective="bf16")
    found = judged(tmp_path)
    assert not found.cases
    assert found.unmatched[0].reason == "ran in fp32 in BASE and in bf16 in NEW"


def test_only_ok_rows_count_and_the_last_of_a_job(tmp_path: Path) -> None:
    nights(tmp_path / "base.csv", STEADY)
    write(tmp_path / "new.csv", [row(50, run_id="new0")])
    nights(tmp_path / "new.csv", STEADY)
    write(tmp_path / "new.csv", [row(90, run_id="new99", status="noisy"), row(1, run_id="new98", status="mismatch")])
    (case,) = judged(tmp_path).cases
    assert (case.verdict, case.new_jobs) == ("equivalent", 8)
    write(tmp_path / "base.csv", [row(5, model="gone"), row(5, model="broke")])
    write(tmp_path / "new.csv", [row(5, model="fresh"), row(5, model="broke", status="crashed")])
    found = judged(tmp_path, Options(threshold=0.05, job_sd=0.005))
    assert {(u.case, u.reason, u.missed) for u in found.unmatched} == {
        ("gone on onnxruntime", "only in BASE", True),
        ("broke on onnxruntime", "crashed in NEW", True),
        ("fresh on onnxruntime", "only in NEW", False),
    }
    assert found.exit_code == 3  # BASE vouches for two cases that NEW does not


@pytest.mark.parametrize(("by", "code"), [(0.0, 0), (0.015, 0), (0.05, 1), (-0.1, 0)])
def test_the_gate(tmp_path: Path, by: float, code: int) -> None:
    nights(tmp_path / "base.csv", STEADY)
    nights(tmp_path / "new.csv", shifted(by))
    assert judged(tmp_path, Options(threshold=0.05, job_sd=0.005)).exit_code == code
    assert judged(tmp_path).exit_code == 0  # without a gate nothing trips


def test_the_mean_of_a_backend(tmp_path: Path) -> None:
    for model in ("x", "y", "z"):
        nights(tmp_path / "base.csv", STEADY, model=model)
        nights(tmp_path / "new.csv", shifted(0.03), model=model)
    (mean,) = judged(tmp_path).backends
    assert mean.case == "geometric mean of 3 cases"
    assert mean.found.log_ratio == pytest.approx(0.03, abs=1e-5)
    assert mean.verdict == "slower"


def test_a_reference_takes_the_speed_of_the_night_out(tmp_path: Path) -> None:
    for name, by in (("base", 0.0), ("new", 0.05)):
        speed = np.array([0.2, -0.2, 0.1, -0.1, 0.15, -0.15, 0.05, -0.05])
        nights(tmp_path / f"{name}.csv", speed, model="anchor")
        nights(tmp_path / f"{name}.csv", speed + STEADY + by, model="x")
    assert {case.verdict for case in judged(tmp_path).cases} == {"inconclusive"}
    base, new = (relative(load([str(tmp_path / f"{n}.csv")]), "anchor@onnxruntime") for n in ("base", "new"))
    (case,) = compare(base, new, QUIET).cases
    assert (case.case, case.verdict) == ("x on onnxruntime", "slower")
    assert case.ratio == pytest.approx(math.exp(0.05), rel=1e-3)
    assert case.base_ms == pytest.approx(1, rel=0.02)


def test_cases_that_differ_in_resolution_alone_are_told_apart(tmp_path: Path) -> None:
    for name in ("base", "new"):
        nights(tmp_path / f"{name}.csv", STEADY)
        nights(tmp_path / f"{name}.csv", STEADY, resolution=128, threads=1)
    assert {c.case for c in judged(tmp_path).cases} == {
        "net on onnxruntime resolution=224", "net on onnxruntime resolution=128"
    }  # fmt: skip
