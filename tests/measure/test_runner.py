"""The order of events and what becomes of every case, on scripted latencies."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench import backends
from bench.measure.launch import Launch
from bench.measure.rounds import groups, shuffled
from bench.measure.rows import _cores
from bench.measure.runner import Observer, Runner
from bench.measure.state import CaseState, LaunchRecord
from bench.plan import zoo
from bench.plan.case import Case, Plan, cross
from bench.plan.protocol import Protocol
from bench.rows.schema import Row

QUICK = Protocol(launches=3, max_launches=4, rounds=2)


def run(tiny: Path, specs: list[str], protocol: Protocol = QUICK) -> tuple[list[Row], list[dict[str, Any]], list[str]]:
    plan = cross([zoo.resolve(str(tiny))], [backends.resolve(s) for s in specs], protocol=protocol)
    raw: list[dict[str, Any]] = []
    events: list[str] = []

    def step(case: Case, replicate: int, doing: str) -> None:
        events.append(f"{replicate} {doing} {plan.cases.index(case)}")

    rows = list(Runner(plan, observer=Observer(step=step, samples=raw.extend)).run())
    assert isinstance(plan, Plan)
    return sorted(rows, key=lambda r: r.backend), raw, events


def test_a_scripted_latency_comes_out_as_it_went_in(tiny: Path) -> None:
    (row,), raw, _ = run(tiny, ["fake:latency_ms=2"])
    assert row.status == "ok"
    assert row.latency_ms == pytest.approx(2.0)
    assert row.latency_lo_ms == pytest.approx(2.0)
    assert row.gmacs_per_s == pytest.approx(row.macs / 2e6)
    assert (row.launches, row.blocks) == (3, 6)
    assert row.samples == sum(len(b["latency_ns"]) for launch in raw for b in launch["blocks"]) == 6 * 25
    assert row.p90_ms == pytest.approx(2.0)
    assert row.p99_ms is None
    assert [launch["launch"] for launch in raw] == [0, 1, 2]


def test_cases_take_turns_in_an_order_that_changes(tiny: Path) -> None:
    specs = [f"fake:latency_ms={i + 1}" for i in range(4)]
    _, _, events = run(tiny, specs, Protocol(launches=3, max_launches=3, rounds=3))
    measuring = [e.split()[2] for e in events if "measuring" in e]
    turns = [measuring[i : i + 4] for i in range(0, len(measuring), 4)]
    assert len(turns) == 9
    assert all(sorted(turn) == ["0", "1", "2", "3"] for turn in turns)
    assert len({tuple(turn) for turn in turns}) > 3
    # Nothing is loaded or warmed while another case is being measured.
    kinds = [e.split()[1] for e in events if e.startswith("0")]
    assert "loading" not in kinds[kinds.index("measuring") :]
    assert run(tiny, specs, Protocol(launches=3, max_launches=3, rounds=3))[2] == events


def test_groups_that_wait_for_their_turn_let_the_others_go_on(tiny: Path) -> None:
    """Two groups over a minute: their launches interleave, and all is asleep only while nobody is due."""
    specs = [f"fake:latency_ms={i + 1}" for i in range(4)]
    protocol = Protocol(launches=8, max_launches=8, rounds=2, live=2, over_s=60.0)
    clock, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    plan = cross([zoo.resolve(str(tiny))], [backends.resolve(s) for s in specs], protocol=protocol)
    order: list[tuple[int, int]] = []

    def step(case: Case, replicate: int, doing: str) -> None:
        if doing == "loading":
            clock[0] += 1.0
            order.append((plan.cases.index(case) // 2, replicate))

    rows = list(Runner(plan, observer=Observer(step=step), now=lambda: clock[0], sleep=sleep).run())
    assert {row.status for row in rows} == {"ok"}
    assert len(rows) == 4
    assert list(dict.fromkeys(order)) == [(group, launch) for launch in range(8) for group in (0, 1)]
    assert 62.0 <= clock[0] <= 75.0  # a minute each, in one minute
    assert sum(slept) >= 30.0


@pytest.mark.parametrize(
    ("how", "status"),
    [("crash", "crashed"), ("kill", "crashed"), ("hang", "timeout"), ("memory", "oom"), ("raise", "unsupported")],
)
def test_a_case_that_dies_costs_itself_alone(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, how: str, status: str
) -> None:
    ask = Launch.ask

    def impatient(self: Launch, do: str, expected: type, **request: Any) -> Any:
        """Wait a second for a block of what hangs, and as long as it takes for a process to start."""
        if do == "block" and self.case.backend.options["fail"] == "hang":
            self._timeout_s = 1.0
        return ask(self, do, expected, **request)

    monkeypatch.setattr(Launch, "ask", impatient)
    protocol = Protocol(launches=3, max_launches=3, rounds=2)
    rows, raw, _ = run(tiny, ["fake:latency_ms=3", f"fake:fail={how},fail_at=130"], protocol)
    died, lived = rows
    assert (died.status, lived.status) == (status, "ok")
    assert died.error
    assert lived.launches == 3
    brought = Counter(launch["backend"] for launch in raw)
    assert brought[lived.backend] == 3
    assert brought[died.backend] == 1  # what it brought before it died is kept


def test_launches_go_on_until_the_interval_is_narrow_or_the_limit_is_met(tiny: Path) -> None:
    protocol = Protocol(launches=3, max_launches=7, rounds=1, budget_s=1e6)
    (calm, wild), _, _ = run(tiny, ["fake", "fake:launch_cv=1"], protocol)
    assert (calm.launches, calm.status) == (3, "ok")
    assert (wild.launches, wild.status) == (7, "noisy")
    assert "wider than 10%" in wild.error
    assert wild.latency_lo_ms < wild.latency_ms < wild.latency_hi_ms
    assert calm.latency_lo_ms == pytest.approx(calm.latency_hi_ms)


def test_the_budget_ends_the_launches(tiny: Path) -> None:
    protocol = Protocol(launches=5, max_launches=50, rounds=1, budget_s=0.0)
    (row,), _, _ = run(tiny, ["fake:launch_cv=1"], protocol)
    assert row.launches == 3


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        ("effective=bf16", "downgraded", "ran in bf16, not in fp32"),
        ("error=0.5", "mismatch", "relative L2 error"),
        # Right at first, wrong after some inferences: openvinotoolkit/openvino#28824.
        ("fail=drift,fail_at=30", "mismatch", "relative L2 error"),
        ("macs_share=1.5", "failed", "one of them is counted wrongly"),
        ("macs_share=0.5,error=0.5", "mismatch", "relative L2 error"),
        ("effective=unknown", "downgraded", "nothing tells whether it ran in fp32"),
        ("unmet=eager ran", "downgraded", "eager ran"),
        ("placed=0.5", "downgraded", "only 50.0% of the operators"),
        ("error=0.5,effective=bf16", "mismatch", "0.3 is allowed"),
    ],
)
def test_a_number_that_cannot_be_stood_behind_is_not_ok(tiny: Path, options: str, status: str, says: str) -> None:
    (row,), _, _ = run(tiny, [f"fake:{options}"])
    assert row.status == status
    assert says in row.error


def test_work_that_a_runtime_leaves_out_is_told_where_the_output_is_right(tiny: Path) -> None:
    whole, half = run(tiny, ["fake", "fake:macs_share=0.5"])[0]
    assert (whole.status, half.status) == ("ok", "ok")
    assert (whole.macs_executed, half.macs_executed) == (whole.macs, whole.macs // 2)
    assert not whole.remark
    assert f"{whole.macs // 2} of the source's {whole.macs} MACs" in half.remark


def test_the_cores_of_a_row_are_those_of_the_launches_that_count(tiny: Path) -> None:
    (row,), raw, _ = run(tiny, ["fake"])
    assert row.cores == ", ".join(dict.fromkeys(" ".join(map(str, launch["cores"])) for launch in raw))
    states = [
        LaunchRecord({"cores": cores}, blocks=[{"latency_ns": ns}]) for cores, ns in (([0], [5, 6]), ([1], [7, 8]))
    ]
    case = CaseState(None, launches=[*states, states[0]])  # type: ignore[arg-type]
    assert _cores(case, [1]) == "1"
    assert _cores(case, [0, 2]) == "0"
    assert _cores(case, [0, 1]) == "0, 1"


def test_one_launch_is_no_evidence(tiny: Path) -> None:
    (row,), _, _ = run(tiny, ["fake"], Protocol(launches=1, max_launches=1, rounds=1))
    assert row.status == "noisy"
    assert row.latency_lo_ms is None


def test_more_threads_than_cores_is_said(tiny: Path) -> None:
    plan = cross([zoo.resolve(str(tiny))], [backends.resolve("fake")], threads=(4096,))
    (row,) = Runner(plan).run()
    assert row.status == "unsupported"
    assert "4096 threads on" in row.error


def test_groups_are_even_and_complete() -> None:
    assert [list(g) for g in groups(5, 8)] == [[0, 1, 2, 3, 4]]
    assert [len(g) for g in groups(9, 8)] == [4, 5]
    assert [i for g in groups(100, 8) for i in g] == list(range(100))
    assert groups(0, 8) == []


def test_the_order_is_random_recorded_and_fair() -> None:
    first = Counter(shuffled(range(4), seed, 0, 0)[0] for seed in range(400))
    assert all(60 < first[i] < 140 for i in range(4))
    assert shuffled(range(9), 3, 1, 2) == shuffled(range(9), 3, 1, 2)
    assert shuffled(range(9), 3, 1, 2) != shuffled(range(9), 3, 1, 3)
