"""Recorded pairs, judged as `bench ab` would; other tools' rules on the same data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench import backends
from bench.plan import zoo
from bench.plan.case import Case, Network
from bench.plan.protocol import PairProtocol
from bench.rows import file as records
from benchmarks.lab import power
from benchmarks.lab.rules import RULES, Launches, mann_whitney, shares
from tests.conftest import Bench


def series(effect: float, sd: float = 0.01, n: int = 200, wanted: float = 0.0) -> power.PairSeries:
    ratios = np.random.default_rng(4).normal(np.log1p(effect), sd, n)
    return power.PairSeries("m@b", wanted, 0, tuple(ratios.tolist()), 3.0)


def test_equal_things_are_called_equivalent() -> None:
    found = power.summary(series(0.0))
    assert found["equivalent"] > 0.98
    assert found["slower"] + found["faster"] < 0.01
    assert "equivalent" in found["disjoint"]


def test_a_slowdown_is_found_and_told() -> None:
    found = power.summary(series(0.03, wanted=0.03))
    assert found["slower"] > 0.97
    assert found["effect_lo"] < 0.03 < found["effect_hi"]
    assert power.summary(series(-0.05, wanted=-0.05))["faster"] > 0.97


def test_wild_pairs_are_no_evidence() -> None:
    found = power.summary(series(0.0, sd=0.3))
    assert found["other"] > 0.9


def test_a_comparison_stops_where_bench_ab_would() -> None:
    protocol = PairProtocol()
    assert power.comparison([0.0, 1e-4] * 50, protocol, 0.01, 1.0) == ("equivalent", protocol.first)
    wild = np.random.default_rng(0).normal(0, 0.1, 100).tolist()
    assert power.comparison(wild, protocol, 0.01, 1.0)[1] == protocol.most
    assert power.comparison(wild, protocol, 0.01, 5.0)[1] == 20  # the budget of 100 s is spent


def test_disjoint_comparisons_share_no_pair() -> None:
    verdicts = power.disjoint(series(0.0, sd=0.3, n=95), PairProtocol())
    assert verdicts.total() == 3


def test_recording_goes_on_where_it_stopped(tiny: Path, tmp_path: Path) -> None:
    case = Case(Network(zoo.resolve(str(tiny))), backends.resolve("fake"))
    output = tmp_path / "lab.csv"
    told: list[tuple[str, int]] = []
    power.record(case, 0.0, 2, output, lambda *what: told.append(what))
    power.record(case, 0.0, 3, output, lambda *what: told.append(what))
    power.record(case, 0.0, 3, output, lambda *what: told.append(what))
    assert [n for _, n in told] == [1, 2, 3]
    (found,) = power.series(output)
    assert found.log_ratios == (0.0, 0.0, 0.0)
    a, b, ratios = power.launches(output, found)
    assert [len(x) for x in (a, b, ratios)] == [3, 3, 3]
    assert len(a[0]) == 2 * PairProtocol().quads
    assert [r["pair"] for r in records.read_samples(output)] == [0, 1, 2]


def test_the_commands(lab: Bench, tiny: Path) -> None:
    made = lab("power", f"{tiny}@fake", "--extra", 0, "--pairs", 11, "--output", "l.csv", "--format", "json")
    assert made.returncode == 0, made.stderr
    (line,) = json.loads(made.stdout)
    assert (line["pairs"], line["disjoint"]) == (11, "1 equivalent")
    said = lab("rules", "--output", "l.csv", "--launches", 5)
    assert said.returncode == 0, said.stderr
    assert "one after the other" in said.stdout
    nothing = lab("rules", "--output", "none.csv")
    assert nothing.returncode == 2
    assert "no pairs" in nothing.stderr


def sides(shift: float, processes: int = 20, between: float = 0.03, within: float = 0.005):
    rng = np.random.default_rng(7)

    def one(shift: float) -> list[np.ndarray]:
        return [np.exp(shift + rng.normal(0, between) + rng.normal(0, within, 16)) for _ in range(processes)]

    return one(0.0), one(shift)


def test_rules_that_count_iterations_are_fooled_by_processes() -> None:
    """The reason for all of this: two samples of the same thing, told apart with great confidence."""
    a, b = sides(0.0, processes=200)
    said = shares(a, b, [0.0] * 200, 5, turns=True)
    assert said["Google Benchmark"] > 0.5
    assert said["pyperf"] > 0.5
    assert said["bench ab"] == 0.0
    assert said["asv"] < 0.1


@pytest.mark.parametrize("name", [name for name in RULES if name != "bench ab"])
def test_every_rule_sees_what_is_large(name: str) -> None:
    a, b = sides(0.5)
    assert RULES[name](Launches(a, b, [0.5] * 20))
    a, b = sides(0.0, between=0.0, within=1e-4)
    assert not RULES["median beyond 5%"](Launches(a, b, [0.0] * 20))


def test_mann_whitney_is_symmetric() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 30), rng.normal(0.5, 1, 40)
    assert mann_whitney(a, b) == pytest.approx(mann_whitney(b, a))
