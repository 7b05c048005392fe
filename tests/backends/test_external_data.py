"""A network whose weights lie in files of their own, before what reads or writes ONNX files by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bench import export
from bench.artifact.artifact import Artifact, load
from bench.backends.ort_kernels import KernelList, kernels_of, optimise
from bench.export import child, quantize
from bench.plan import zoo
from bench.plan.case import Network
from tests.conftest import TINY_MACS, Bench


@pytest.fixture
def apart(tiny: Path) -> Path:
    """The tiny network, each weight in a file of its own; `tiny` is the same network in one file."""
    path = tiny.parent / "apart" / "net.onnx"
    path.parent.mkdir()
    onnx.save(onnx.load(tiny), path, save_as_external_data=True, all_tensors_to_one_file=False, size_threshold=0)
    assert len(list(path.parent.iterdir())) > 2
    return path


def cut(path: Path) -> KernelList:
    return kernels_of(optimise(path, 1, {"optimization": "all"}))


def artifact_of(path: Path) -> Artifact:
    return export.ensure(Network(zoo.resolve(str(path))))


def test_kernels_are_those_of_the_network_in_one_file(tiny: Path, apart: Path) -> None:
    found = cut(apart)
    assert [kernel.key for kernel in found.kernels] == [kernel.key for kernel in cut(tiny).kernels]
    assert found.kernels
    assert found.lost == ()


def test_it_is_quantised_as_the_network_in_one_file(tiny: Path, apart: Path, bench: Bench) -> None:
    found, same = (quantize.ensure(artifact_of(path)) for path in (apart, tiny))
    assert (found.macs, found.data, found.quantization) == (TINY_MACS, (), same.quantization)
    told = bench("export", apart, "--int8", "--output", "q8.onnx")
    assert told.returncode == 0, told.stderr
    assert sorted(path.name for path in Path(found.folder).iterdir()) == [
        "artifact.json", "model.onnx", "reference.npz"
    ]  # fmt: skip


def test_where_one_file_cannot_hold_it_the_quantised_network_has_data_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 64]) for name in "xy")
    w = onnx.numpy_helper.from_array(np.eye(64, dtype=np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "product", [x], [y], [w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    monkeypatch.setattr(child, "EXTERNAL_BYTES", 0)
    made = tmp_path / "made"
    made.mkdir()
    artifact = artifact_of(tmp_path / "net.onnx")
    quantize.answer({"artifact": artifact.folder, "calibration": "", "signed": False, "draft": str(made)})
    found = load(made)
    assert (found.data, found.macs) == (("model.onnx.data",), 4 * 64 * 64)
    assert sorted(path.name for path in made.iterdir()) == [
        "artifact.json", "model.onnx", "model.onnx.data", "reference.npz"
    ]  # fmt: skip
