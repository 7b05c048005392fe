"""OpenVINO's runtime model, read: which operators really run, by which implementation, with how many MACs.

MACs follow from the shapes of convolutions, products and fused attentions. What the plugin compiled into one piece
(``Subgraph``) tells no more than the names of the layers it is made of: it has the MACs of those source nodes that no
other operator is made of, as long as they fit into what is missing.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

from bench.artifact.artifact import Artifact
from bench.backends.base import Operator
from bench.backends.ran import settle
from bench.graph.classes import OpClass, classify

# OpenVINO's names of element types, and ours.
NAMES = {"f32": "fp32", "float32": "fp32", "bf16": "bf16", "bfloat16": "bf16", "f16": "fp16", "float16": "fp16"}
NAMES |= {"i8": "int8", "u8": "int8", "int8_t": "int8", "uint8_t": "int8", "dynamic": "dynamic", "f64": "fp64"}
NAMES |= dict.fromkeys(("i4", "u4", "nf4", "int4_t", "uint4_t"), "int4")
LOW = ("int4", "int8")
CONVOLUTIONS = ("Convolution", "Deconvolution")
PRODUCTS = ("FullyConnected", "MatMul")
ATTENTION = ("ScaledDotProductAttention", "ScaledAttn")
NOTHING = ("Parameter", "Result", "Input", "Output", "Const", "Constant", "MemoryInput", "MemoryOutput")
# Compiled in one piece, from whatever there was.
PIECES = ("Subgraph", "Snippet")
# What the frontend appends to the name of a node that it splits into several.
SPLIT = ("/WithoutBiases", "/MatMul", "/Convolution")
# How many nodes that were made part of another one, and lost their names, are followed to the one that kept its own.
FOLLOWED = 4
Shape = tuple[int, ...]


def operators(compiled: Any, source: Any, artifact: Artifact) -> list[Operator]:
    """Return every operator of a compiled model in order of execution; see `Operator.opaque`.

    `source` is the model that was compiled, as it was read.
    """
    found: list[Operator] = []
    origins: list[set[str]] = []
    suspects: set[int] = set()
    live: set[str] = set()  # what depends on an input; the rest is computed once, when the model loads
    for node in compiled.get_runtime_model().get_ordered_ops():
        sources = {i.get_source_output().get_node().get_friendly_name() for i in node.inputs()}
        alive = node.get_type_name() == "Parameter" or bool(sources & live)
        live |= {node.get_friendly_name()} if alive else set()
        operator, names = _operator(node, alive)
        if alive and operator.macs is None and _may_hide(operator.kind):
            suspects.add(len(found))
        found.append(operator)
        origins.append(names)
    return settle(_claimed(found, origins, suspects, source, artifact), suspects, artifact)


def info_of(node: Any) -> dict[str, str]:
    """Return what a node of the runtime model says of itself."""
    return {k: str(v.astype(str)) if hasattr(v, "astype") else str(v) for k, v in node.get_rt_info().items()}


def precision_of(told: dict[str, str]) -> str:
    """Name the precision of an operator by its implementation, whose name ends with the type that it computes in.

    ``runtimePrecision`` says what the tensors of an operator may hold, and i8 of convolutions that ran in f32.
    """
    ending = told.get("primitiveType", "").rpartition("_")[2]
    return NAMES.get(ending.lower()) or NAMES.get(told.get("runtimePrecision", ""), told.get("runtimePrecision", ""))


def product_macs(left: Shape, out: Shape) -> int:
    """Count the MACs of a matrix product from the shapes of its left operand, transposed or not, and its result."""
    shared = left[-1] if left else 1
    if len(left) > 1 and len(out) > 1 and out[-2] and left[-2] * left[-1] % out[-2] == 0:
        shared = left[-2] * left[-1] // out[-2]
    return prod(out) * shared


def attention_macs(query: Shape, key: Shape, value: Shape) -> int | None:
    """Count the MACs of softmax(Q K^T) V from its shapes ``[..., length, size]``; None where they do not fit."""
    if min(len(query), len(key), len(value)) < 3 or query[-1] != key[-1] or key[-2] != value[-2]:
        return None
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _operator(node: Any, alive: bool) -> tuple[Operator, set[str]]:
    told = info_of(node)
    kind = told.get("layerType", node.get_type_name())
    inputs = [tuple(i.get_source_output().get_shape()) for i in node.inputs()]
    outputs = [tuple(o.get_shape()) for o in node.outputs()]
    macs: int | None = None
    if not alive:
        pass
    elif kind in CONVOLUTIONS and len(inputs) > 1:
        weight = inputs[1]
        grouped = len(weight) == len(inputs[0]) + 1  # [G, O/G, I/G, ...] against [O, I, ...]
        per_element = prod(weight[2:]) if grouped else prod(weight[1:])
        macs = (prod(outputs[0]) if kind == "Convolution" else prod(inputs[0])) * per_element
    elif kind in PRODUCTS and inputs:
        macs = product_macs(inputs[0], outputs[0])
    elif kind in ATTENTION and len(inputs) > 2:
        macs = attention_macs(*inputs[:3])
    precision = precision_of(told)
    if kind in (*CONVOLUTIONS, *PRODUCTS) and len(inputs) > 1 and precision not in LOW:
        # Weights that the kernel itself unpacks: the lower one of its operands tells.
        stored = NAMES.get(node.inputs()[1].get_element_type().get_type_name(), "")
        precision = stored if stored in LOW else precision
    names = told.get("originalLayersNames") or node.get_friendly_name()
    operator = Operator(
        name=names,
        kind=kind,
        macs=macs,
        precision=precision,
        layout=told.get("outputLayouts", ""),
        implementation=told.get("primitiveType", ""),
        shapes=tuple(outputs),
    )
    return operator, {_source(name) for name in names.split(",") if name}


def _may_hide(kind: str) -> bool:
    """Tell whether an operator may hide MACs: of matrix kind, compiled in one piece, or unknown."""
    op_class = classify(kind)
    return kind in PIECES or (kind not in NOTHING and (op_class is OpClass.OTHER or op_class.family in HEAVY))


HEAVY = ("convolution", "matmul")


def _claimed(
    found: list[Operator], origins: list[set[str]], suspects: set[int], source: Any, artifact: Artifact
) -> list[Operator]:
    """Give the suspects the MACs of the source nodes that are theirs alone, where those are missing elsewhere."""
    told = {name for op, names in zip(found, origins, strict=True) if op.macs for name in names}
    missing = artifact.macs - sum(op.macs or 0 for op in found)
    unclaimed = [op for op in artifact.mac_ops if op.name not in told]
    if missing <= 0 or not suspects or not unclaimed:
        return found
    owner = {name: i for i, names in enumerate(origins) for name in names}
    nodes = {_source(node.get_friendly_name()): node for node in source.get_ordered_ops()}
    claims: dict[int, int] = {}
    for op in unclaimed:
        place = _owner(op.name, nodes, owner)
        if place in suspects:
            claims[place] = claims.get(place, 0) + op.macs
    for place, macs in claims.items():
        if macs <= missing:
            missing -= macs
            found[place] = replace(found[place], macs=macs)
    return found


def _owner(name: str, nodes: dict[str, Any], owner: dict[str, int]) -> int | None:
    """Find the operator that a source node became a part of: by its name, else by that of what takes its result.

    A product and the scaling after it become one node, under the name of the second.
    """
    for _ in range(FOLLOWED):
        if name in owner:
            return owner[name]
        users = [user.get_node() for user in nodes[name].output(0).get_target_inputs()] if name in nodes else []
        if len(users) != 1:
            return None
        name = _source(users[0].get_friendly_name())
    return None


def _source(name: str) -> str:
    """Return the name that a layer had in the source."""
    for ending in SPLIT:
        name = name.removesuffix(ending)
    return name
