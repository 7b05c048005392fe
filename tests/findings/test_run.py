"""Replicates, evidence on disk, resuming, and the command, on the scripted backend."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import backends
from bench.base.errors import OutputError
from bench.findings import run as running
from bench.findings import store
from bench.findings.catalog import threaded
from bench.findings.evaluate import evaluate
from bench.findings.finding import Experiment, Finding, counted
from bench.findings.run import Campaign, grouped, wants_more
from bench.findings.side import Side
from bench.findings.table import judged
from bench.findings.verdict import AGREES, NOT_TESTABLE, OPPOSITE, WEAKER
from bench.measure.replicates import Member, log_ratio
from bench.plan.case import BackendRef, Case
from bench.plan.protocol import ReplicateProtocol

PROTOCOL = ReplicateProtocol(replicates=4, most=6, turns=2)
TWICE = Experiment("twice", Side("mobilenetv1:width=0.25"), Side("mobilenetv1:width=0.5"), 2.0)
FINDING = Finding("F", "b takes twice as long", "nowhere, Table 0", "nowhere", (TWICE,))
FAKE = backends.resolve("fake")


def side(ms: float, hit: bool = False) -> dict[str, Any]:
    return {"blocks": [[[ms * 1e6, hit], [ms * 1e6, False]], [[ms * 1e6, False], [ms * 1e6, False]]]}


def played(monkeypatch: pytest.MonkeyPatch, factor: float, failing: str = "") -> list[list[str]]:
    """Let replicates be played: b takes `factor` times a's latency, give or take a little per replicate."""
    seen: list[list[str]] = []

    def measure(
        cases: list[Case], artifacts: object, protocol: object, number: int, check: bool, *place: object
    ) -> list[Member]:
        seen.append([str(case) for case in cases])
        wobble = 1 + 0.001 * (number % 3)
        return [
            Member(
                {"error": "scripted", "status": "crashed"}
                if failing and failing in str(case)
                else side(factor * wobble if "0.5" in str(case) else 1.0),
                {},
            )
            for case in cases
        ]

    monkeypatch.setattr(running, "measure", measure)
    made = [SimpleNamespace(macs=n, params=n, precision="fp32") for n in (1, 2)]
    monkeypatch.setattr(running, "export_all", lambda networks, *_: {str(n): made["0.5" in str(n)] for n in networks})
    monkeypatch.setattr(
        running,
        "count",
        lambda network, seed: {
            "kind": "count",
            "model": str(network),
            "macs": 2 if "0.5" in str(network) else 1,
            "pointwise share of params": 0.5,
        },
    )
    return seen


def campaign(path: Path, findings: list[Finding], resume: bool = False, **more: Any) -> Campaign:
    evidence = store.open_file(path, resume, 0)
    return Campaign(findings, [FAKE], path, evidence, PROTOCOL, **more)


@pytest.mark.parametrize(("factor", "grade"), [(2.0, AGREES), (0.5, OPPOSITE), (1.5, WEAKER)])
def test_samples_make_the_grade(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, factor: float, grade: str) -> None:
    played(monkeypatch, factor)
    job = campaign(tmp_path / "f.jsonl", [FINDING])
    assert job.run()
    (result,) = evaluate([FINDING], [FAKE], job.evidence)
    assert result.grade == grade
    assert result.verdict.startswith("does not" if grade == OPPOSITE else "transfers")
    assert result.found is not None
    assert math.isclose(result.found.ratios[0], factor, rel_tol=0.01)
    assert result.record()["effect_lo"] <= result.record()["effect"] <= result.record()["effect_hi"]


def test_per_mac_divides_by_the_counted_macs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    played(monkeypatch, 2.0)
    finding = replace(FINDING, experiments=(replace(TWICE, per_mac=True, published=1.5),))
    job = campaign(tmp_path / "f.jsonl", [finding])
    job.run()
    (result,) = evaluate([finding], [FAKE], job.evidence)
    assert result.found is not None
    assert math.isclose(result.found.ratios[0], 1.0, rel_tol=0.01)


def test_a_broken_run_goes_on_and_measures_nothing_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = played(monkeypatch, 2.0)
    path = tmp_path / "f.jsonl"
    ticks = iter(range(1000))
    monkeypatch.setattr(running.time, "monotonic", lambda: next(ticks))
    assert not campaign(path, [FINDING], budget_s=2.5).run()
    first = len(seen)
    assert 0 < first < PROTOCOL.replicates
    path.write_text(path.read_text() + '{"kind":"wave","si')  # killed in the middle of a line
    with pytest.raises(OutputError, match="already"):
        store.open_file(path, False, 0)
    assert campaign(path, [FINDING], resume=True).run()
    assert len(seen) == PROTOCOL.replicates
    assert len(store.read(path).replicates) == PROTOCOL.replicates
    campaign(path, [FINDING], resume=True).run()
    assert len(seen) == PROTOCOL.replicates


