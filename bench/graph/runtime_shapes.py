"""Shapes of what ONNX Runtime's operators put out: as it says itself, or by their form where it has no kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.graph.classes import channels_second
from bench.graph.nodes import attributes_of

if TYPE_CHECKING:
    import onnx

# Operators of which some builds have no kernel: the ONNX operator that has the same shapes, with its inputs.
LIKE = {"NhwcConv": ("Conv", 2), "NhwcFusedConv": ("Conv", 2), "GemmFloat8": ("Gemm", 2)}


def of_runtime(alone: onnx.ModelProto) -> list[Any] | None:
    """Have ONNX Runtime load a lone node, and return what it says of its outputs; None where it has no such kernel."""
    import onnxruntime as ort
    from onnx import TensorProto, helper

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(alone.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:  # its exceptions share no base class
        return None
    found = []
    for output in session.get_outputs():
        word = output.type.removeprefix("tensor(").removesuffix(")").upper()
        names = dict(TensorProto.DataType.items())
        kind = names.get(word, TensorProto.UNDEFINED)
        found.append(helper.make_tensor_type_proto(kind, output.shape))
    return found


def of_form(alone: onnx.ModelProto) -> list[Any] | None:
    """Infer a lone node as the ONNX operator that has the same shapes; None where there is no such operator."""
    import onnx
    from onnx import helper

    node, opset = alone.graph.node[0], helper.make_opsetid("", 17)
    if node.op_type not in LIKE or not node.domain.startswith("com.microsoft"):
        return None
    kind, inputs = LIKE[node.op_type]
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in alone.graph.input}
    shapes |= {t.name: list(t.dims) for t in alone.graph.initializer}
    sides = [shapes[name] for name in node.input[:inputs]]
    if kind == "Conv":  # the channels come last
        if len(sides[0]) < 3:
            return None
        sides[0] = [sides[0][0], sides[0][-1], *sides[0][1:-1]]
        if node.op_type == "NhwcConv":
            group = int(attributes_of(node).get("group", 1))
            sides[1] = list(channels_second(tuple(sides[1]), tuple(shapes[node.input[0]]), group))
    wanted = ("transA", "transB") if kind == "Gemm" else ("auto_pad", "dilations", "group", "pads", "strides")
    attributes = {name: value for name, value in attributes_of(node).items() if name in wanted}
    names = [f"i{i}" for i in range(inputs)]
    graph = helper.make_graph(
        [helper.make_node(kind, names, ["y"], **attributes)],
        "one",
        [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in zip(names, sides, strict=True)],
        [helper.make_empty_tensor_value_info("y")],
    )
    inferred = onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=[opset]))
    dims = [d.dim_value for d in inferred.graph.output[0].type.tensor_type.shape.dim]
    if not dims or not all(dims):
        return None
    if kind == "Conv":
        dims = [dims[0], *dims[2:], dims[1]]
    first = next((v.type.tensor_type.elem_type for v in alone.graph.input if v.name == node.input[0]), 0)
    return [helper.make_tensor_type_proto(first or onnx.TensorProto.FLOAT, dims)]
