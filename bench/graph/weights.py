"""What the weights of a graph are, as a whole: how many parameters, and in which precision."""

from __future__ import annotations

from math import prod

from bench.graph.access import parameter_inputs, parameters, stored_as
from bench.graph.nodes import attributes_of
from bench.graph.reading import OnnxModel, OnnxNode, Reading

# ONNX element types by their number, for the precisions that a row tells.
PRECISIONS = {1: "fp32", 10: "fp16", 16: "bf16", 11: "fp64", 2: "int8", 3: "int8", 21: "int4", 22: "int4", 23: "fp4"}
PRECISIONS |= dict.fromkeys((17, 18, 19, 20), "fp8")


def parameters_of(reading: Reading) -> int:
    """Count the parameters of a graph: the elements of stored tensors that are data of some node that runs."""
    seen: set[str] = set()
    return sum(parameters(node, reading, seen) for node in reading.nodes)


def precision_of(reading: Reading, model: OnnxModel) -> str:
    """Name the precision of the weights by the type that holds most of them, as stored before they are dequantised.

    Of a graph whose nodes have none (those of a loop's body) what is stored anywhere in `model` decides.
    """
    held: dict[str, int] = {}
    seen: set[str] = set()
    for node in reading.nodes:
        for name in parameter_inputs(node):
            if name in reading.constants and name not in seen and reading.shapes.get(name):
                seen.add(name)
                kind = _kind(node, name, reading)
                held[kind] = held.get(kind, 0) + prod(reading.shapes[name])
    held.pop("", None)
    if not held:
        from bench.graph.onnx_read import tensors

        for tensor in tensors(model):
            kind = PRECISIONS.get(tensor.data_type, "")
            held[kind] = held.get(kind, 0) + prod(tensor.dims) * bool(kind)
        held.pop("", None)
    return max(held, key=lambda kind: held[kind]) if held else "fp32"


def _kind(node: OnnxNode, name: str, reading: Reading) -> str:
    if node.op_type == "MatMulNBits" and name == node.input[1]:
        return f"int{attributes_of(node).get('bits', 4)}"
    if node.op_type == "MatMulBnb4" and name == node.input[1]:
        return "fp4"
    source = stored_as(name, reading)
    return PRECISIONS.get(reading.types.get(source[0] if source else name, 0), "")
