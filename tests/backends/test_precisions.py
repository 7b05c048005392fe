"""int8 on the runtimes: what ran is told as it ran, in rows too; what is missing is one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import bench
from bench import backends, export
from bench.api.progress import Progress
from bench.artifact.artifact import Artifact, Quantization
from bench.artifact.reference import relative_l2
from bench.backends import prepare, ran, tflite_graph
from bench.backends.sample import sample
from bench.backends.tolerance import allowed
from bench.base.errors import MissingExtra, UsageError
from bench.export import quantize
from bench.measure import cases, launch
from bench.measure.bring import exported
from bench.measure.readback import fault_of, remarks_of
from bench.plan import zoo
from bench.plan.case import Case, Network, Settings
from bench.plan.target import Target
from tests.conftest import TINY_MACS

SMALL = "shufflenetv2:width=0.5,resolution=64"
QUANTISERS = {"litert": "ai_edge_quantizer", "executorch": "torchao"}
OPTIONS = {"precision": "int8", "calibration": ""}


def loaded(spec: str, model: str) -> tuple[Artifact, Artifact, object]:
    """Return the artifact that a row is of, what was loaded, and the session after an inference."""
    ref = backends.resolve(spec)
    artifact = exported(Case(Network(zoo.resolve(model)), ref, Settings()), 0)
    ready = prepare.ensure(artifact, ref)
    session = backends.session(backends.get(ref.name), ready, Settings(), ref.options)
    session.infer()
    return artifact, ready, session


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("signed", [False, True])
def test_what_ran_of_a_quantised_file_is_told_as_it_ran(name: str, signed: bool, tiny: Path) -> None:
    """A signed file runs in floats on some CPUs, and the row says no."""
    if not backends.installed(backends.get(name)):
        pytest.skip(f"{name} is not installed")
    artifact = quantize.ensure(export.ensure(Network(zoo.resolve(str(tiny)))), signed=signed)
    ref = backends.resolve(f"{name}:precision=int8")
    session = backends.session(backends.get(name), artifact, Settings(), ref.options)
    session.infer()
    operators, told = session.operators(), session.effective()
    macs = ran.macs_of(operators)
    assert sum(macs.values()) == TINY_MACS
    if name == "openvino":  # by the endings of the kernels' names, which nothing else reads in this test
        kernels = {op.implementation.rpartition("_")[2].lower() for op in operators if op.macs}
        assert set(macs) == {{"i8": "int8", "f32": "fp32"}[kernel] for kernel in kernels}
    assert told.precision == max(macs, key=macs.__getitem__)
    error = relative_l2(session.outputs(), artifact.reference()[1])
    assert error <= allowed(artifact, told.precision)
    effective = {
        "version": "1", "device": "cpu", "precision": told.precision, "threads": 1, "settings": {}, "unmet": (),
        "placement": {"device": "cpu", "operators": 1.0, "macs": None, "elsewhere": ()}, "remarks": (),
    }  # fmt: skip
    inspected = {"effective": effective, "macs_executed": TINY_MACS, "opaque": [], "largest_macs": 0}
    case = Case(Network(zoo.resolve(str(tiny))), ref)
    fault = fault_of(case, artifact, error, inspected | {"busy_threads": None})  # type: ignore[arg-type]
    assert fault == (None if told.precision == "int8" else ("downgraded", f"ran in {told.precision}, not in int8"))
    session.close()


def test_a_network_that_runs_partly_in_floats_says_how_much() -> None:
    artifact = replace(sample(), precision="int8", quantization=Quantization("QDQ", "8 draws", 0.1))
    inspected = {
        "effective": {"remarks": ()}, "macs_executed": None, "busy_threads": None,
        "macs_by_precision": {"int8": 750, "fp32": 250},
    }  # fmt: skip
    case = Case(Network(zoo.resolve("mobilenetv2")), backends.resolve("fake"))
    against = "held against the quantised network, which is 0.1 off fp32"
    told = [against, "25.0% of the MACs ran in fp32, not in int8"]
    assert remarks_of(case, artifact, inspected) == told  # type: ignore[arg-type]
    inspected["macs_by_precision"] = {"int8": 1000}
    assert remarks_of(case, artifact, inspected) == [against]  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the runtimes import
@pytest.mark.parametrize("name", QUANTISERS)
def test_a_network_is_quantised_by_the_runtimes_own_tool(name: str) -> None:
    if not backends.installed(backends.get(name)):
        pytest.skip(f"{name} is not installed")
    pytest.importorskip({"litert": "litert_torch", "executorch": "executorch"}[name])
    pytest.importorskip(QUANTISERS[name])
    artifact, ready, session = loaded(f"{name}:precision=int8", SMALL)
    told = session.effective()  # type: ignore[attr-defined]
    error = relative_l2(session.outputs(), ready.reference()[1])  # type: ignore[attr-defined]
    assert ready.quantization is not None
    assert 0 < ready.quantization.cost < 1
    assert error <= allowed(ready, told.precision) == allowed(artifact, told.precision)
    assert told.precision == "int8"
    assert sum(told.macs.values()) == artifact.macs
    assert told.macs["int8"] > 0.9 * artifact.macs
    assert told.between is not None
    session.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", QUANTISERS)
def test_a_quantiser_that_is_not_there_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def find(module: str) -> object:
        return None if module == QUANTISERS[name] else True

    for place in (name, "pt2e"):
        monkeypatch.setattr(f"bench.backends.{place}.find_spec", find)
    with pytest.raises(MissingExtra, match="which quantises") as found:
        backends.get(name).prepare(sample(), OPTIONS, tmp_path)
    assert found.value.hint.startswith(f"pip install 'isoflops[{name}]'")


@pytest.mark.parametrize("name", QUANTISERS)
def test_a_bad_calibration_file_is_found_before_anything_is_converted(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(f"bench.backends.{name}.find_spec", lambda module: True)
    monkeypatch.setattr("bench.backends.pt2e.find_spec", lambda module: True)
    with pytest.raises(UsageError, match=r"calibration file gone\.npz cannot be read"):
        backends.get(name).prepare(sample(), OPTIONS | {"calibration": "gone.npz"}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_litert_tells_macs_by_the_types_of_its_tensors() -> None:
    details = [
        {"index": 0, "dtype": "int8", "shape": [1, 8, 8, 3]},
        {"index": 1, "dtype": "int8", "shape": [16, 3, 3, 3]},
        {"index": 2, "dtype": "int8", "shape": [1, 4, 4, 16]},
        {"index": 3, "dtype": "int8", "shape": [1, 3, 3, 16]},
        {"index": 4, "dtype": "float32", "shape": [1, 4, 4, 16]},
        {"index": 5, "dtype": "float32", "shape": [10, 256]},
        {"index": 6, "dtype": "float32", "shape": [1, 10]},
        {"index": 7, "dtype": "int8", "shape": [1, 4, 4, 16]},
    ]
    operators = [
        {"op_name": "CONV_2D", "inputs": [0, 1], "outputs": [2]},
        {"op_name": "DEPTHWISE_CONV_2D", "inputs": [2, 3], "outputs": [7]},
        {"op_name": "DEQUANTIZE", "inputs": [7], "outputs": [4]},
        {"op_name": "FULLY_CONNECTED", "inputs": [4, 5, -1], "outputs": [6]},
        {"op_name": "DELEGATE", "inputs": [0, 1, 3], "outputs": [7]},
    ]
    found = tflite_graph.work(operators, tflite_graph.tensors(details))
    assert found.macs == {"int8": 256 * 27 + 256 * 9, "fp32": 2560}
    assert (found.between, found.precision) == (1, "int8")
    assert tflite_graph.work([], {}).precision == "unknown"


def test_pt2e_tells_what_is_quantised_and_what_is_left_between() -> None:
    torch = pytest.importorskip("torch")
    from bench.backends.pt2e import work

    graph = torch.fx.Graph()

    def call(name: str, *args: object, shape: tuple[int, ...] = (1, 4, 8, 8)) -> object:
        def target() -> None: ...

        target.__name__ = name
        made = graph.call_function(target, args)
        made.meta["val"] = torch.empty(shape)
        return made

    x, w = graph.placeholder("x"), graph.placeholder("p_w")
    w.meta["val"] = torch.empty(4, 4, 1, 1)
    start = call("quantized_decomposed.quantize_per_tensor.default", x)
    data = call("quantized_decomposed.dequantize_per_tensor.default", start)
    weight = call("quantized_decomposed.dequantize_per_channel.default", w, shape=(4, 4, 1, 1))
    conv = call("aten.convolution.default", data, weight, None)
    relu = call("aten.relu.default", conv)
    end = call("quantized_decomposed.quantize_per_tensor.default", relu)
    back = call("quantized_decomposed.dequantize_per_tensor.default", end)
    plain = call("aten.convolution.default", back, w, None)
    graph.output(plain)
    macs = 4 * 64 * 4
    assert work([graph]) == ({"int8": macs, "fp32": macs}, 2)  # at the input, and before the one in floats


def test_precisions_are_asked_for_from_python(tiny: Path) -> None:
    said: list[Progress] = []
    few = {"launches": 1, "budget": 0.3, "progress": said.append}
    found = bench.run(tiny, ["onnxruntime", "fake"], precision=["fp32", "int8"], **few)
    assert [row.backend for row in found] == ["onnxruntime:precision=fp32", "onnxruntime:precision=int8"]
    assert [row.precision_effective for row in found] == ["fp32", "int8"]
    assert [row.macs_int8 for row in found] == [None, TINY_MACS]
    left = [step.doing.partition(":")[0] for step in said if step.remark and "left out" in step.doing]
    assert left == ["fake is left out in fp32", "fake is left out in int8"]


def test_the_target_says_which_runtimes_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Way:
        def close(self) -> None:
            asked.append("closed")

    def runtimes(transport: object) -> dict[str, bool]:
        asked.append("runtimes")
        return {"onnxruntime": True, "openvino": False}

    monkeypatch.setattr(launch, "transport_to", lambda there: Way())
    monkeypatch.setattr(launch, "runtimes", runtimes)
    there = Target("board", "ssh", host="board")
    has, said = launch.installed_on(there), list[str]()
    found = cases.backends_of(["onnxruntime", "openvino", "fake"], there, told=said.append, lenient=has)
    assert [ref.name for ref in found] == ["onnxruntime", "fake"]
    hint = backends.get("openvino").install_hint()
    assert said == [f"openvino is left out: the runtime of backend 'openvino' is not installed ({hint})"]
    assert asked == ["runtimes", "closed"]  # once for all
    with pytest.raises(MissingExtra):
        cases.backends_of(["openvino"], there, lenient=has)
    assert launch.installed_on(Target("fleet", "dask", scheduler="tcp://x:1"))("openvino")
    assert launch.installed_on(Target("here"))("onnxruntime")
