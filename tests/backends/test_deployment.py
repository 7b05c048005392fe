"""The runtimes of phones and boards, where they are installed: what they run, and what they do not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bench import backends, export
from bench.artifact.artifact import Artifact
from bench.artifact.reference import relative_l2
from bench.backends import prepare
from bench.backends.base import PARITY_TOLERANCE, Session
from bench.backends.sample import sample
from bench.backends.testing import check
from bench.base.errors import Unsupported
from bench.measure import profiling
from bench.plan import zoo
from bench.plan.case import Network, Settings
from tests.conftest import Bench, tiny_model

FROM_ONNX = ("ncnn", "mnn")
FROM_MODULE = ("litert", "executorch")
SMALL = "shufflenetv2:width=0.5,resolution=64"
CONVERTERS = {"ncnn": "pnnx", "mnn": "MNN", "litert": "litert_torch", "executorch": "executorch"}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def need(name: str) -> None:
    """Skip where the runtime or its converter is not installed."""
    if not backends.installed(backends.get(name)):
        pytest.skip(f"{name} is not installed")
    pytest.importorskip(CONVERTERS[name])


def network(model: str, **settings: object) -> Artifact:
    return export.ensure(Network(zoo.resolve(str(model)), **settings))


def load(spec: str, artifact: Artifact, threads: int = 1) -> Session:
    ref = backends.resolve(spec)
    backend = backends.get(ref.name)
    session = backends.session(backend, prepare.ensure(artifact, ref), Settings(threads=threads), ref.options)
    session.infer()
    return session


def error_of(session: Session, artifact: Artifact) -> float:
    return relative_l2(session.outputs(), artifact.reference()[1])


@pytest.mark.parametrize("name", FROM_ONNX)
def test_one_from_onnx_conforms(name: str) -> None:
    need(name)
    report = check(name)
    (corrupt,) = [c for c in report.checks if c.name == "a corrupt file"]
    assert corrupt.said.startswith(("ncnn cannot read", "MNN cannot load"))
    (parity,) = [c for c in report.checks if c.name == "parity"]
    assert parity.said.endswith("in fp32")


@pytest.mark.parametrize("name", FROM_MODULE)
def test_one_from_a_module_conforms(name: str) -> None:
    need(name)
    report = check(name, network(SMALL))
    (corrupt,) = [c for c in report.checks if c.name == "a corrupt file"]
    assert "cannot load the network" in corrupt.said


@pytest.mark.parametrize("name", FROM_ONNX + FROM_MODULE)
def test_a_real_network_runs_in_fp32(name: str) -> None:
    need(name)
    pytest.importorskip("torch")
    artifact = network(SMALL)
    session = load(name, artifact)
    assert error_of(session, artifact) < PARITY_TOLERANCE["fp32"]
    told = session.effective()
    assert (told.precision, told.device, told.threads, told.unmet) == ("fp32", "cpu", 1, ())
    session.close()


@pytest.mark.parametrize("name", FROM_ONNX + FROM_MODULE)
def test_an_input_lasts_longer_than_the_array_it_came_from(name: str) -> None:
    """Memory that a runtime only borrows is given to somebody else in between."""
    need(name)
    artifact = sample() if name in FROM_ONNX else network(SMALL)
    session = load(name, artifact)
    kept = [np.full(x.shape, 1e6, x.dtype) for x in artifact.reference()[0] for _ in range(20)]
    session.infer()
    assert error_of(session, artifact) < PARITY_TOLERANCE["fp32"]
    del kept
    session.close()


def one_node(folder: Path, kind: str, shape: list[int], result: list[int]) -> Path:
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", shape), ("y", result)))
    graph = helper.make_graph([helper.make_node(kind, ["x"], ["y"], "only")], "one", [x], [y])
    path = folder / f"{kind.lower()}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize("name", FROM_ONNX)
def test_an_operator_that_works_in_place_leaves_the_input_alone(name: str, tmp_path: Path) -> None:
    """On an array that it only borrows ncnn crashes."""
    need(name)
    artifact = network(one_node(tmp_path, "Relu", [1, 4], [1, 4]))
    session = load(name, artifact)
    session.infer()
    assert error_of(session, artifact) == 0
    session.close()


@pytest.mark.parametrize("name", FROM_ONNX)
def test_an_operator_without_a_kernel_is_one_line(name: str, tmp_path: Path) -> None:
    need(name)
    artifact = network(one_node(tmp_path, "Hardmax", [1, 4], [1, 4]))
    with pytest.raises(Unsupported, match=r"(?m)Hardmax$") as found:
        load(name, artifact)
    assert found.value.hint
    assert "\n" not in found.value.message


@pytest.mark.parametrize("name", FROM_MODULE)
def test_a_module_that_does_not_convert_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need(name)
    artifact = network(SMALL)
    monkeypatch.setattr(f"bench.backends.{name}.rebuild", lambda artifact: branching())
    with pytest.raises(Unsupported, match="cannot convert it: ") as found:
        backends.get(name).prepare(artifact, {"precision": "model"}, tmp_path)
    assert found.value.hint
    assert "\n" not in found.value.message


def branching() -> object:
    """Return a module whose next step depends on its data, which no export can follow."""
    import torch

    class Branching(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1 if x.sum() > 0 else x - 1

    return Branching().eval()


def test_ncnn_says_what_it_has_not(tmp_path: Path) -> None:
    need("ncnn")
    integers = helper.make_graph(
        [helper.make_node("Cast", ["ids"], ["y"], "cast", to=TensorProto.FLOAT)],
        "ids",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
    )
    path = tmp_path / "ids.onnx"
    onnx.save(helper.make_model(integers, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(Unsupported, match="ids is none"):
        load("ncnn", network(path))


@pytest.mark.parametrize("name", FROM_ONNX)
def test_a_batch_is_one_inference(name: str, tmp_path: Path) -> None:
    need(name)
    onnx.save(tiny_model(batch=3), tmp_path / "batched.onnx")
    artifact = network(tmp_path / "batched.onnx")
    session = load(name, artifact)
    assert error_of(session, artifact) < PARITY_TOLERANCE["fp32"]
    session.close()


@pytest.mark.parametrize("spec", ["ncnn:precision=fp16", "ncnn:precision=bf16", "mnn:precision=bf16"])
def test_a_lower_precision_is_told_by_the_output(spec: str) -> None:
    """Some runtimes take the request and compute in fp32 all the same."""
    need(spec.partition(":")[0])
    artifact = sample()
    session = load(spec, artifact)
    error, told = error_of(session, artifact), session.effective().precision
    session.close()
    assert told in ("fp32", spec.rpartition("=")[2])
    assert (error <= PARITY_TOLERANCE["fp32"]) == (told == "fp32")


def test_mnn_times_its_operators(tiny: Path) -> None:
    need("mnn")
    artifact = network(tiny)
    session = load("mnn", artifact)
    found = profiling.profile(session, session.profiler(), 2, 3, session.clocks.now, None)
    session.close()
    kinds = [op["kind"] for op in found["operators"]]
    assert sum("Conv" in kind for kind in kinds) >= 3
    assert all(len(op["raw_ns"]) == len(found["profiled_ns"]) for op in found["operators"])


def test_mnns_command_is_never_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It may install a package for telemetry: what runs is the function of its compiled module alone."""
    need("mnn")
    commands: list[list[str]] = []
    run = subprocess.run

    def spied(command: list[str], **settings: object) -> object:
        commands.append(command)
        return run(command, **settings)

    monkeypatch.setattr("bench.backends.converter.subprocess.run", spied)
    backends.get("mnn").prepare(sample(), {"precision": "model"}, tmp_path)
    ((python, *arguments),) = commands
    assert python == sys.executable
    assert "_tools.mnnconvert(" in arguments[2]
    assert "MNN.tools" not in " ".join(arguments)


