"""The kernels of OpenVINO's CPU plugin: the nodes of its runtime model, as a table of their times knows them.

They cannot be run alone; the runtime's own counters tell their times (`bench.backends.ov_profile`). A kernel is what
decides that time: the kind of node, its implementation and layouts, the shapes of all operands, the attributes of the
layer it comes from, and which other layers are fused into it.
"""

from __future__ import annotations

from typing import Any

from bench.backends.kernel import Kernel, Operand
from bench.backends.ort_kernels import KernelList
from bench.backends.ov_graph import (
    ATTENTION,
    CONVOLUTIONS,
    NOTHING,
    PRODUCTS,
    attention_macs,
    info_of,
    product_macs,
)

TYPES = {"f32": 1, "u8": 2, "i8": 3, "i32": 6, "i64": 7, "boolean": 9, "f16": 10, "f64": 11, "bf16": 16}
# Attributes of a source layer, by what ONNX calls them.
OWN = {"strides": "strides", "dilations": "dilations", "kernel": "kernel_shape", "pads_begin": "pads", "axis": "axis",
       "auto_pad": "auto_pad", "mode": "mode", "keep_dims": "keepdims"}  # fmt: skip


def kernels_of(compiled: Any, source: Any) -> KernelList:
    """Return the kernels of a compiled model in order of execution.

    `source` is the model that was compiled, as it was read. What depends on no input runs once and is left out.
    """
    layers = {node.get_friendly_name(): node for node in source.get_ordered_ops()}
    nodes = compiled.get_runtime_model().get_ordered_ops()
    told = {node.get_friendly_name(): info_of(node) for node in nodes}
    live: set[str] = set()
    kernels, names = [], []
    for node in nodes:
        name = node.get_friendly_name()
        before = [i.get_source_output().get_node().get_friendly_name() for i in node.inputs()]
        if node.get_type_name() != "Parameter" and not live.intersection(before):
            continue
        live.add(name)
        kind = told[name].get("layerType", node.get_type_name())
        if kind in NOTHING or node.get_type_name() in NOTHING:
            continue
        kernels.append(_kernel(node, kind, told, before, live, layers))
        names.append(name)
    return KernelList(tuple(kernels), (), tuple(names))


def _kernel(
    node: Any, kind: str, told: dict[str, dict[str, str]], before: list[str], live: set[str], layers: dict[str, Any]
) -> Kernel:
    info = told[node.get_friendly_name()]
    origins = [name for name in info.get("originalLayersNames", "").split(",") if name]
    parts = [layers[name] for name in origins if name in layers]
    shapes = [tuple(i.get_source_output().get_shape()) for i in node.inputs()]
    after = [tuple(o.get_shape()) for o in node.outputs()]
    attributes: dict[str, Any] = {
        "implementation": info.get("primitiveType", ""),
        "layout": info.get("outputLayouts", ""),
        "layout_in": told[before[0]].get("outputLayouts", "") if before else "",
        "fused": tuple(sorted(part.get_type_name() for part in parts if part.get_type_name() != "Constant")),
        "macs": _macs(kind, shapes, after),
    }
    for part in parts:
        given = part.get_attributes()
        for theirs, ours in OWN.items():
            if theirs in given and ours not in attributes:
                attributes[ours] = _plain(given[theirs])
    if kind in CONVOLUTIONS and len(shapes) > 1 and len(shapes[1]) == len(shapes[0]) + 1:  # [G, O/G, I/G, ...]
        group, *weight = shapes[1]
        attributes["group"] = int(group)
        shapes[1] = (group * weight[0], *weight[1:])
    ports = node.inputs()
    inputs = tuple(
        Operand(f"i{i}", shape, _type(ports[i].get_element_type()), before[i] not in live)
        for i, shape in enumerate(shapes)
    )
    outputs = tuple(Operand(f"o{i}", s, _type(node.outputs()[i].get_element_type())) for i, s in enumerate(after))
    return Kernel(kind, "", attributes, inputs, outputs, 0)


def _macs(kind: str, shapes: list[tuple[int, ...]], after: list[tuple[int, ...]]) -> int:
    from math import prod

    if kind in CONVOLUTIONS and len(shapes) > 1:
        weight = shapes[1]
        inner = prod(weight[2:]) if len(weight) == len(shapes[0]) + 1 else prod(weight[1:])
        return (prod(after[0]) if kind == "Convolution" else prod(shapes[0])) * inner
    if kind in PRODUCTS and shapes:
        return product_macs(shapes[0], after[0])
    if kind in ATTENTION and len(shapes) > 2:
        return attention_macs(*shapes[:3]) or 0
    return 0


def _type(element: Any) -> int:
    return TYPES.get(element.get_type_name(), 0)


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    try:
        return tuple(int(v) for v in value)
    except (TypeError, ValueError):
        return str(value)