def test_another_machine_or_seed_does_not_go_on(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    store.open_file(path, False, 0)
    with pytest.raises(OutputError, match="seed"):
        store.open_file(path, True, 1)
    told = json.loads(path.read_text())
    older = {key: value for key, value in told.items() if key != "machine"}  # it told the CPU alone
    path.write_text(json.dumps(older) + "\n")
    store.open_file(path, True, 0)
    for wrong in (told | {"machine": "another"}, older | {"environment": told["environment"] | {"cpu": "another"}}):
        path.write_text(json.dumps(wrong) + "\n")
        with pytest.raises(OutputError, match="machine"):
            store.open_file(path, True, 0)
    path.write_text("results\n")
    with pytest.raises(OutputError, match="evidence"):
        store.read(path)


def test_what_fails_costs_its_own_experiments_and_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = replace(TWICE, name="other", b=Side("mobilenetv1:width=0.5", batch=2))
    wrong = replace(TWICE, name="wrong", b=Side("mobilenetv1:width=0.75"))
    finding = replace(FINDING, experiments=(TWICE, wrong, other))
    played(monkeypatch, 2.0, failing="0.75")
    job = campaign(tmp_path / "f.jsonl", [finding])
    assert job.run()
    good, bad, fine = evaluate([finding], [FAKE], job.evidence)
    assert good.grade == fine.grade == AGREES
    assert bad.verdict == NOT_TESTABLE
    assert "crashed: scripted" in bad.reason
    # A failed network is not run again.
    assert sum(len(replicate["sides"]) == 4 for replicate in job.evidence.replicates) == 1


def test_turns_beside_a_neighbour_are_left_out_together() -> None:
    a, b = side(1.0), side(2.0)
    b["blocks"][0] = [[4e6, True], [4e6, True]]
    assert math.isclose(log_ratio(a, b) or 0, math.log(2))
    b["blocks"][1] = [[2e6, True], [2e6, True]]
    assert math.isclose(log_ratio(a, b) or 0, (math.log(2) + math.log(4)) / 2)
    assert log_ratio(a, {"error": "x", "status": "oom"}) is None


def test_latencies_beside_an_effect_are_of_its_own_replicates() -> None:
    evidence = store.Evidence()
    for sides in ({"a": side(1.0), "b": side(2.0)}, {"a": side(9.0)}, {"b": {"error": "x", "status": "oom"}}):
        evidence.add({"kind": "wave", "backend": "fake", "sides": sides})
    assert evidence.latencies_ms("a", "b") == (pytest.approx(1.0), pytest.approx(2.0))
    assert evidence.latencies_ms("a", "c") == (None, None)


def test_sessions_are_told_apart_by_time_or_by_what_lies_between() -> None:
    def waves(times: list[float | None], others: int) -> store.Evidence:
        evidence = store.Evidence()
        for at in times:
            evidence.add({"kind": "wave", "backend": "fake", "sides": {"a": side(1.0), "b": side(2.0)}}
                         | ({} if at is None else {"at": at}))  # fmt: skip
            for _ in range(others):
                evidence.add({"kind": "wave", "backend": "fake", "sides": {"c": side(1.0)}})
        return evidence

    assert [len(s) for s in waves([0.0, 60.0, 4000.0], 0).sessions("a", "b")] == [2, 1]
    assert [len(s) for s in waves([None, None], 5).sessions("a", "b")] == [2]
    assert [len(s) for s in waves([None, None], 20).sessions("a", "b")] == [1, 1]


def test_experiments_that_share_a_side_share_its_replicates() -> None:
    widths = [0.3, 0.4, 0.5, 0.6]
    es = [replace(TWICE, name=str(w), b=Side(f"mobilenetv1:width={w}")) for w in widths]
    apart = replace(TWICE, a=Side("mobilenetv2"), b=Side("mobilenetv2", threads=2))
    assert [len(g) for g in grouped(es, FAKE, 8)] == [5]
    assert all(len(g) <= 3 for g in grouped(es, FAKE, 3))
    two = [replace(e, a=replace(e.a, threads=2), b=replace(e.b or e.a, threads=2)) for e in es]
    for group in grouped([*es, *two], FAKE, 8):
        assert len({case.settings.threads for case in group}) == 1
    assert len(grouped([apart], FAKE, 1)[0]) == 2


def test_it_stops_by_precision() -> None:
    assert wants_more([0.1, 0.1, 0.1], PROTOCOL)
    assert not wants_more([0.1, 0.1001, 0.1, 0.1], PROTOCOL)
    assert wants_more([0.1, 0.3, 0.0, 0.2], PROTOCOL)
    assert not wants_more([0.1, 0.3, 0.0, 0.2, 0.5, 0.1], PROTOCOL)


def test_a_budget_that_is_over_begins_no_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "empty"))
    told: list[str] = []
    job = campaign(tmp_path / "f.jsonl", [FINDING], budget_s=0.0, told=told.append)
    assert not job.run()
    assert told == []
    assert not list(tmp_path.glob("empty/artifacts/*/artifact.json"))