def test_litert_says_who_ran_it() -> None:
    need("litert")
    artifact = network(SMALL)
    session = load("litert", artifact)
    told = session.effective()
    session.close()
    assert told.settings["delegate.partitions"] >= 1
    assert bool(told.remarks) == (told.settings["delegate.partitions"] > 1 or bool(told.settings["delegate.outside"]))


@pytest.mark.parametrize("name", FROM_MODULE)
def test_the_share_of_the_delegate_is_of_all_operators_and_macs(name: str) -> None:
    """Counted in the converted network, whose MACs are those of the source."""
    need(name)
    artifact = network(SMALL)
    session = load(name, artifact)
    placement = session.effective().placement
    if name == "litert":
        macs = session.shares().macs  # type: ignore[attr-defined]
    else:
        macs = json.loads(prepare.ensure(artifact, backends.resolve(name)).converted_path("parts.json").read_text())[
            "macs"
        ]
    session.close()
    assert placement.device == "XNNPACK"
    assert placement.delegate
    assert macs == artifact.macs
    assert placement.macs == 1.0
    assert 0.8 < placement.operators < 1.0  # of this network it leaves splits or pads
    assert placement.elsewhere


def test_litert_without_its_delegate_is_not_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    need("litert")
    from ai_edge_litert import interpreter

    def bare(*arguments: object, **settings: object) -> object:
        resolver = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        return made(*arguments, **settings, experimental_op_resolver_type=resolver)

    made = interpreter.Interpreter
    monkeypatch.setattr(interpreter, "Interpreter", bare)
    session = load("litert", network(SMALL))
    told = session.effective()
    session.close()
    assert told.settings["delegate.partitions"] == 0
    assert told.placement.operators == told.placement.macs == 0.0
    assert "XNNPACK runs none of it" in told.unmet[0]


@pytest.mark.parametrize("name", FROM_ONNX + FROM_MODULE)
def test_threads_are_as_asked(name: str) -> None:
    need(name)
    pytest.importorskip("torch")
    session = load(name, network(SMALL), threads=2)
    # A runtime whose pool nobody tells may find the operators of a small network too small to share.
    assert session.effective().threads in (2, None)
    session.close()


@pytest.mark.parametrize("name", FROM_ONNX)
def test_a_run_has_a_row(name: str, bench: Bench, tiny: Path) -> None:
    need(name)
    ran = bench("run", "--model", tiny, "--backend", name, "--launches", "1", "--budget", "0.5", "--format", "json")
    (row,) = json.loads(ran.stdout)
    assert row["status"] in ("ok", "noisy")
    assert row["precision_effective"] == "fp32"
    assert row["macs_executed"] is None
