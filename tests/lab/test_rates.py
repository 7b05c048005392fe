"""Simulated rules: that of `bench ab` keeps its rate and finds what it should, others do not."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from bench.rows import file as records
from benchmarks.lab import rates
from tests.conftest import Bench


@pytest.fixture(scope="module")
def lines() -> dict[tuple[str, str], dict[str, float]]:
    found = rates.table(rates.NOISES, 6000, 0.01, 0)
    return {(line["pairs that are"], line["rule"].split(":")[0]): line for line in found}


@pytest.mark.parametrize("noise", ["normal, sd 0.8%", "10% of pairs with sd 10%"])
def test_bench_ab_keeps_its_rate_and_finds_twice_the_margin(lines, noise: str) -> None:  # type: ignore[no-untyped-def]
    found = lines[noise, "bench ab"]
    assert found["equal"] == 0
    assert found["at the margin"] <= 0.007
    assert found["twice the margin"] >= (0.99 if noise.startswith("normal") else 0.9)
    assert found["pairs used"] < 25


def test_asking_after_every_pair_raises_alarms(lines) -> None:  # type: ignore[no-untyped-def]
    noise = "normal, sd 0.8%"
    assert lines[noise, "trimmed t, asked after every pair"]["at the margin"] > 0.01
    assert lines[noise, "confidence sequence, every pair"]["at the margin"] < 0.01
    assert lines["10% of pairs with sd 10%", "t on the mean, 30 pairs"]["twice the margin"] < 0.5


def test_pairs_that_are_alike_are_widened(lines) -> None:  # type: ignore[no-untyped-def]
    for noise in ("autocorrelation 0.3", "autocorrelation 0.6"):
        mine, other = lines[noise, "bench ab"], lines[noise, "t on the mean, 30 pairs"]
        assert mine["at the margin"] < other["at the margin"]


def test_recorded_pairs_are_drawn_with_either_sign(lab: Bench, tmp_path) -> None:  # type: ignore[no-untyped-def]
    x = np.random.default_rng(0).normal(0.001, 0.008, 60)
    pairs = [{"name": "net@ort", "wanted": 0, "log_ratio": float(v)} for v in x]
    records.append_samples(tmp_path / "l.csv", [*pairs, {"name": "net@ort", "wanted": 0.02, "log_ratio": 0.5}])
    same = {"model": "other", "backend": "ort"}
    records.append_samples(tmp_path / "l.csv", [{"a": same, "b": same, "log_ratio": 0.0}])
    result = lab("rates", "l.csv", "--draws", 500, "--format", "json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert len(found) == 2 * len(rates.RULES)
    assert found[0]["pairs that are"].startswith("net@ort, l (60 pairs, sd 0.7%")
    assert max(line["equal"] for line in found) < 0.01
    assert abs(rates.recorded([tmp_path / "l.csv"]).popitem()[1](np.random.default_rng(0), (2, 3)).max()) == 0
    assert lab("rates", "none.csv").returncode == 2


def test_the_rules_agree_where_nothing_is_uncertain() -> None:
    x = np.random.default_rng(1).normal(0, 1e-4, (50, rates.MOST))
    for rule in rates.RULES.values():
        assert not rule(x, math.log1p(0.01))[0].any()
        slower, used = rule(x + 0.02, math.log1p(0.01))
        assert slower.all()
        assert used.min() >= rates.FIRST
