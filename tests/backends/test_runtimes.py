"""The real runtimes, each in this process, on the tiny network and on a real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import backends, export
from bench.artifact.reference import relative_l2, top1_agrees
from bench.backends.base import PARITY_TOLERANCE, Placement
from bench.base.errors import Unsupported
from bench.machine.environment import usable_cores
from bench.plan import zoo
from bench.plan.case import Case, Network, Settings
from tests.conftest import TINY_MACS

SMALL = "shufflenetv2:width=0.5,resolution=64"


def load(backend: str, model: str, **settings: object):
    case = Case(Network(zoo.resolve(model)), backends.resolve(backend), Settings(**settings))
    runtime = backends.get(case.backend.name)
    if not backends.installed(runtime):
        pytest.skip(f"{backend} is not installed")
    artifact = export.ensure(case.network)
    return backends.session(runtime, artifact, case.settings, case.backend.options), artifact


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "torch", "torch:channels_last=true"])
def test_a_real_network_runs_as_asked(backend: str) -> None:
    session, artifact = load(backend, SMALL)
    session.infer()
    outputs, (_, reference) = session.outputs(), artifact.reference()
    assert relative_l2(outputs, reference) < PARITY_TOLERANCE["fp32"]
    assert top1_agrees(outputs, reference)
    effective = session.effective()
    assert (effective.precision, effective.device, effective.threads) == ("fp32", "cpu", 1)
    operators = session.operators()
    assert sum(op.macs or 0 for op in operators) == artifact.macs
    assert not any(op.opaque for op in operators)
    session.close()


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_buffers_are_bound_once(backend: str, tiny: Path) -> None:
    session, _ = load(backend, str(tiny))
    session.infer()
    first = session.outputs()[0]
    kept = np.array(first)
    first[:] = 0
    session.infer()
    again = session.outputs()[0]
    assert np.array_equal(again, kept)
    assert again.__array_interface__["data"] == first.__array_interface__["data"]


@pytest.mark.parametrize("level", ["disable", "basic", "extended", "all"])
def test_onnxruntime_keeps_every_mac_at_every_level(level: str, tiny: Path) -> None:
    session, _ = load(f"onnxruntime:optimization={level}", str(tiny))
    operators = session.operators()
    assert sum(op.macs or 0 for op in operators) == TINY_MACS
    if level in ("disable", "basic", "extended"):
        assert sum(op.padded_macs or 0 for op in operators) == TINY_MACS


def test_onnxruntime_pads_to_its_block(tiny: Path) -> None:
    session, _ = load("onnxruntime", str(tiny))
    blocked = [op for op in session.operators() if op.layout == "nchwc" and op.macs]
    if not blocked:
        pytest.skip("this build of onnxruntime has no NCHWc kernels here")
    assert sum(op.padded_macs for op in blocked) > sum(op.macs for op in blocked)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_folded_network_is_noticed(backend: str, tiny: Path) -> None:
    """A network whose input became a constant computes nothing: its operators must not add up."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(tiny)
    model.graph.input.pop()
    model.graph.input.append(helper.make_tensor_value_info("unused", onnx.TensorProto.FLOAT, [1, 10]))
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1, 3, 16, 16), np.float32), "x"))
    model.graph.node.append(helper.make_node("Add", ["y", "unused"], ["z"], "add"))
    model.graph.output.pop()
    model.graph.output.append(helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, [1, 10]))
    folded = tiny.with_name("folded.onnx")
    onnx.save(model, folded)
    session, artifact = load(backend, str(folded))
    assert artifact.macs == 0
    assert sum(op.macs or 0 for op in session.operators()) == 0


def test_openvino_precision_is_read_back(tiny: Path) -> None:
    """Left alone OpenVINO picks the precision itself; told fp32, it must run fp32, and say so."""
    session, artifact = load("openvino", str(tiny))
    session.infer()
    assert session.effective().precision == "fp32"
    assert relative_l2(session.outputs(), artifact.reference()[1]) < 1e-5
    bf16, _ = load("openvino:precision=bf16", str(tiny))
    bf16.infer()
    error = relative_l2(bf16.outputs(), artifact.reference()[1])
    # A CPU without bf16 runs fp32, or fp16 on ARM, and says nothing: the read-back is what tells.
    ran = bf16.effective().precision
    assert ran in ("bf16", "fp16", "fp32")
    assert error < 1e-5 if ran == "fp32" else error > 1e-4


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "torch"])
def test_threads_are_read_back(backend: str) -> None:
    session, _ = load(backend, SMALL, threads=2)
    session.infer()
    # OpenVINO starts no more threads than it has cores, whatever is asked, and the read-back is what tells.
    most = len(usable_cores()) if backend == "openvino" else 2
    assert session.effective().threads == min(2, most)


