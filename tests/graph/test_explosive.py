"""Files that would explode, or never end."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from bench.api import inspect
from bench.base.errors import BenchError
from bench.export import ensure
from bench.graph.reading import infer
from bench.plan import zoo
from bench.plan.case import Network
from tests.graph.made import given, loop, model, node, value, write

S = TensorProto.FLOAT


def doubled(times: int) -> Any:
    nodes = [node("Concat", [f"t{i}", f"t{i}"], [f"t{i + 1}"], axis=0) for i in range(times)]
    start = node("Constant", [], ["t0"], value=given("", [1, 2, 3, 4]))
    last = node("Cast", [f"t{times}"], ["c"], to=S)
    return model([start, *nodes, last, node("Add", ["x", "c"], ["y"])], [value("x", 1)], ["y"])


def ranged() -> Any:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("ReduceProd", ["s"], ["n"], keepdims=0),
        node("Mul", ["n", "many"], ["end"]),
        node("Range", ["zero", "end", "one"], ["r"]),
        node("Cast", ["r"], ["c"], to=S),
        node("Add", ["x", "c"], ["y"]),
    ]
    return model(nodes, [value("x", 1)], ["y"], [given("many", 1 << 38), given("zero", 0), given("one", 1)])


def filled() -> Any:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Mul", ["s", "many"], ["to"]),
        node("ConstantOfShape", ["to"], ["c"]),
        node("Add", ["x", "c"], ["y"]),
    ]
    return model(nodes, [value("x", 1)], ["y"], [given("many", [1 << 38])])


def nested(depth: int) -> Any:
    """Functions that call the one below them twice: 2 to the power of `depth` nodes, written out."""
    made = model([node(f"F{depth}", ["x"], ["y"], domain="mine")], [value("x", 1)], ["y"])
    for i in range(depth + 1):
        inner = [node("Relu", ["a"], ["b"])]
        if i:
            calls = (["a"], ["m"]), (["m"], ["b"])
            inner = [node(f"F{i - 1}", *call, domain="mine") for call in calls]
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
        made.functions.append(helper.make_function("mine", f"F{i}", ["a"], ["b"], inner, opsets))
    return made


def test_explosive_files_take_nothing_here() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for made in (doubled(45), ranged(), filled()):
        infer(made)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


@pytest.mark.parametrize("make", [lambda: doubled(45), ranged, filled], ids=["doubled", "ranged", "filled"])
def test_explosive_files_are_refused_before_they_run(tmp_path: Path, make: Any) -> None:
    path = write(make(), tmp_path / "net.onnx")
    with pytest.raises(BenchError, match="GiB and this machine has"):
        ensure(Network(zoo.resolve(str(path))))


def test_functions_without_end_meet_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(nested(40), tmp_path / "net.onnx")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    monkeypatch.setattr("bench.export.graph_of.TIMEOUT_S", 5.0)
    with pytest.raises(BenchError) as caught:
        inspect(path)
    assert "valid" not in caught.value.message
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(before, 4 << 20)


def test_a_loop_without_end_meets_the_timeout(tmp_path: Path) -> None:
    endless = loop(1 << 62, [node("ReduceSum", ["x"], ["z"], keepdims=0)], [], "z")
    path = write(endless, tmp_path / "net.onnx")
    with pytest.raises(BenchError, match="more than 3 s"):
        ensure(Network(zoo.resolve(str(path))), timeout_s=3)
