"""The kernels of ONNX Runtime: the operators of its optimised graph, with the shapes of its blocked layout.

ONNX Runtime writes no shapes for tensors in its NCHWc layout. They are inferred: a blocked operator has the shape of
the standard one of its name on padded channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.backends.base import Options
from bench.backends.kernel import BLOCKED, Kernel, cut
from bench.graph.classes import CLASSES, OpClass, Shape
from bench.graph.onnx_read import fetch_small
from bench.graph.reading import OnnxModel, OnnxNode, OnnxTensor, OnnxValue

FLOAT = 1
# Operators of its own whose first output has the shape of the first input, and those that are a standard one with more.
SAME = ("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", "BiasAdd")
STANDARD = {"FusedConv": "Conv", "FusedGemm": "Gemm", "FusedMatMul": "MatMul"}


@dataclass(frozen=True, slots=True)
class KernelList:
    """The kernels of a graph in order, and the operators that could not be cut out, each with the reason.

    `names` are those by which the runtime's profiler knows them, where it tells their times.
    """

    kernels: tuple[Kernel, ...]
    lost: tuple[str, ...]
    names: tuple[str, ...] = ()


def optimise(source: Path, threads: int, options: Options) -> OnnxModel:
    """Return the graph that ONNX Runtime makes of a model, without the content of weights that it left in other files.

    What it names so lies where the source has it, not beside the graph that it writes.
    """
    import tempfile

    import onnx
    import onnxruntime as ort

    from bench.backends.onnxruntime import LEVELS

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder, "optimized.onnx")
        so = ort.SessionOptions()
        so.intra_op_num_threads = threads
        so.graph_optimization_level = getattr(ort.GraphOptimizationLevel, LEVELS[str(options["optimization"])])
        so.optimized_model_filepath = str(path)
        so.log_severity_level = 4
        ort.InferenceSession(str(source), so, providers=["CPUExecutionProvider"])
        model = onnx.load(path, load_external_data=False)
    fetch_small(model, source.parent)
    return model


def kernels_of(model: OnnxModel) -> KernelList:
    """Cut every operator out of an optimised graph."""
    shapes, types = infer_shapes(model)
    constants = {t.name: t for t in model.graph.initializer}
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    found, lost = [], []
    for node in model.graph.node:
        try:
            found.append(cut(node, shapes, types, constants, opset))
        except KeyError as error:
            lost.append(f"{node.op_type} (the shape of {error.args[0]} is not known)")
        except ValueError as error:
            lost.append(f"{node.op_type} ({error})")
    return KernelList(tuple(found), tuple(lost))


def infer_shapes(model: OnnxModel) -> tuple[dict[str, Shape], dict[str, int]]:
    """Return shape and element type of every tensor of an optimised graph, as far as they can be told."""
    shapes: dict[str, Shape] = {t.name: tuple(t.dims) for t in model.graph.initializer}
    types: dict[str, int] = {t.name: t.data_type for t in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        _learn(value, shapes, types)
    block = _block(model, shapes)
    for node in model.graph.node:
        missing = [name for name in node.output if name and name not in shapes]
        if not missing:
            continue
        source = node.input[0]
        if source not in shapes:
            continue
        if node.op_type == "ReorderInput":
            batch, channels, *sides = shapes[source]
            if any(a.name == "channels_last" and a.i for a in node.attribute):
                batch, *sides, channels = shapes[source]
            shapes[missing[0]], types[missing[0]] = (batch, -(-channels // block) * block, *sides), FLOAT
        elif node.op_type == "ReorderOutput":
            batch, _, *sides = shapes[source]
            channels = next(a.i for a in node.attribute if a.name == "channels")
            last = any(a.name == "channels_last" and a.i for a in node.attribute)
            shape = (batch, *sides, channels) if last else (batch, channels, *sides)
            shapes[missing[0]], types[missing[0]] = shape, FLOAT
        elif node.op_type == "Upsample" and node.domain == BLOCKED:
            scales = next(tuple(a.ints) for a in node.attribute if a.name == "scales")
            shapes[missing[0]] = tuple(s * k for s, k in zip(shapes[source], scales, strict=True))
            types[missing[0]] = FLOAT
        elif CLASSES.get(node.op_type) is OpClass.ACTIVATION or node.op_type in SAME:  # also those ONNX does not have
            shapes[missing[0]], types[missing[0]] = shapes[source], types[source]
        else:
            _infer_one(node, model, shapes, types)
    return shapes, types


def _learn(value: OnnxValue, shapes: dict[str, Shape], types: dict[str, int]) -> None:
    tensor = value.type.tensor_type
    if tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim):
        shapes.setdefault(value.name, tuple(d.dim_value for d in tensor.shape.dim))
        types.setdefault(value.name, tensor.elem_type)


def _infer_one(node: OnnxNode, model: OnnxModel, shapes: dict[str, Shape], types: dict[str, int]) -> None:
    """Let ONNX infer the outputs of one operator, a blocked one as if it were the standard one of its name."""
    import onnx
    from onnx import NodeProto, helper

    plain = NodeProto()
    plain.CopyFrom(node)
    if node.domain:
        plain.domain = ""
        plain.op_type = STANDARD.get(node.op_type, node.op_type)
        own = {"activation", "activation_params", "activation_alpha", "activation_beta"}
        kept = [a for a in node.attribute if a.name not in own]
        del plain.attribute[:]
        plain.attribute.extend(kept)
        if plain.op_type == "Conv":
            del plain.input[3:]  # the sum that is fused into it
        if node.op_type == "FusedMatMul":
            _transposed(plain, shapes, types)
    names = [n for n in dict.fromkeys(plain.input) if n]
    if not all(n in shapes for n in names):
        return
    weights = {t.name: t for t in model.graph.initializer}
    told = [n for n in names if n in weights and _at_hand(weights[n])]
    graph = helper.make_graph(
        [plain],
        "one",
        [helper.make_tensor_value_info(n, types[n], shapes[n]) for n in names if n not in weights],
        [helper.make_empty_tensor_value_info(n) for n in plain.output if n],
        [weights[n] for n in told],
    )
    graph.input.extend(
        helper.make_tensor_value_info(n, types[n], shapes[n]) for n in names if n in weights and n not in told
    )
    inferred = onnx.shape_inference.infer_shapes(
        helper.make_model(graph, opset_imports=[o for o in model.opset_import if o.domain == ""])
    )
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        _learn(value, shapes, types)


def _at_hand(weight: OnnxTensor) -> bool:
    """Tell whether a weight may go along where shapes are inferred: it is small, and in no other file."""
    return weight.ByteSize() < 4096 and not weight.external_data


def _transposed(plain: OnnxNode, shapes: dict[str, Shape], types: dict[str, int]) -> None:
    """Replace the operands of a product that transposes them by such as it takes, with shapes of their own."""
    given = {a.name: a.i for a in plain.attribute}
    del plain.attribute[:]
    for i, flag in enumerate(("transA", "transB")):
        source = plain.input[i]
        if given.get(flag) and source in shapes:
            plain.input[i] = f"{source} transposed"
            shapes[plain.input[i]] = (*shapes[source][:-2], shapes[source][-1], shapes[source][-2])
            types[plain.input[i]] = types[source]


def _block(model: OnnxModel, shapes: dict[str, Shape]) -> int:
    """Tell the SIMD block of the blocked layout from the weights, which are padded to it."""
    for node in model.graph.node:
        if node.domain == BLOCKED and node.op_type == "Conv" and shapes[node.input[1]][0] % 16:
            return 8
    return 16
