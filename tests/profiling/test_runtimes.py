"""The real profilers, on real networks: structure, joins and counts, never a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import backends, export
from bench.graph.classes import OpClass
from bench.measure import profiling
from bench.plan import zoo
from bench.plan.case import Case, Network
from bench.profiling import classes, source
from tests.conftest import TINY_MACS, tiny_model

SHUFFLENET = "shufflenetv2:width=0.5,resolution=64"
NETWORKS = [SHUFFLENET, "mobilenetv2:resolution=64", "ghostnetv1:resolution=64"]
RUNTIMES = ["onnxruntime", "openvino"]


def profiled(model: str, backend: str):
    case = Case(Network(zoo.resolve(model)), backends.resolve(backend))
    runtime = backends.get(case.backend.name)
    if not backends.installed(runtime):
        pytest.skip(f"{backend} is not installed")
    artifact = export.ensure(case.network)
    session = runtime.load(artifact, case.settings, case.backend.options)
    session.infer()
    profiler = profiling.start(runtime, session)
    assert len(profiler.block(3)) == 3
    raw = profiler.read()
    joined = source.join(raw.operators, source.read(artifact), artifact.mac_ops)
    session.infer()  # the twin took nothing from the session
    session.close()
    return raw, joined, artifact


@pytest.mark.parametrize("backend", RUNTIMES)
@pytest.mark.parametrize("model", NETWORKS)
def test_every_convolution_of_the_source_is_found_exactly_once(model: str, backend: str) -> None:
    raw, joined, artifact = profiled(model, backend)
    found = [op for origin in joined for op in origin.macs]
    assert sorted(op.name for op in found) == sorted(op.name for op in artifact.mac_ops)
    assert sum(op.macs for op in found) == artifact.macs
    nodes = [name for origin in joined for name in origin.nodes]
    assert len(nodes) == len(set(nodes))
    # An operator with two of the source would be a fusion of convolutions: neither runtime has one here.
    assert all(len(origin.macs) <= 1 for origin in joined)
    for operator, origin in zip(raw.operators, joined, strict=True):
        for op in origin.macs:  # the same kernel, whatever the layout padded
            assert operator.weight[2:] == op.weight[2:] or operator.kind not in classes.CONVOLUTIONS
    known = [classes.classify(op.kind, op.weight, op.group) for op in raw.operators]
    assert OpClass.OTHER not in known
    assert all(min(op.raw_ns) >= 0 and op.events == 1 for op in raw.operators)
    assert raw.cost.hot_ns <= raw.cost.cold_ns


@pytest.mark.parametrize("backend", [*RUNTIMES, "torch"])
def test_the_shuffle_is_seen_as_one(backend: str) -> None:
    raw, joined, artifact = profiled(SHUFFLENET, backend)
    shuffled = [
        operator.kind
        for operator, origin in zip(raw.operators, joined, strict=True)
        if classes.classify(operator.kind, operator.weight, operator.group, origin.shuffles) == OpClass.SHUFFLE
    ]
    count = len(source.read(artifact).shuffles) // 3
    assert count == 13  # of 16 units, those that split channels
    assert len(shuffled) in (count, 3 * count, 4 * count)  # one operator, three, or three and a copy


@pytest.mark.parametrize("backend", RUNTIMES)
def test_fused_nodes_are_led_back(backend: str) -> None:
    _, joined, artifact = profiled(SHUFFLENET, backend)
    graph = source.read(artifact)
    kinds = {node.name: node.kind for node in graph.nodes}
    assert ("Conv", "Relu") in {tuple(kinds[name] for name in origin.nodes) for origin in joined}
    missing = {node.name for node in graph.nodes if not node.constant}
    missing -= {name for origin in joined for name in origin.nodes}
    assert {kinds[name] for name in missing} <= {"Reshape", "Flatten"}  # views, which take no time


def test_torch_is_joined_by_its_weights() -> None:
    raw, joined, artifact = profiled(SHUFFLENET, "torch")
    assert sum(op.macs for origin in joined for op in origin.macs) == artifact.macs
    assert all(op.events > 0 for op in raw.operators)
    assert {op.kind for op in raw.operators} >= {"conv2d", "batch_norm", "cat", "linear"}


@pytest.mark.parametrize("backend", RUNTIMES)
def test_an_unfolded_batch_norm_is_joined(backend: str, tmp_path: Path) -> None:
    """A person's file keeps its BatchNorm; OpenVINO then names the convolution ``Multiply_NUMBER``."""
    import onnx
    from onnx import helper, numpy_helper

    model = tiny_model()
    rng = np.random.default_rng(1)
    names = ["scale", "shift", "mean", "var"]
    for name in names:
        values = rng.uniform(0.5, 1.5, 16).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    nodes = list(model.graph.node)
    norm = helper.make_node("BatchNormalization", ["a", *names], ["an"], "norm")
    nodes[1].input[0] = "an"
    del model.graph.node[:]
    model.graph.node.extend([nodes[0], norm, *nodes[1:]])
    path = tmp_path / "norm.onnx"
    onnx.save(model, path)
    _, joined, _ = profiled(str(path), backend)
    found = [op for origin in joined for op in origin.macs]
    assert sorted(op.name for op in found) == ["classifier", "depthwise", "first", "pointwise"]
    assert sum(op.macs for op in found) == TINY_MACS


@pytest.mark.parametrize("level", ["disable", "basic", "all"])
def test_onnxruntime_at_every_level(level: str, tiny: Path) -> None:
    raw, joined, artifact = profiled(str(tiny), f"onnxruntime:optimization={level}")
    assert sum(op.macs for origin in joined for op in origin.macs) == artifact.macs == TINY_MACS
    assert all(len(op.raw_ns) == 3 for op in raw.operators)


@pytest.mark.gpu
def test_cuda_kernels_are_timed() -> None:
    raw, joined, artifact = profiled(SHUFFLENET, "torch:device=cuda")
    assert sum(op.macs for origin in joined for op in origin.macs) == artifact.macs
    assert sum(sum(op.raw_ns) for op in raw.operators) > 0
    assert any(op.implementation for op in raw.operators)


def test_an_operator_that_a_fusion_left_without_a_name_is_joined(tmp_path: Path) -> None:
    """ONNX Runtime fuses Add, Clip, Div into a HardSigmoid and names it only in the profile: ``HardSigmoid_7``."""
    raw, joined, artifact = profiled("pplcnet:width=0.25,resolution=64", "onnxruntime")
    assert sum(op.macs for origin in joined for op in origin.macs) == artifact.macs
    assert any(op.kind == "HardSigmoid" for op in raw.operators)
