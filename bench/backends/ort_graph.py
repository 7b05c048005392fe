"""ONNX Runtime's optimised graph, read: which operators really run, in which layout, with how many MACs.

The NCHWc transformer stores weights padded to the SIMD block (16 floats with AVX-512, 8 with AVX2 and NEON). So an
operator of the optimised graph is matched with one of the source graph by what padding leaves equal: kernel, stride
of groups, and channel numbers rounded up to the block.
"""

from __future__ import annotations

from collections import defaultdict
from math import prod

from bench.artifact.artifact import Artifact, MacOp
from bench.backends.base import Operator
from bench.base.wire import Unchecked
from bench.graph.complexity import CONVOLUTIONS, FUSED, PRODUCTS, UNCOUNTED
from bench.graph.reading import OnnxModel

BLOCK = 16
KINDS = FUSED | {"NhwcFusedConv": "Conv"}
OPAQUE = UNCOUNTED | {"Einsum"}  # its MACs are in the source's count, but it is matched with no node of it
Key = tuple[object, ...]
Providers = dict[tuple[str, str], list[str]]


def operators(model: OnnxModel, artifact: Artifact, ran: Providers) -> list[Operator]:
    """Return the operators of an optimised model, each with the MACs of the source node it was matched with.

    A multiply-accumulating operator that matches no node of the source is `opaque`: what it computes is unknown.
    `ran` says where each ran; see `providers`.
    """
    source: dict[Key, list[MacOp]] = defaultdict(list)
    for op in artifact.mac_ops:
        source[_key(op.op, op.weight, op.group)].append(op)
    weights = {t.name: (tuple(t.dims), _precision(t.data_type)) for t in model.graph.initializer}
    found = []
    for node in model.graph.node:
        kind = KINDS.get(node.op_type, node.op_type)
        layout = "nchwc" if node.domain.endswith("nchwc") else ""
        macs = padded = None
        precision, opaque = "", kind in OPAQUE
        shapes: tuple[tuple[int, ...], ...] = ()
        if kind in (*CONVOLUTIONS, *PRODUCTS, "Gemm", "ConvTranspose"):
            index = (CONVOLUTIONS | PRODUCTS).get(kind, (0, 1))[1]
            shape, precision = weights.get(node.input[index], ((), ""))
            group = next((a.i for a in node.attribute if a.name == "group"), 1)
            candidates = source[_key(kind, shape, group)]
            opaque = not (candidates or _is_normalisation(layout, shape))
            if candidates:
                match = candidates.pop(0)
                macs = match.macs
                padded = round(macs * prod(shape) / prod(match.weight)) if shape and match.weight else macs
                shapes = (shape,)
        name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        # A node that a fusion made without a name is told as its kind and a number: those come in the graph's order.
        places = ran.get((node.name, node.op_type)) or ran.get(("", node.op_type)) or [""]
        device = places.pop(0) if len(places) > 1 else places[0]
        found.append(Operator(node.name, node.op_type, macs, padded, precision, layout, name, shapes, opaque, device))
    return found


def providers(events: list[Unchecked]) -> Providers:
    """Return from a profile the providers that ran the nodes of a name and kind, in order; unnamed nodes as ''."""
    found: Providers = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            name, kind = event["name"].removesuffix("_kernel_time"), event["args"]["op_name"]
            found[name, kind].append(event["args"].get("provider", ""))
            if name.startswith(f"{kind}_") and name.removeprefix(f"{kind}_").isdigit():
                found["", kind].append(event["args"].get("provider", ""))
    return found


def precision(found: list[Operator]) -> str:
    """Name the precision of the operators that hold most of the MACs."""
    macs: dict[str, int] = {}
    for op in found:
        if op.macs and op.precision:
            macs[op.precision] = macs.get(op.precision, 0) + op.macs
    return max(macs, key=lambda k: macs[k]) if macs else "fp32"


def _key(kind: str, weight: tuple[int, ...], group: int) -> Key:
    """Return what is equal for a source node and the operator it became."""
    if kind in ("Gemm", *PRODUCTS):
        # A constant factor of a product of two activations is none: then only the number of products is left to match.
        return ("product", tuple(sorted(weight[-2:])) if weight else ())
    if not weight:
        return (kind,)
    out, inp = weight[0], weight[1]
    if group > 1 and inp == 1 and out == group:
        return (kind, "depthwise", padded(out), weight[2:])
    return (kind, group, padded(out), padded(inp), weight[2:])


def _is_normalisation(layout: str, weight: tuple[int, ...]) -> bool:
    """Tell whether a convolution that the source does not have is a BatchNorm that was not folded into one.

    The NCHWc transformer turns those into a depthwise 1x1 convolution, to stay in its layout.
    """
    return layout == "nchwc" and len(weight) == 4 and weight[1:] == (1, 1, 1)


def padded(channels: int) -> int:
    """Return a number of channels, rounded up to the SIMD block."""
    return -(-channels // BLOCK) * BLOCK


def _precision(data_type: int) -> str:
    return {1: "fp32", 10: "fp16", 16: "bf16", 2: "int8", 3: "int8", 11: "fp64"}.get(data_type, "")
