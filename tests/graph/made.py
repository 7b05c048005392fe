"""Small graphs, written node by node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.backends import networks
from tests.backends.networks import node, value

MICROSOFT = "com.microsoft"


def given(name: str, numbers: object, dtype: Any = np.int64) -> Any:
    return networks.given(name, numbers, dtype)


def weight(name: str, *shape: int, dtype: Any = np.float32) -> Any:
    return given(name, np.ones(shape), dtype)


def model(nodes: list[Any], inputs: list[Any], outputs: list[str], weights: list[Any] = (), opset: int = 17) -> Any:
    """Make a model whose outputs have no types."""
    return networks.model(nodes, inputs, [helper.make_empty_tensor_value_info(n) for n in outputs], weights, opset)


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