def test_torch_does_not_run_onnx_files(tiny: Path) -> None:
    with pytest.raises(Unsupported, match="ONNX file"):
        load("torch", str(tiny))


def test_no_cuda_is_said() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(Unsupported, match="no CUDA device"):
        load("torch:device=cuda", SMALL)


@pytest.mark.parametrize("tf32", [False, True])
def test_torchs_two_ways_to_tell_precision_agree(tf32: bool) -> None:
    """Else torch raises wherever one of its own parts asks in the older way."""
    torch = pytest.importorskip("torch")
    from bench.backends.torch_switches import set_precision

    try:
        set_precision(tf32)
        assert torch.backends.cudnn.allow_tf32 is tf32
        assert torch.backends.cuda.matmul.allow_tf32 is tf32
        assert torch.get_float32_matmul_precision() == ("high" if tf32 else "highest")
    finally:
        set_precision(False)


def test_torch_operators_that_ran_elsewhere_are_told() -> None:
    """A part of the module that was left on another device, here the one that computes shapes alone."""
    torch = pytest.importorskip("torch")
    from bench.backends.torch_graph import operators_of

    class Split(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.here = torch.nn.Linear(8, 8, bias=False)
            self.there = torch.nn.Linear(8, 24, bias=False, device="meta")

        def forward(self, x: object) -> object:
            return self.there(self.here(x).to("meta"))

    with torch.no_grad():
        operators = operators_of(Split(), [torch.ones(1, 8)])
    placed = Placement.of("cpu", operators)
    assert placed.macs == pytest.approx(64 / (64 + 192))
    assert 0 < placed.operators < 1
    assert "on meta" in placed.fault()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
def test_torch_compiles() -> None:
    session, artifact = load("torch:compile=true", SMALL)
    session.infer()
    assert relative_l2(session.outputs(), artifact.reference()[1]) < PARITY_TOLERANCE["fp32"]
    assert session.effective().settings["compile"] is True


@pytest.mark.gpu
@pytest.mark.parametrize("options", ["", ",channels_last=true", ",compile=true"])
def test_cuda_runs_fp32_by_its_own_clock(options: str) -> None:
    import time

    session, artifact = load(f"torch:device=cuda{options}", SMALL)
    for _ in range(5):
        session.infer()
    begin = time.perf_counter_ns()
    session.infer()
    host_ns = time.perf_counter_ns() - begin
    assert 0 < session.clocks.device_ns() < 1.5 * host_ns
    assert relative_l2(session.outputs(), artifact.reference()[1]) < PARITY_TOLERANCE["fp32"]
    assert session.effective().precision == "fp32"


@pytest.mark.gpu
def test_cuda_tf32_only_when_asked() -> None:
    session, artifact = load("torch:device=cuda,tf32=true", SMALL)
    session.infer()
    assert session.effective().precision == "tf32"
    assert 1e-6 < relative_l2(session.outputs(), artifact.reference()[1]) < PARITY_TOLERANCE["tf32"]


def test_relative_l2() -> None:
    one = [np.ones((1, 4), np.float32)]
    assert relative_l2(one, one) == 0
    assert relative_l2([one[0] * 1.5], one) == pytest.approx(0.5)
    assert relative_l2([one[0] * np.nan], one) == float("inf")
    assert relative_l2([np.ones((1, 5), np.float32)], one) == float("inf")
    # Of several outputs the worst: a large one hides nothing.
    two = [np.full((1, 4), 1e6, np.float32), np.ones((1, 2), np.float32)]
    assert relative_l2([two[0], two[1] * 1.5], two) == pytest.approx(0.5)
    assert relative_l2([two[0] * 1.25, two[1]], two) == pytest.approx(0.25)
    assert relative_l2([two[0], two[1], two[1] * 0], [*two, two[1] * 0]) == 0
    assert not top1_agrees([np.array([[1.0, 2.0]])], [np.array([[2.0, 1.0]])])
