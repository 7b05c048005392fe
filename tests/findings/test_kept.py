"""The evidence that is kept: each measurement counts once, and nothing is called what it is not."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from bench.findings import store
from bench.findings.catalog import select, suite
from bench.findings.evaluate import Result, distinct
from bench.findings.family import confidence, expected
from bench.findings.finding import OURS
from bench.findings.table import judged
from bench.findings.verdict import AGREES, OPPOSITE, STAYS, TRANSFERS

PATH = Path(__file__).parent.parent.parent / "results" / "xeon-vm-2core" / "findings.jsonl"


@pytest.fixture(scope="module")
def evidence() -> store.Evidence:
    return store.read(PATH)


@pytest.fixture(scope="module")
def results(evidence: store.Evidence) -> list[Result]:
    return judged(select(()), evidence)


def test_one_measurement_counts_once_per_published_device(results: list[Result]) -> None:
    once = distinct(results)
    assert len({r.comparison for r in results if r.found}) == len(once)
    measured = [r.measurement for r in once if r.backend]
    assert 430 < len(set(measured)) < len(measured) < sum(r.found is not None for r in results)
    devices = defaultdict(set)
    for r in once:
        devices[r.comparison].add(r.verdict)
    assert all(len(verdicts) == 1 for verdicts in devices.values())


def test_nothing_published_elsewhere_is_refuted_or_reproduced(results: list[Result]) -> None:
    timed = [r for r in results if r.backend and r.found and r.experiment and r.experiment.origin != OURS]
    assert len(timed) > 400
    assert not any(r.like for r in timed)
    assert {r.verdict.partition(",")[0] for r in timed} == {TRANSFERS, STAYS, "inconclusive"}
    assert any(r.grade == OPPOSITE and r.there and r.there.kind == "GPU" for r in timed)


def test_counts_keep_the_word_reproduced(results: list[Result]) -> None:
    counts = [r for r in results if not r.backend and r.found]
    assert all(r.like for r in counts)
    assert sum(r.verdict == "reproduced" for r in counts) > 20


def test_flat_scaling_is_not_reproduced_by_proportional_time(results: list[Result]) -> None:
    scales = [r for r in results if r.finding.id == "LC-scales" and r.found]
    assert scales
    assert not all(r.grade == AGREES for r in scales)


def test_other_networks_than_the_papers_are_marked(results: list[Result]) -> None:
    marked = {name for r in results if r.replica for name in r.replica.split(", ")}
    assert {"mobilenetv2:width=0.15", "igcv3:width=0.7"} <= marked
    assert not any("pplcnet" in name for name in marked)


def test_intervals_hold_the_same_cases_measured_again(evidence: store.Evidence) -> None:
    spread = evidence.spread()
    assert spread.sessions >= 10
    assert 0.005 < spread.between < 0.03
    assert 0.005 < spread.within < 0.03


def test_many_verdicts_expect_some_wrong_ones(results: list[Result], evidence: store.Evidence) -> None:
    once = [r for r in distinct(results) if r.backend]
    chances = expected(once)
    assert chances.verdicts == len(once)
    assert 0 < chances.contrary < chances.reworded < len(once) / 3
    heads = [r for r in judged(suite("core"), evidence) if r.headline]
    level = confidence(heads)
    assert 0.99 < level < 1
    wide = judged(suite("core"), evidence, level)
    width = {(r.finding.id, r.experiment.name, r.backend): r.found.hi - r.found.lo
             for r in results if r.found and r.experiment}  # fmt: skip
    for r in wide:
        if r.found and r.experiment and r.found.n:
            assert r.found.hi - r.found.lo > width[r.finding.id, r.experiment.name, r.backend]
