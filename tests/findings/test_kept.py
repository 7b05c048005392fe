"""The evidence that is kept: each measurement counts once, and nothing is called what it is not."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from pathlib import Path

import pytest

from bench.findings import store
from bench.findings.catalog import select, suite
from bench.findings.evaluate import Result, distinct
from bench.findings.family import confidence, expected
from bench.findings.finding import OURS
from bench.findings.machines import SAME, TURNED, agreements, labelled
from bench.findings.table import judged
from bench.findings.verdict import AGREES, OPPOSITE, STAYS, TRANSFERS
from bench.findings.why import AS_IT_COMES, held_results, points, split, without_kernel

RESULTS = Path(__file__).parent.parent.parent / "results"
PATH = RESULTS / "xeon-vm-2core" / "findings.jsonl"
EPYC = RESULTS / "epyc-vm-2core" / "findings.jsonl.gz"


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
    assert "mobilenetv1 batch=8" not in marked  # the MACs of eight images are no other network


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


def test_two_machines_are_kept_and_mostly_go_one_way(results: list[Result]) -> None:
    epyc = judged(select(()), store.read(EPYC))
    both = [*labelled(results, "Xeon"), *labelled(epyc, "EPYC")]
    found = list(agreements(distinct(both)).values())
    assert len(found) > 100
    assert found.count(SAME) > len(found) / 3
    assert found.count(TURNED) < len(found) / 20
    once = [r for r in distinct(both) if r.backend]
    assert len(once) == sum(len([r for r in distinct(mine) if r.backend]) for mine in (results, epyc))
    counts = [r for r in distinct(both) if not r.backend]
    assert len(counts) == len([r for r in distinct(results) if not r.backend])


def test_g1_is_padding_on_both_machines(results: list[Result]) -> None:
    epyc = judged(select(["G1"]), store.read(EPYC))
    for mine in (results, epyc):
        effect = {r.experiment.name: r.found for r in mine
                  if r.finding.id == "G1" and r.backend == "onnxruntime" and r.experiment and r.found}  # fmt: skip
        whole, aligned = (effect[f"1:12, x1, GTX 1080Ti{end}"] for end in ("", ", aligned"))
        assert whole.lo > aligned.hi


def test_the_readme_says_what_the_evidence_says(results: list[Result]) -> None:
    """The three numbers of either machine, and the range of Table 8, as they stand in the README."""
    readme = (RESULTS.parent / "README.md").read_text("utf-8")
    epyc = judged(select(()), store.read(EPYC))

    def effect(mine: list[Result], id: str, name: str) -> float:
        (found,) = (r for r in mine if r.finding.id == id and r.backend == "onnxruntime" and r.found and r.experiment
                    and r.experiment.name == name)  # fmt: skip
        assert found.found is not None
        return math.exp(found.found.log)

    def times(mine: list[Result], a: str, b: str) -> float:
        found = next(r for r in mine if r.finding.id == "PAIRS" and r.backend == "onnxruntime" and r.experiment
                     and r.experiment.name.startswith(f"{b} against {a},"))  # fmt: skip
        assert found.found is not None
        assert None not in found.macs
        return math.exp(found.found.log) * float(found.macs[1] or 0) / float(found.macs[0] or 1)

    head = "1:12, x1, GTX 1080Ti"
    xeon, other = (
        [times(mine, "mobilenetv1", "nasnet"), times(mine, "pplcnet", "ghostnetv1"), effect(mine, "G1", head),
         effect(mine, "G1", f"{head}, aligned")]
        for mine in (results, epyc)
    )  # fmt: skip
    text = [f"**{a:.1f} and {b:.1f}**" for a, b in zip(xeon[:2], other[:2], strict=True)]
    text += [f"**{xeon[2]:.1f}, not 2**", f"it is {xeon[3]:.1f} and {other[3]:.2f}"]
    assert f"{xeon[2]:.1f}" == f"{other[2]:.1f}"
    assert text == ["**2.9 and 2.3**", "**2.0 and 1.5**", "**1.3, not 2**", "it is 1.1 and 1.02"]
    assert all(part in readme for part in text)
    rival = [math.exp(r.found.log) for mine in (results, epyc) for r in mine
             if r.finding.id.startswith("T8-") and r.backend in ("onnxruntime", "openvino") and r.found and r.experiment
             and r.experiment.device == "Snapdragon 810" and r.experiment.name.startswith("mobilenetv1")]  # fmt: skip
    gallery = (RESULTS.parent / "docs" / "gallery.md").read_text("utf-8").replace("\n", " ")
    assert f"{min(rival):.2f} to {max(rival):.2f} of" in gallery


def test_what_explains_stands_in_the_readme_as_it_was_measured() -> None:
    readme = (RESULTS.parent / "README.md").read_text("utf-8").replace("\n", " ")
    evidence = store.read(RESULTS / "epyc-vm-2core" / "why.jsonl.gz")
    depthwise = {p.channels: p.time for p in points(evidence) if (p.kind, p.backend) == ("depthwise", "onnxruntime")}
    assert f"34 channels takes {depthwise[34] / depthwise[32]:.1f} times as long per MAC as one of 32" in readme
    assert min(t for c, t in depthwise.items() if c % 4) > 2 * max(t for c, t in depthwise.items() if c % 4 == 0)
    by: dict[str, dict[str, Result]] = defaultdict(dict)
    for r in held_results(evidence):
        if r.finding.id.startswith("T8") and r.experiment and r.backend.startswith("openvino"):
            by[r.experiment.name][split(r.backend)[1]] = r
    fair = [mine for mine in by.values() if len(mine) == 3 and not any(without_kernel(r, mine) for r in mine.values())]
    assert len(fair) >= 4
    for isa in ("AVX2", "SSE4.1"):
        moved = []
        for mine in fair:
            native, here, e = mine[AS_IT_COMES].found, mine[isa].found, mine[isa].experiment
            assert native is not None
            assert here is not None
            assert e is not None
            assert e.log_published is not None
            moved.append((here.log - native.log) / (e.log_published - native.log))
        assert 0.05 < statistics.median(moved) < 0.22, isa
