"""Small graphs, written node by node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

node = helper.make_node
MICROSOFT = "com.microsoft"


def value(name: str, *shape: object, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def given(name: str, numbers: object, dtype: Any = np.int64) -> Any:
    return numpy_helper.from_array(np.array(numbers, dtype), name)


def weight(name: str, *shape: int, dtype: Any = np.float32) -> Any:
    return given(name, np.ones(shape), dtype)


def model(nodes: list[Any], inputs: list[Any], outputs: list[str], weights: list[Any] = (), opset: int = 17) -> Any:
    ends = [helper.make_empty_tensor_value_info(name) for name in outputs]
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1), helper.make_opsetid("mine", 1)]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, ends, list(weights)), opset_imports=opsets)


def write(made: Any, path: Path, rank: int = 1, **how: Any) -> Path:
    for output in made.graph.output:
        output.CopyFrom(value(output.name, *(f"side{i}" for i in range(rank))))
    onnx.save(made, path, **how)
    return path


def loop(trips: int, body: list[Any], carried: list[Any], out: str) -> Any:
    """A Loop whose inputs are constant and whose body captures `x`."""
    graph = helper.make_graph(
        [node("Identity", ["more"], ["again"]), *body],
        "body",
        [value("i", kind=TensorProto.INT64), value("more", kind=TensorProto.BOOL), *carried],
        [value("again", kind=TensorProto.BOOL), helper.make_empty_tensor_value_info(out)],
    )
    nodes = [node("Loop", ["trips", "yes"], ["y"], "loop", body=graph)]
    weights = [given("trips", trips), given("yes", True, np.bool_), weight("w", 8, 8)]
    return model(nodes, [value("x", 4, 8)], ["y"], weights)
