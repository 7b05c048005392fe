"""Memory access of a node: what it reads and writes, as if nothing were cached or fused.

Each operand is read once and each result written once: for a 1x1 convolution h*w*(c1 + c2) + c1*c2 elements, the
"MAC" of ShuffleNet V2 (G1), and for a grouped one h*w*(c1 + c2) + c1*c2/g (G2).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from bench.graph.classes import CLASSES, OpClass
from bench.graph.reading import Reading

if TYPE_CHECKING:
    import onnx

# Operators whose other inputs are settings (axes, sizes, bounds), not data.
FIRST_INPUT = frozenset((
    "Slice", "Pad", "Resize", "Upsample", "Expand", "Tile", "Split", "Clip", "TopK", "CumSum", "CumProd", "Trilu",
    "OneHot", "CenterCropPad",
))  # fmt: skip
# Operators that read of their first input no more than they write.
PARTIAL = frozenset(("Slice", "Gather", "GatherElements", "GatherND", "Compress"))


def data_inputs(node: onnx.NodeProto) -> list[str]:
    """Return the inputs that a node reads, each once; of a view there are none."""
    if CLASSES.get(node.op_type) is OpClass.VIEW:
        return []
    first = node.op_type in FIRST_INPUT or node.op_type.startswith("Reduce")
    return list(dict.fromkeys(name for name in (node.input[:1] if first else node.input) if name))


def read_elements(node: onnx.NodeProto, reading: Reading) -> dict[str, int]:
    """Return how many elements a node reads of each input whose shape is known."""
    found = {name: prod(reading.shapes[name]) for name in data_inputs(node) if name in reading.shapes}
    output = node.output[0] if node.output else ""
    if node.op_type in PARTIAL and node.input[0] in found and output in reading.shapes:
        found[node.input[0]] = min(found[node.input[0]], prod(reading.shapes[output]))
    return found


def bytes_of(elements: int, data_type: int) -> int:
    """Return the bytes of a number of elements of an ONNX data type."""
    from bench.graph.onnx_read import bits

    return -(-elements * bits(data_type, "the model") // 8)
