"""Mutations of ONNX graphs that keep most of them a graph: shapes, attributes, operators, names, edges, files."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import numpy as np

from tests.fuzz.mutate import NUMBERS, TEXTS, octets

SIZES = (0, 1, 2, 3, 4, 7, 16, 255, 1 << 16, 1 << 31, -1)
OPERATORS = (
    "Add", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant", "ConstantOfShape", "Conv",
    "ConvTranspose", "Einsum", "Expand", "Flatten", "Gather", "Gemm", "GlobalAveragePool", "GRU", "If",
    "LayerNormalization",
    "Loop", "LSTM", "MatMul", "MaxPool", "NonZero", "OneHot", "Pad", "QLinearConv", "QuantizeLinear", "Range",
    "ReduceMean",
    "Relu", "Reshape", "Resize", "Scan", "SequenceAt", "Shape", "Slice", "Softmax", "Split", "Squeeze", "Tile", "TopK",
    "Transpose", "Unsqueeze", "Where", "FusedConv", "NoSuchOperator",
)  # fmt: skip


@cache
def seeds() -> tuple[bytes, ...]:
    """Return small graphs of several kinds, serialised: convolutions, attention, quantised, control flow, recurrent."""
    from onnx import TensorProto, helper, numpy_helper

    from tests.conftest import tiny_model

    def weight(name: str, *shape: int, kind: Any = np.float32) -> Any:
        return numpy_helper.from_array((np.random.default_rng(0).standard_normal(shape) * 9).astype(kind), name)

    def graph(nodes: list[Any], inputs: dict[str, list[Any]], outputs: dict[str, list[Any]], *weights: Any) -> bytes:
        ends = [
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in side.items()]
            for side in (inputs, outputs)
        ]
        made = helper.make_graph(nodes, "g", *ends, list(weights))
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        content: bytes = model.SerializeToString()
        return content

    node = helper.make_node
    attention = [
        node("MatMul", ["x", "wq"], ["q"]), node("Transpose", ["x"], ["xt"], perm=[0, 2, 1]),
        node("MatMul", ["q", "xt"], ["s"]), node("Softmax", ["s"], ["p"], axis=-1), node("MatMul", ["p", "x"], ["y"]),
    ]  # fmt: skip
    computed = [
        node("Shape", ["x"], ["sh"]), node("Gather", ["sh", "zero"], ["n"]), node("Unsqueeze", ["n", "zero"], ["n1"]),
        node("Concat", ["n1", "rest"], ["to"], axis=0), node("Reshape", ["x", "to"], ["f"]),
        node("Gemm", ["f", "w"], ["y"]),
    ]  # fmt: skip
    quantised = [
        node("QuantizeLinear", ["x", "s", "z"], ["xq"]), node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        node("DequantizeLinear", ["w", "s", "z"], ["wd"]), node("Conv", ["xd", "wd"], ["y"], pads=[1, 1, 1, 1]),
    ]  # fmt: skip
    inner = [
        helper.make_graph([node("MatMul", ["x", name], ["o"])], name,
                          [], [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)])
        for name in ("a", "b")
    ]  # fmt: skip
    branch = [node("If", ["c"], ["y"], then_branch=inner[0], else_branch=inner[1])]
    recurrent = [node("LSTM", ["x", "w", "r"], ["h"], hidden_size=4), node("Relu", ["h"], ["y"])]
    whole = np.int64
    return (
        tiny_model().SerializeToString(),
        tiny_model(batch="n").SerializeToString(),
        graph(attention, {"x": [1, 6, 8]}, {"y": [1, 6, 8]}, weight("wq", 8, 8)),
        graph(computed, {"x": ["n", 3, 2, 2]}, {"y": ["n", 5]}, weight("w", 12, 5),
              numpy_helper.from_array(np.array([0], whole), "zero"), numpy_helper.from_array(np.array([12], whole),
              "rest")),
        graph(quantised, {"x": [1, 3, 5, 5]}, {"y": [1, 4, 5, 5]}, weight("w", 4, 3, 3, 3, kind=np.int8),
              numpy_helper.from_array(np.array(0.1, np.float32), "s"), numpy_helper.from_array(np.array(0, np.int8),
              "z")),
        graph(branch, {"x": [2, 4]}, {"y": [2, 4]}, weight("a", 4, 4), weight("b", 4, 4),
              numpy_helper.from_array(np.array(True), "c")),
        graph(recurrent, {"x": [5, 1, 3]}, {"y": [5, 1, 1, 4]}, weight("w", 1, 16, 3), weight("r", 1, 16, 4)),
    )  # fmt: skip


def make(rng: random.Random) -> bytes:
    """Return a mutated graph."""
    import onnx

    model = onnx.load_from_string(rng.choice(seeds()))
    for _ in range(rng.randint(1, 3)):
        rng.choice(CHANGES)(rng, model.graph)
    if rng.random() < 0.1:
        del model.opset_import[:]
    elif rng.random() < 0.1:
        model.opset_import[0].version = rng.choice((0, 1, 6, 11, 13, 21, 99, 2**62))
    content: bytes = model.SerializeToString()
    return octets(rng, content) if rng.random() < 0.15 else content


def _shape(rng: random.Random, graph: Any) -> None:
    value = rng.choice([*graph.input, *graph.output])
    dims = value.type.tensor_type.shape.dim
    if not dims or rng.random() < 0.2:
        dims.add().dim_value = rng.choice(SIZES)
        return
    one = rng.choice(dims)
    if rng.random() < 0.3:
        one.dim_param = rng.choice(TEXTS[:30]).encode("utf-8", "replace").decode()
    else:
        one.dim_value = rng.choice(SIZES)


def _attribute(rng: random.Random, graph: Any) -> None:
    found = [a for n in graph.node for a in n.attribute]
    if not found:
        return
    one = rng.choice(found)
    number = rng.choice([n for n in NUMBERS if -(2**63) <= n < 2**63])
    if one.ints and rng.random() < 0.7:
        one.ints[rng.randrange(len(one.ints))] = number
    elif rng.random() < 0.3:
        one.ints.append(number)
    else:
        one.i, one.type = number, rng.choice((one.type, 2))


def _operator(rng: random.Random, graph: Any) -> None:
    node = rng.choice(graph.node)
    node.op_type = rng.choice(OPERATORS)
    if rng.random() < 0.3:
        node.domain = rng.choice(("com.microsoft", "ai.onnx.ml", "nobody", ""))


def _edge(rng: random.Random, graph: Any) -> None:
    node = rng.choice(graph.node)
    names = [v for n in graph.node for v in (*n.input, *n.output)] + [
        "",
        "nowhere",
        *(w.name for w in graph.initializer),
    ]
    side = rng.choice((node.input, node.output))
    if side and rng.random() < 0.7:
        side[rng.randrange(len(side))] = rng.choice(names)
    else:
        side.append(rng.choice(names))


def _node(rng: random.Random, graph: Any) -> None:
    at = rng.randrange(len(graph.node))
    if rng.random() < 0.5 and len(graph.node) > 1:
        del graph.node[at]
    else:
        graph.node.insert(rng.randint(0, len(graph.node)), graph.node[at])


def _weight(rng: random.Random, graph: Any) -> None:
    if not graph.initializer:
        return
    one = rng.choice(graph.initializer)
    match rng.randrange(5):
        case 0:
            if one.dims:
                one.dims[rng.randrange(len(one.dims))] = rng.choice(SIZES)
        case 1:
            one.data_type = rng.randrange(0, 30)
        case 2:
            one.raw_data = octets(rng, one.raw_data)
        case 3:
            one.data_location = 1
            one.external_data.add(key="location", value=rng.choice(("w.bin", "/etc/passwd", "../w", "", "model.onnx")))
        case _:
            one.name = rng.choice(("", "x", "y", *(w.name for w in graph.initializer)))


def _type(rng: random.Random, graph: Any) -> None:
    value = rng.choice([*graph.input, *graph.output])
    if rng.random() < 0.7:
        value.type.tensor_type.elem_type = rng.randrange(0, 30)
    else:
        value.ClearField("type")


def _grow(rng: random.Random, graph: Any) -> None:
    """A chain that doubles its size with each node."""
    from onnx import helper

    name = rng.choice(graph.input).name if graph.input else "x"
    for i in range(rng.choice((3, 12, 40))):
        graph.node.append(helper.make_node("Concat", [name, name], [f"grown{i}"], axis=0))
        name = f"grown{i}"


CHANGES = (_shape, _shape, _attribute, _attribute, _operator, _edge, _node, _weight, _type, _grow)
