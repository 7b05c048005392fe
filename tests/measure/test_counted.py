"""What a row says of a network that is counted in part, miscounted, random, or unhealthy."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench import backends
from bench.export import ensure
from bench.measure.readback import fault_of
from bench.plan import zoo
from bench.plan.case import Case, Network
from tests.conftest import Bench, one_line_error

node = helper.make_node


def write(path: Path, nodes: list[Any], shape: list[int], output: list[int], **weights: Any) -> Path:
    stored = [numpy_helper.from_array(np.asarray(w, np.float32), name) for name, w in weights.items()]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", shape), ("y", output)))
    made = helper.make_graph(nodes, "g", [x], [y], stored)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def product(path: Path, weight: Any = None) -> Path:
    weight = np.full((8, 6), 0.5) if weight is None else weight
    return write(path, [node("MatMul", ["x", "w"], ["y"], "fc")], [4, 8], [4, 6], w=weight)


def last(folder: Path) -> dict[str, str]:
    with (folder / "r.csv").open() as handle:
        return list(csv.DictReader(handle))[-1]


def test_what_is_counted_in_part_leaves_its_columns_empty(tmp_path: Path, bench: Bench) -> None:
    nodes = [
        node("LSTM", ["x", "w", "r"], ["", "h"], "memory", hidden_size=8),
        node("Squeeze", ["h"], ["s"]),
        node("MatMul", ["s", "v"], ["y"], "fc"),
    ]
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(1, 32, 4)), "r": rng.normal(size=(1, 32, 8)), "v": rng.normal(size=(8, 6))}
    write(tmp_path / "net.onnx", nodes, [5, 2, 4], [2, 6], **weights)
    result = bench("run", "--model", "net.onnx", "--backend", "fake", "--launches", 1, "--output", "r.csv")
    row = last(tmp_path)
    assert row["latency_ms"]
    derived = ("macs", "flops", "gmacs_per_s", "macs_executed", "macs_padded", "attainable_share", "floor_ms")
    assert [row[name] for name in derived] == [""] * len(derived)
    assert row["macs_at_least"] == str(2 * 8 * 6)
    assert "macs is empty: LSTM cannot be counted" in result.stderr
    complete = product(tmp_path / "whole.onnx")
    bench("run", "--model", complete.name, "--backend", "fake", "--launches", 1, "--output", "r.csv")
    assert (last(tmp_path)["macs"], last(tmp_path)["macs_at_least"]) == ("192", "")


def judged(artifact: Any, parity: float = 0.0, **inspected: Any) -> tuple[str, str] | None:
    case = Case(Network(zoo.resolve(artifact.model)), backends.resolve("onnxruntime"))
    placement = {"device": "cpu", "operators": 1.0}
    effective = {"precision": "fp32", "device": "cpu", "threads": 1, "placement": placement}
    return fault_of(case, artifact, parity, {"effective": effective, "opaque": False, "macs_executed": 192} | inspected)


def test_more_than_was_counted_is_a_fault(tmp_path: Path) -> None:
    artifact = ensure(Network(zoo.resolve(str(product(tmp_path / "net.onnx")))))
    assert judged(artifact) is None
    assert judged(artifact, macs_executed=193) == (
        "failed",
        "the runtime's graph has 193 MACs and the source 192: one of them is counted wrongly",
    )


def test_the_tolerance_is_that_of_the_weights_where_nothing_else_is_known(tmp_path: Path) -> None:
    artifact = ensure(Network(zoo.resolve(str(product(tmp_path / "net.onnx")))))
    unknown = {"precision": "unknown", "device": "cpu", "threads": 1, "placement": {"device": "cpu", "operators": 1.0}}
    for precision, status in (("int8", "downgraded"), ("int4", "downgraded"), ("fp32", "mismatch")):
        found = judged(replace(artifact, precision=precision), 0.01, effective=unknown)
        assert found is not None
        assert found[0] == status


def test_a_mismatch_names_what_is_random(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["a"], "fc"),
        node("RandomNormalLike", ["a"], ["n"], "noise"),
        node("Add", ["a", "n"], ["y"]),
    ]
    path = write(tmp_path / "net.onnx", nodes, [4, 8], [4, 6], w=np.full((8, 6), 0.5))
    artifact = ensure(Network(zoo.resolve(str(path))))
    found = judged(artifact, 1.3)
    assert found is not None
    assert found[0] == "mismatch"
    assert "RandomNormalLike (noise) draws other numbers at every inference" in found[1]


@pytest.mark.parametrize("external", [False, True])
def test_subnormal_weights_of_a_file_are_named(tmp_path: Path, external: bool) -> None:
    weight = np.full((8, 6), 0.5, np.float32)
    weight[0] = 1e-40
    path = product(tmp_path / "net.onnx", weight)
    if external:
        onnx.save(onnx.load(path), path, save_as_external_data=True, location="data", size_threshold=0)
    [remark] = ensure(Network(zoo.resolve(str(path)))).remarks
    assert remark == "0.12 of the weight w is subnormal, which some runtimes take for zero"
    assert not ensure(Network(zoo.resolve(str(product(tmp_path / "sound.onnx"))))).remarks


def test_a_dropout_that_trains_is_named(tmp_path: Path) -> None:
    nodes = [
        node("Constant", [], ["ratio"], value=numpy_helper.from_array(np.float32(0.5))),
        node("Constant", [], ["training"], value=numpy_helper.from_array(np.array(True))),
        node("Dropout", ["x", "ratio", "training"], ["d"], "drop"),
        node("MatMul", ["d", "w"], ["y"], "fc"),
    ]
    path = write(tmp_path / "net.onnx", nodes, [4, 8], [4, 6], w=np.full((8, 6), 0.5))
    assert ensure(Network(zoo.resolve(str(path)))).remarks == ("Dropout (drop) is in training mode",)


UNHEALTHY = """
import torch

class Vanishing(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return (self.conv(x) * 1e-39).mean((2, 3))

def make():
    return Vanishing()

make.resolution = 16
"""


def test_unhealthy_numbers_are_counted_and_not_measured(tmp_path: Path, bench: Bench) -> None:
    pytest.importorskip("torch")
    (tmp_path / "net.py").write_text(UNHEALTHY)
    counted = bench("inspect", "net.py:make")
    assert counted.returncode == 0, counted.stderr
    assert f"{4 * 14 * 14 * 27 / 1e3:.3f} k" in counted.stdout
    bench("run", "--model", "net.py:make", "--backend", "fake", "--launches", 1, "--output", "r.csv")
    assert last(tmp_path)["status"] == "failed"
    assert "unhealthy" in last(tmp_path)["error"]
    assert "unhealthy" in one_line_error(bench("export", "net.py:make", "--output", "out.onnx"))
