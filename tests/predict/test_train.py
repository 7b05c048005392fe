"""What is measured for prediction: resumed, complete, and on ONNX Runtime itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner

from bench import backends
from bench.base.errors import MeasureError, Unsupported, UsageError
from bench.cli.predict import _budget, _in_precision, _trained, command
from bench.export import ensure
from bench.plan import zoo
from bench.plan.protocol import PRECISIONS, KernelProtocol
from bench.predict import train
from bench.predict.calibration import calibrate
from bench.predict.campaign import FULL_S, SHORT_S, Campaign
from bench.predict.features import macs
from bench.predict.place import Place
from bench.predict.predictor import NotTrained, Predictor
from bench.predict.table import KernelTable, read
from tests.conftest import Bench, one_line_error
from tests.predict.synthetic import CONTEXT, conv, machine, view


class ScriptedLaunch:
    """Times kernels by a script: `dies` of one, fails at another, and remembers what it was asked."""

    asked: ClassVar[list[str]] = []
    dies = ""
    refuses = ""

    def __init__(self, *_: object) -> None: ...
    def __enter__(self) -> ScriptedLaunch:
        return self

    def __exit__(self, *_: object) -> None: ...
    def time_kernel(self, kernel: Any, *_: object) -> dict[str, Any]:
        self.asked.append(kernel.key)
        if kernel.key == self.dies:
            raise MeasureError("the worker died")
        if kernel.key == self.refuses:
            return {"failed": "not implemented"}
        return {"hot_ns": 1000.0, "cold_ns": 2000.0, "gemm_ns": 1000.0}


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> type[ScriptedLaunch]:
    monkeypatch.setattr("bench.predict.place.Probes", ScriptedLaunch)
    monkeypatch.setattr(ScriptedLaunch, "asked", [])
    monkeypatch.setattr(ScriptedLaunch, "dies", "")
    monkeypatch.setattr(ScriptedLaunch, "refuses", "")
    return ScriptedLaunch


def quiet(text: str) -> None: ...


def test_a_training_too_short_to_be_checked_keeps_what_it_measured() -> None:
    """With the one family left out nothing is left to predict from: no reason to lose the predictions."""
    table = machine(families=1, alone=0)
    with pytest.raises(NotTrained):
        calibrate(table)
    table.calibration = train.checked(table, quiet)
    assert table.calibration == []
    assert "was not checked" in _trained(table)
    found = Predictor(table).predict(next(iter(table.networks.values())))
    assert found.lo_ns is not None
    assert found.hi_ns is not None
    assert found.lo_ns < found.latency_ns / 1.05 < found.latency_ns * 1.05 < found.hi_ns
    table = machine(families=4)
    assert train.checked(table, quiet) == calibrate(table)


def test_measuring_goes_on_where_it_stopped(tmp_path: Path, scripted: type[ScriptedLaunch]) -> None:
    ref = backends.resolve("fake")
    table = KernelTable(CONTEXT, file=tmp_path / "t.json.gz")
    keys = table.add([*(conv(7, 16 * i, 16) for i in range(1, 9)), view(8)])
    table.timings[keys[0]].runs = [{"hot_ns": 1000.0, "cold_ns": 2000.0, "gemm_ns": 1000.0}]
    assert not train.time_kernels(table, ref, quiet, deadline=0.0)  # no time at all
    assert scripted.asked == []
    assert train.time_kernels(table, ref, quiet, place=Place(protocol=KernelProtocol(passes=2)))
    assert sorted(scripted.asked) == sorted([keys[0], *keys[1:8], *keys[1:8]])  # the view is never timed
    assert all(len(t.runs) == 2 for t in read(table.file or tmp_path).timings.values() if not t.kernel.moves_nothing)
    scripted.asked.clear()
    assert train.time_kernels(table, ref, quiet, place=Place(protocol=KernelProtocol(passes=2)))
    assert scripted.asked == []


def test_a_disturbed_kernel_is_timed_again_and_its_run_does_not_count(
    tmp_path: Path, scripted: type[ScriptedLaunch]
) -> None:
    table = KernelTable(CONTEXT, file=tmp_path / "t.json.gz")
    keys = table.add([conv(7, 16 * i, 16) for i in range(1, 9)])
    table.timings[keys[0]].runs = [{"hot_ns": 1700.0, "cold_ns": 2700.0, "gemm_ns": 1000.0}]  # beside a neighbour
    table.timings[keys[1]].runs = [{"hot_ns": 1000.0, "cold_ns": 2000.0, "gemm_ns": 1500.0}]  # at a slow moment
    assert train.time_kernels(table, backends.resolve("fake"), quiet, place=Place(protocol=KernelProtocol(passes=2)))
    assert [len(table.timings[k].runs) for k in keys[:3]] == [3, 3, 2]
    assert all(table.timings[k].hot_ns(table.baseline_gemm_ns) == pytest.approx(1000) for k in keys)


def test_a_kernel_that_cannot_be_timed_costs_itself_alone(tmp_path: Path, scripted: type[ScriptedLaunch]) -> None:
    table = KernelTable(CONTEXT, file=tmp_path / "t.json.gz")
    keys = table.add([conv(7, 16 * i, 16) for i in range(1, 7)])
    scripted.dies, scripted.refuses = keys[2], keys[4]
    assert train.time_kernels(table, backends.resolve("fake"), quiet, place=Place(protocol=KernelProtocol(passes=1)))
    assert [bool(table.timings[k].runs) for k in keys] == [True, True, False, True, False, True]
    assert table.timings[keys[2]].failed == "the worker died"
    assert table.timings[keys[4]].failed == "not implemented"
    scripted.asked.clear()
    train.time_kernels(table, backends.resolve("fake"), quiet, place=Place(protocol=KernelProtocol(passes=1)))
    assert scripted.asked == []  # and is not tried again


def test_onnxruntime_gives_every_operator_it_runs_and_each_can_be_timed(tmp_path: Path, tiny: Path) -> None:
    ref = backends.resolve("onnxruntime")
    table = KernelTable(CONTEXT, file=tmp_path / "t.json.gz")
    plan = train.plan_of([zoo.resolve(str(tiny))], ref, 1)
    train.list_networks(table, plan, ref, quiet)
    (network,) = table.networks.values()
    kernels = [table.timings[key].kernel for key in network.keys]
    assert network.lost == ()
    assert sum("Conv" in k.op for k in kernels) == 3
    assert sum(k.op == "Gemm" for k in kernels) == 1
    assert train.time_kernels(table, ref, quiet, place=Place(protocol=KernelProtocol(passes=1)))
    for timing in table.timings.values():
        assert timing.failed == ""
        assert timing.kernel.moves_nothing or timing.runs[0]["hot_ns"] > 0
    assert Predictor(table).sums(network).unknown == ()


def test_openvino_tells_the_times_of_every_operator_it_runs(tmp_path: Path, tiny: Path) -> None:
    pytest.importorskip("openvino")
    ref = backends.resolve("openvino")
    table = KernelTable(CONTEXT, file=tmp_path / "t.json.gz")
    plan = train.plan_of([zoo.resolve(str(tiny))], ref, 1)
    train.list_networks(table, plan, ref, quiet)
    (network,) = table.networks.values()
    listed = network.keys
    one = Campaign(table, plan, 1, True, quiet, Place())
    one._before, one._begin = 0.0, time.monotonic()
    with Place().probes(table, ref) as probes:
        artifact = ensure(plan.cases[0].network)
        one._time(probes, network, {"artifact": Place().transport.upload(artifact, "openvino")})
    assert network.keys == listed  # another compilation, the same kernels
    table.settle()
    assert network.latency_ns is not None
    kernels = [table.timings[key] for key in network.keys]
    assert sum(t.kernel.op == "Convolution" for t in kernels) == 3
    assert sum(macs(t.kernel) for t in kernels) == network.macs
    assert all(t.runs[0]["hot_ns"] > 0 for t in kernels if t.kernel.op == "Convolution")


def test_a_backend_that_cannot_be_predicted_says_so() -> None:
    ref = backends.resolve("fake")
    with pytest.raises(Unsupported, match="latency on fake cannot be predicted"):
        train.refuse(ref)


def test_the_command_says_what_is_missing(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    said = one_line_error(bench("predict", tiny, ISOFLOPS_CACHE=str(tmp_path / "empty")))
    assert "nothing was measured for prediction on this machine" in said
    assert "bench predict --train --backend onnxruntime" in said
    assert "cannot be predicted" in one_line_error(bench("predict", tiny, "--backend", "torch"))
    if backends.installed(backends.get("openvino")):
        assert "cannot be timed alone" in one_line_error(bench("predict", tiny, "--backend", "openvino", "--measure"))


def test_seconds_of_training_are_read_and_a_model_after_the_option_stays_a_model() -> None:
    assert _budget(None, ("net",)) == (0.0, ("net",))
    assert _budget("short", ()) == (SHORT_S, ())
    assert _budget("full", ("net",)) == (FULL_S, ("net",))
    assert _budget("45", ()) == (45.0, ())
    assert _budget("net", ("other",)) == (SHORT_S, ("net", "other"))


def test_a_precision_is_asked_of_a_backend_that_has_it() -> None:
    assert _in_precision("openvino", "bf16") == "openvino:precision=bf16"
    assert _in_precision("onnxruntime:spinning=false", None) == "onnxruntime:spinning=false"
    with pytest.raises(UsageError, match=r"(?m)onnxruntime runs nothing in int8 by itself, .*; it runs fp32$"):
        _in_precision("onnxruntime", "int8")
    unknown = CliRunner().invoke(command, ["shufflenetv2", "--precision", "int9"])
    assert unknown.exit_code == 2
    assert all(name in unknown.output for name in PRECISIONS)
