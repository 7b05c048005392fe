"""Mode throughput from the worker's blocks to a row: the rules of latency, on the time per sample."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import onnx
import pytest

from bench import backends
from bench.base.errors import UsageError
from bench.machine import baseline, runs
from bench.machine.environment import usable_cores
from bench.measure.evidence import weigh
from bench.measure.profiles import measure as profile
from bench.measure.ratios import Ratio, ratios
from bench.measure.readback import fault_of, remarks_of
from bench.measure.runner import Observer, Runner
from bench.measure.state import CaseState, LaunchRecord
from bench.plan import zoo
from bench.plan.case import Case, Network, Plan, Settings, cross
from bench.plan.limit import Limit
from bench.plan.protocol import ProfileProtocol, Protocol
from bench.report.text.run import interval
from bench.rows.schema import Row
from tests.conftest import tiny_model
from tests.measure.test_evidence import block

QUICK = Protocol(launches=3, max_launches=3, rounds=3)
LATENCIES = (
    *("latency_ms", "latency_lo_ms", "latency_hi_ms", "within_lo_ms", "within_hi_ms", "p50_ms", "p90_ms", "p99_ms"),
    *("min_ms", "host_ms", "gmacs_per_s", "attainable_share", "floor_ms", "limit_verdict"),
)


def measure(model: Path, spec: str, **settings: Any) -> list[Row]:
    plan = cross([zoo.resolve(str(model))], [backends.resolve(spec)], mode="throughput", protocol=QUICK, **settings)
    return list(Runner(plan).run())


def at_once(sample_ns: float, share: float = 2.0, **more: Any) -> Any:
    """A block of two streams with this time per sample."""
    return block(round(2 * sample_ns), **more) | {"sample_ns": sample_ns, "cpu_share": share}


def test_a_wide_interval_is_told_as_the_table_shows_it(tiny: Path) -> None:
    """The interval of a rate is not symmetric in the time per sample: half of it is another share of either."""
    if len(usable_cores()) < 2:
        pytest.skip("one core")
    (row,) = measure(tiny, "fake:latency_ms=2,launch_cv=0.2", streams=(2,))
    assert row.status == "noisy"
    assert f"the 95% interval is {interval(row)}, wider than" in (row.error or "")


@pytest.mark.parametrize(("contention", "rate"), [(0.0, 1000.0), (0.6, 625.0)])
def test_samples_per_second_with_an_interval_and_no_latency(tiny: Path, contention: float, rate: float) -> None:
    if len(usable_cores()) < 2:
        pytest.skip("one core")
    (row,) = measure(tiny, f"fake:latency_ms=2,contention={contention},launch_cv=0.002", streams=(2,))
    assert row.status == "ok", row.error
    assert row.throughput == pytest.approx(rate, rel=0.05)
    assert row.throughput_lo < row.throughput < row.throughput_hi
    assert row.throughput_lo <= row.throughput_within_lo < row.throughput < row.throughput_within_hi
    assert row.p50_under_load_ms == pytest.approx(2000 / rate, rel=0.05)
    assert (row.mode, row.streams, row.streams_effective) == ("throughput", 2, 2)
    assert {name: getattr(row, name) for name in LATENCIES} == dict.fromkeys(LATENCIES)


def test_as_many_streams_as_fill_the_cores(tiny: Path) -> None:
    (row,) = measure(tiny, "fake:latency_ms=2")
    assert (row.streams, row.streams_effective) == (None, len(usable_cores()))
    assert row.throughput == pytest.approx(500 * len(usable_cores()))
    assert len((row.cores or "").split()) == len(usable_cores())


def test_every_image_of_a_batch_is_a_sample(tmp_path: Path) -> None:
    onnx.save(tiny_model(batch="n"), tmp_path / "free.onnx")
    for batch in (1, 4):
        shapes = (("x", (batch, 3, 16, 16)),)
        (row,) = measure(tmp_path / "free.onnx", "fake:latency_ms=2", streams=(1,), shapes=shapes)
        assert (row.batch, row.throughput) == (batch, pytest.approx(500 * batch))
        assert row.p50_under_load_ms == pytest.approx(2.0)


def test_more_streams_than_cores_are_refused_before_anything_is_exported(tiny: Path) -> None:
    (row,) = measure(tiny, "fake", streams=(4096,))
    assert (row.status, row.throughput) == ("unsupported", None)
    assert "4096 threads on" in (row.error or "")


def test_a_wrong_output_has_no_throughput_to_believe(tiny: Path) -> None:
    (row,) = measure(tiny, "fake:error=1")
    assert row.status == "mismatch"


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_real_runtime_gives_a_row(tiny: Path, backend: str) -> None:
    if not backends.installed(backends.get(backend)):
        pytest.skip(f"{backend} is not installed")
    (row,) = measure(tiny, backend)
    assert row.status in ("ok", "noisy", "downgraded"), row.error  # downgraded: a neighbour kept one core for itself
    assert row.throughput > 0
    assert row.p50_under_load_ms > 0
    assert row.parity_rel_l2 < 1e-4
    assert row.streams_effective == len(usable_cores())


def test_a_launch_is_the_mean_of_its_blocks() -> None:
    found = weigh([[at_once(100), at_once(200)], [at_once(300), at_once(300)]], None, threads=2)
    assert found.launches == [[150.0], [300.0]]
    assert found.under_load == (200,) * 5 + (400,) * 5 + (600,) * 10


def test_streams_that_fill_their_cores_are_not_called_disturbed() -> None:
    """Many switches, and a share of two cores: what is normal is two, whatever happens at the ends of a block."""
    for share in (1.99, 1.8):  # a runtime's thread that hands its result to ours leaves its core idle for a moment
        quiet = [[at_once(100, share, involuntary_switches=500, cpu_ns=1.2e7)] * 4] * 5
        assert weigh(quiet, None, threads=2).aside == {}
    robbed = [[at_once(100, 1.99)] * 3 + [at_once(100, 1.5)]] * 5
    assert weigh(robbed, None, threads=2).aside == {"shared": 5}
    always = [[at_once(100, 1.5, involuntary_switches=500)] * 4] * 5
    assert not weigh(always, None, threads=2).sound


def test_a_throughput_and_a_latency_have_no_ratio(tiny: Path) -> None:
    network, fake, row = Network(zoo.resolve(str(tiny))), backends.resolve("fake"), Row(status="ok")
    alone = [LaunchRecord({}, blocks=[block(10**9) | {"round": r} for r in range(4)]) for _ in range(4)]
    both = [LaunchRecord({"streams": 2}, blocks=[at_once(1e9) | {"round": r} for r in range(4)]) for _ in range(4)]
    half = [LaunchRecord({"streams": 2}, blocks=[at_once(2e9) | {"round": r} for r in range(4)]) for _ in range(4)]
    latency = CaseState(Case(network, fake), launches=alone)
    rate = CaseState(Case(network, fake, Settings(mode="throughput")), launches=both)
    slow = CaseState(Case(network, fake, Settings(mode="throughput", streams=2)), launches=half)
    assert ratios([(latency, row), (rate, row)]) == []
    (one,) = ratios([(rate, row), (slow, row)])
    assert one.found.log == pytest.approx(math.log(2))


def test_cases_of_both_modes_take_turns_and_are_not_compared(tiny: Path) -> None:
    heard: list[Ratio] = []
    network, fake = Network(zoo.resolve(str(tiny))), backends.resolve("fake")
    cases = (Case(network, fake), Case(network, fake, Settings(mode="throughput")))
    rows = list(Runner(Plan(cases, QUICK), observer=Observer(compared=heard.extend)).run())
    assert {(row.mode, row.latency_ms is None, row.throughput is None) for row in rows} == {
        ("latency", False, True),
        ("throughput", True, False),
    }
    assert heard == []


def test_what_is_remembered_of_throughput_says_nothing_of_latency(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, str]] = []
    monkeypatch.setattr(baseline, "recall", lambda machine, backend, workload: heard.append(("", backend)))
    monkeypatch.setattr(runs, "spreads", lambda machine, kind="": heard.append(("spreads", kind)) or [])
    network, fake = Network(zoo.resolve(str(tiny))), backends.resolve("fake")
    list(Runner(Plan((Case(network, fake), Case(network, fake, Settings(mode="throughput"))), QUICK)).run())
    assert set(heard) == {("", "fake"), ("", "fake@mode=throughput"), ("spreads", ""), ("spreads", "throughput")}


def test_runs_of_both_modes_lie_apart_and_are_forgotten_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.machine.environment import local

    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path))
    past = runs.Past("r", ((1.0, 1.0, 1.0),), 0.0)
    runs.remember(local(), "case", past, (0.5, 1.0), "throughput")
    assert runs.recall(local(), "case") == []
    assert runs.spreads(local()) == []
    assert runs.recall(local(), "case", "throughput") == [past]
    assert runs.repeat_sd(local()) is None
    assert baseline.forget(local())
    assert runs.recall(local(), "case", "throughput") == []


def test_streams_that_did_not_all_run_are_told(tiny: Path) -> None:
    (row,) = measure(tiny, "fake", streams=(1,))
    case = Case(Network(zoo.resolve(str(tiny))), backends.resolve("fake"), Settings(mode="throughput", streams=2))
    from bench.export import ensure

    inspected: Any = {
        "effective": {
            "version": "1", "device": "cpu", "precision": "fp32", "threads": 1, "streams": 2, "unmet": (),
            "placement": {"device": "cpu", "operators": 1.0},
        },
        "macs_executed": None, "macs_needed": None, "busy_threads": 1, "largest_macs": 0, "opaque": [],
    }  # fmt: skip
    artifact = ensure(case.network)
    assert fault_of(case, artifact, 0.0, inspected) == (
        "downgraded",
        "1 of 2 threads computed: something keeps the others from it",
    )
    assert fault_of(case, artifact, 0.0, inspected | {"busy_threads": 2}) is None
    assert "1 of 2 threads computed" in remarks_of(case, artifact, inspected)
    assert row.streams_effective == 1


def test_a_limit_of_latency_is_refused(tiny: Path) -> None:
    with pytest.raises(UsageError, match="is of a latency, and mode=throughput has none"):
        cross(
            [zoo.resolve(str(tiny))],
            [backends.resolve("fake")],
            mode="throughput",
            protocol=Protocol(limits=(Limit("p99", 5.0),)),
        )


def test_a_profile_is_refused(tiny: Path) -> None:
    case = Case(Network(zoo.resolve(str(tiny))), backends.resolve("fake"), Settings(mode="throughput"))
    with pytest.raises(UsageError, match="a profile is of one inference at a time"):
        profile([case], ProfileProtocol())