def test_counts_need_no_measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = played(monkeypatch, 9.0)
    finding = replace(FINDING, experiments=(counted(TWICE.a, TWICE.b or TWICE.a, "macs", 2.0),))
    job = campaign(tmp_path / "f.jsonl", [finding])
    assert job.run()
    (result,) = evaluate([finding], [FAKE], job.evidence)
    assert result.verdict == "reproduced"
    assert result.record()["backend"] is None
    assert not seen


def test_a_finding_without_experiments_tells_its_reason() -> None:
    silent = Finding("S", "c", "s", "p", reason="nothing to run")
    (result,) = evaluate([silent], [FAKE], store.Evidence())
    assert (result.verdict, result.reason) == (NOT_TESTABLE, "nothing to run")


def test_the_same_case_has_the_same_name_on_every_backend_of_one_spec() -> None:
    ref: BackendRef = backends.resolve("fake:latency_ms=1")
    assert TWICE.a.case(ref).id == TWICE.a.case(FAKE).id


def test_the_csv_beside_the_evidence_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.findings.table import write_csv

    played(monkeypatch, 2.0)
    job = campaign(tmp_path / "f.jsonl", [FINDING])
    job.run()
    write_csv(tmp_path / "f.csv", evaluate([FINDING], [FAKE], job.evidence))
    (row,) = csv.DictReader((tmp_path / "f.csv").read_text().splitlines())
    assert row["verdict"] == "transfers"
    assert row["published_conditions"] == "not told"
    assert row["a_m_macs"] == "0.0"
    assert float(row["published"]) == 2.0


def test_shares_come_from_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.findings.finding import SHARE, share
    from bench.findings.table import judged

    played(monkeypatch, 2.0)
    parts = iter((0.5, 0.52, 0.48))
    monkeypatch.setattr(
        running,
        "profiled_share",
        lambda case, *_: ({"kind": "share", "case": case.id, "backend": "fake", "share": next(parts)}, []),
    )
    finding = replace(FINDING, experiments=(share(TWICE.a, SHARE, 0.5, "a GPU"),))
    path = tmp_path / "f.jsonl"
    assert campaign(path, [finding]).run()
    (result,) = judged([finding], store.read(path))
    assert result.backend == "fake"
    assert result.grade == AGREES
    assert result.found is not None
    assert math.isclose(result.found.ratios[0], 0.5, rel_tol=0.01)


def test_what_was_measured_on_two_threads_is_judged_beside_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, 2.0)
    xeon = replace(FINDING, experiments=(replace(TWICE, device="Xeon Gold 6148"),))
    run = campaign(tmp_path / "f.jsonl", [xeon])
    assert run.run()
    run.findings = threaded([xeon], 2)
    assert run.run()
    told = judged([xeon], run.evidence)
    assert [r.experiment.name for r in told if r.experiment] == ["twice", "twice, 2 threads"]
    assert [r.here.threads for r in told if r.here] == ["1", "2"]


def test_networks_of_a_pair_are_profiled_where_a_runtime_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, 2.0)
    seen: list[str] = []

    def share(case: Case, *place: object) -> tuple[dict[str, object], list[object]]:
        seen.append(str(case.network))
        return {"kind": "share", "case": case.id, "backend": "fake", "share": 1.0, "classes": {}, "padded": {}}, []

    monkeypatch.setattr(running, "profiled_share", share)
    pair = replace(FINDING, experiments=(replace(TWICE, split=True),))
    assert campaign(tmp_path / "f.jsonl", [pair]).run()
    assert len(seen) == 2 * running.SPLIT_LAUNCHES
    assert len(set(seen)) == 2
    again = campaign(tmp_path / "f.jsonl", [pair], resume=True)
    assert again.run()
    assert len(seen) == 2 * running.SPLIT_LAUNCHES
