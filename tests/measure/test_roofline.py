"""What follows from a roofline, how it is kept, and what a row says under it: on scripted roofs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import backends
from bench.backends.base import Capabilities
from bench.backends.ran import macs_of
from bench.base.errors import Unsupported
from bench.graph.floor import Group, groups_of
from bench.machine import roofs as store
from bench.machine.environment import local
from bench.machine.identity import machine_of
from bench.machine.roof import Compute, Roofline, Stream
from bench.measure import probe_artifact, rows
from bench.measure import probe_graphs as graphs
from bench.measure import roofline as measure
from bench.measure.runner import Runner
from bench.plan import zoo
from bench.plan.case import Settings, cross
from bench.plan.protocol import Protocol, RooflineProtocol
from bench.plan.spec import any_precision
from bench.report.text.run import roofline_hint
from bench.rows.schema import Row
from tests.conftest import TINY_MACS

KIB = 1024


def roof(gmacs_per_s: float = 50.0, backend: str = "fake", version: str = "0", threads: int = 1) -> Roofline:
    rates = {16 * KIB: 100.0, 64 * KIB: 100.0, 256 * KIB: 96.0, 1024 * KIB: 40.0, 4096 * KIB: 20.0, 8192 * KIB: 20.0}
    return Roofline(
        backend=backend,
        version=version,
        precision="fp32",
        threads=threads,
        cores=(0,),
        measured_at="2026-01-01T00:00:00+00:00",
        compute=(Compute("slower", 1000, 1000 / gmacs_per_s * 2), Compute("best", 1000, 1000 / gmacs_per_s)),
        streams=tuple(Stream(size, 3 * size / rate) for size, rate in rates.items()),
        scripted=True,
    )


def test_the_peak_is_the_best_probe_and_flat_sizes_are_plateaus() -> None:
    found = roof()
    assert found.best.probe == "best"
    assert found.peak_gmacs_per_s == pytest.approx(50)
    cache, memory = found.plateaus()
    assert (cache.from_bytes, cache.to_bytes, cache.gb_per_s) == (48 * KIB, 768 * KIB, pytest.approx(100))
    assert (memory.from_bytes, memory.gb_per_s) == (12288 * KIB, pytest.approx(20))
    assert Roofline.read(found.record()) == found


@given(st.floats(1, 1e9), st.floats(1, 1e9))
def test_a_smaller_working_set_is_never_slower(a: float, b: float) -> None:
    found = roof()
    small, large = sorted((a, b))
    assert found.bandwidth_gb_per_s(small) >= found.bandwidth_gb_per_s(large) * (1 - 1e-9)
    assert found.floor_ns(0, small) <= found.floor_ns(0, large) * (1 + 1e-9)


def test_the_floor_is_the_slower_of_computing_and_moving() -> None:
    found = roof()
    assert found.floor_ns(5000, 0) == pytest.approx(100)
    assert found.floor_ns(5000, 48 * KIB) == pytest.approx(48 * KIB / 100)
    assert found.floor_ns(0, 0) == 0


def test_elementwise_work_and_views_move_nothing_of_their_own(tiny: Path) -> None:
    groups = groups_of(tiny)
    assert [g.name for g in groups] == ["first", "depthwise", "pointwise", "pool", "classifier"]
    assert sum(g.macs for g in groups) == TINY_MACS
    first = 4 * (3 * 16 * 16 + 16 * 3 * 9 + 16 * 8 * 8)  # input, weight, and what the Relu leaves
    assert groups[0] == Group("first", 16 * 64 * 27, first, "fp32")
    assert groups[-1].moved_bytes == 4 * (18 + 180 + 10)


def test_a_roofline_is_kept_by_backend_version_and_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path))
    here = local()
    assert store.recall(here, "fake", "0", 1) is None
    for one in (roof(), roof(60, version="1"), roof(90, threads=2)):
        store.remember(here, one)
    assert store.recall(here, "fake", "0", 1) == roof()
    assert store.recall(here, "fake", "0", 3) is None
    assert store.recall(here, "fake:error=0.1", "0", 1) is None
    assert store.recall(replace(here, cpu="another"), "fake", "0", 1) is None
    store.remember(here, roof(70))
    found = store.recall(here, "fake", "0", 1)
    assert found is not None
    assert found.peak_gmacs_per_s == pytest.approx(70)
    store.path(machine_of(here)).write_text("{broken")
    assert store.recall(here, "fake", "0", 1) is None


def test_each_precision_has_a_roof_whatever_spec_it_was_measured_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path))
    here = local()
    low = replace(roof(200, backend="openvino:precision=int8"), precision="int8")
    for one in (roof(50, "openvino"), roof(55, "openvino:precision=fp32"), low, roof(99, "openvino:device=x")):
        store.remember(here, one)
    found = store.of_precisions(here, "openvino:precision=int8,calibration=a.npz", "0", 1, any_precision)
    assert {precision: one.peak_gmacs_per_s for precision, one in found.items()} == {
        "fp32": pytest.approx(55), "int8": pytest.approx(200),
    }  # fmt: skip
    assert store.of_precisions(here, "openvino", "0", 2, any_precision) == {}


def test_the_floor_takes_the_roof_of_each_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [Group("a", 10**6, 4000, "int8"), Group("b", 10**6, 4000, "fp32"), Group("c", 0, 4 << 20, "")]
    monkeypatch.setattr(rows, "groups_of", lambda path: groups)
    plain, low, half = roof(50), replace(roof(200), precision="int8"), replace(roof(100), precision="bf16")
    moving = plain.floor_ns(0, 4 << 20)
    assert rows.floor_ns("x", low, {"fp32": plain}) == pytest.approx(5_000 + 20_000 + moving)
    assert rows.floor_ns("x", low, {}) == pytest.approx(5_000 + 5_000 + moving)
    assert rows.floor_ns("x", plain) == pytest.approx(40_000 + moving)
    assert rows.floor_ns("x", half) == pytest.approx(20_000 + half.floor_ns(0, 2 << 20))  # two bytes for each four


def test_probes_in_int8_run_in_int8(tmp_path: Path) -> None:
    probes = graphs.compute_probes(int8=True)
    assert next(iter(probes)) == "gemm 256x256x256, int8"
    for graph, macs in ((("gemm int8", 64), 64**3), (("conv int8", 1, 32, 8), 4 * 32 * 32 * 64)):
        path = tmp_path / f"{graph[0]}.onnx"
        onnx.save(graphs.make(graph), path)
        backend = backends.get("onnxruntime")
        options = backends.resolve("onnxruntime:precision=int8").options
        session = backends.session(backend, probe_artifact.examine(path), Settings(), options)
        session.infer()
        ran = macs_of(session.operators())
        (y,) = [np.array(one) for one in session.outputs()]
        session.close()
        assert ran == {"int8": macs}
        assert 0 < y.min() <= y.max() <= 1  # no result is cut off at the end of its range


def row_under(tiny: Path, found: Roofline | None, spec: str = "fake:latency_ms=2") -> Row:
    ref = backends.resolve(spec)
    if found is not None:
        store.remember(local(), replace(found, backend=ref.canonical))
    plan = cross([zoo.resolve(str(tiny))], [ref], protocol=Protocol(launches=2, max_launches=2, rounds=1))
    return next(iter(Runner(plan).run()))


def test_a_row_says_its_share_of_the_peak_and_its_floor(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "cache"))
    bare = row_under(tiny, None)
    assert (bare.status, bare.attainable_share, bare.floor_ms) == ("ok", None, None)
    row = row_under(tiny, roof(TINY_MACS / 2e6 / 0.5))
    assert row.status == "ok"
    assert row.attainable_share == pytest.approx(0.5, rel=1e-3)
    assert row.floor_ms == pytest.approx(1.0, rel=0.1)  # all MACs at the peak take 1 ms; the bytes add little
    assert row.floor_ms >= 1.0


def test_a_row_above_the_roof_is_an_error_in_the_measurement(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "cache"))
    row = row_under(tiny, roof(TINY_MACS / 2e6 / 1.03))
    assert row.status == "ok"  # within what a roof is known to
    row = row_under(tiny, roof(TINY_MACS / 2e6 / 1.2))
    assert row.status == "failed"
    assert row.error is not None
    assert "120% of the attainable peak" in row.error
    assert "bench roofline --again" in row.error
    mismatch = row_under(tiny, roof(TINY_MACS / 2e6 / 1.2), "fake:latency_ms=2,error=0.5")
    assert mismatch.status == "mismatch"  # the plainer reason wins


def test_a_run_says_how_to_fill_the_columns() -> None:
    bare = Row(status="ok", model="m", backend="onnxruntime", threads=2, latency_ms=1.0)
    assert "bench roofline --backend onnxruntime --threads 2" in roofline_hint([bare])
    assert roofline_hint([replace(bare, attainable_share=0.5)]) == ""
    assert roofline_hint([replace(bare, latency_ms=None)]) == ""


def test_a_scripted_machine_gives_the_roof_of_its_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "ARRAY_BYTES", (1024, 4096))
    found = measure.measure(backends.resolve("fake"), 1)
    assert found.scripted
    assert found.best.probe == "conv 3x3 256 to 256 at 28x28"  # every probe takes 1 ms: the one with most MACs is best
    assert found.peak_gmacs_per_s == pytest.approx(4 * 256 * 256 * 9 * 28 * 28 / 1e6)
    assert len(found.compute) == len(graphs.GEMM_SIDES) + len(graphs.CONVOLUTIONS)
    assert [s.array_bytes for s in found.streams] == [4096]  # the smaller ones cannot be told from an empty run


def test_onnxruntime_has_a_roof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "ARRAY_BYTES", (1 << 18, 1 << 22))
    monkeypatch.setattr(graphs, "GEMM_SIDES", (256,))
    monkeypatch.setattr(graphs, "CONVOLUTIONS", ((3, 64, 28),))
    found = measure.measure(backends.resolve("onnxruntime"), 1, protocol=RooflineProtocol(most_rounds=2))
    assert (found.precision, found.threads, found.scripted) == ("fp32", 1, False)
    assert {c.macs for c in found.compute} == {256**3, 4 * 64 * 64 * 9 * 28 * 28}
    assert found.peak_gmacs_per_s > 0
    assert [s.array_bytes for s in found.streams][-1] == 1 << 22


def test_a_backend_without_a_roofline_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends.get("fake"), "capabilities", Capabilities(graph=True), raising=False)
    with pytest.raises(Unsupported, match="fake has no roofline here") as found:
        measure.measure(backends.resolve("fake"), 1)
    assert found.value.hint == "onnxruntime, openvino, torch have one"


def test_torch_has_a_roof_of_the_same_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(graphs, "ARRAY_BYTES", (1 << 22,))
    monkeypatch.setattr(graphs, "GEMM_SIDES", (256,))
    monkeypatch.setattr(graphs, "CONVOLUTIONS", ((3, 64, 28), (1, 64, 28)))
    found = measure.measure(backends.resolve("torch"), 1, protocol=RooflineProtocol(most_rounds=2, stream_blocks=1))
    assert (found.precision, found.threads, found.device) == ("fp32", 1, "cpu")
    assert {c.macs for c in found.compute} == {256**3, 4 * 64 * 64 * 9 * 28 * 28, 4 * 64 * 64 * 28 * 28}
    assert [s.array_bytes for s in found.streams] == [1 << 22]


def test_a_device_of_thousands_of_lanes_gets_larger_probes() -> None:
    cpu, gpu = graphs.compute_probes(), graphs.compute_probes(large=True)
    assert set(cpu) < set(gpu)
    assert ("gemm", max(graphs.LARGE_GEMM_SIDES)) in gpu.values()
    torch = backends.get("torch")
    asked = [
        torch.accelerated(backends.resolve(f"torch:device={place}", here=False).options) for place in ("cpu", "cuda:1")
    ]
    assert asked == [False, True]


def test_a_roof_of_another_device_is_not_this_ones(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "cache"))
    assert row_under(tiny, replace(roof(), device="fake")).attainable_share is not None
    assert row_under(tiny, replace(roof(), device="another card")).attainable_share is None
