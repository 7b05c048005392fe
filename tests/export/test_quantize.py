"""A network in int8: what the quantiser makes, what runs of it, and what is no network for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from bench import export
from bench.base.errors import ArtifactError
from bench.export.quantize import quantize
from bench.plan import zoo
from bench.plan.case import Network
from tests.conftest import TINY_MACS, Bench, tiny_model


def test_a_network_in_int8_is_measured_against_itself(bench: Bench, tiny: Path) -> None:
    made = bench("export", tiny, "--int8", "--output", "q.onnx")
    assert made.returncode == 0, made.stderr
    assert "0.1 M MACs" in made.stdout
    quantised = onnx.load(tiny.with_name("q.onnx"))
    stored = {t.name: t for t in quantised.graph.initializer}
    scales = [len(onnx.numpy_helper.to_array(t).reshape(-1)) for name, t in stored.items() if name.endswith("w1_scale")]
    assert scales == [16]  # a scale for each channel
    points = {name: t.data_type for name, t in stored.items() if name.endswith("zero_point")}
    assert points["x_zero_point"] == onnx.TensorProto.UINT8
    assert points["w1_zero_point"] == onnx.TensorProto.INT8
    ran = bench(
        "run", "--model", "q.onnx", "--backend", "onnxruntime", "--launches", "1", "--budget", "0.5", "--format", "json"
    )
    (row,) = json.loads(ran.stdout)
    assert row["status"] in ("ok", "noisy"), row["error"]
    assert row["precision_effective"] == "int8"
    assert row["macs"] == TINY_MACS


def test_the_same_seed_makes_the_same_network(tiny: Path) -> None:
    artifact = export.ensure(Network(zoo.resolve(str(tiny))))
    paths = [tiny.with_name(f"{i}.onnx") for i in range(3)]
    for path, seed in zip(paths, (0, 0, 1), strict=True):
        quantize(artifact, path, seed)
    one, same, other = (path.read_bytes() for path in paths)
    assert one == same
    assert one != other


def test_what_is_no_fp32_is_not_quantised(tmp_path: Path) -> None:
    model = tiny_model()
    for tensor in model.graph.initializer:
        half = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype(np.float16), tensor.name)
        tensor.CopyFrom(half)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    onnx.save(model, tmp_path / "half.onnx")
    artifact = export.ensure(Network(zoo.resolve(str(tmp_path / "half.onnx"))))
    with pytest.raises(ArtifactError, match="only fp32 is quantised"):
        quantize(artifact, tmp_path / "q.onnx", 0)
