"""Real extra work, added to a graph."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from bench.base.errors import ArtifactError
from bench.graph.counts import count_graph
from bench.graph.onnx_read import read_shapes
from benchmarks.lab.extra import STEP, add_work, tune


def test_so_many_macs_more_and_another_output(tiny: Path, tmp_path: Path) -> None:
    added = add_work(tiny, 32, tmp_path / "slow.onnx")
    before, after = (count_graph(read_shapes(path)) for path in (tiny, tmp_path / "slow.onnx"))
    assert added == after.total("macs") - before.total("macs") == 2 * 32 * 16 * 8 * 8
    onnx.checker.check_model(onnx.load(tmp_path / "slow.onnx"), full_check=True)
    x = np.random.default_rng(0).standard_normal((1, 3, 16, 16), dtype=np.float32)
    outputs = [
        ort.InferenceSession(str(p), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        for p in (tiny, tmp_path / "slow.onnx")
    ]
    assert np.isfinite(outputs[1]).all()
    assert not np.allclose(outputs[0], outputs[1])  # the work is not dead


def test_a_network_without_a_dense_1x1_convolution_is_refused(tiny: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny)
    for tensor in model.graph.initializer:
        if tensor.name == "w3":
            tensor.name = "gone"
    for node in model.graph.node:
        node.input[:] = ["gone" if name == "w3" else name for name in node.input]
    kept = [t for t in model.graph.initializer if t.name == "gone"]
    for tensor in kept:
        model.graph.initializer.remove(tensor)
    onnx.save(model, tmp_path / "none.onnx")
    with pytest.raises(ArtifactError, match="no dense 1x1 convolution"):
        add_work(tmp_path / "none.onnx", 16, tmp_path / "slow.onnx")


@pytest.mark.parametrize("slope", [0.0001, 0.0003, 0.001])
@pytest.mark.parametrize("base", [0.0, 0.008])
def test_tuning_finds_the_channels(slope: float, base: float) -> None:
    wanted = math.log1p(0.03)
    asked: list[int] = []

    def effect(hidden: int) -> float:
        asked.append(hidden)
        return base + slope * hidden

    hidden = tune(wanted, effect)
    assert abs(effect(hidden) - wanted) <= slope * STEP / 2 + 1e-9
    assert len(asked) <= 4
    assert hidden % STEP == 0
