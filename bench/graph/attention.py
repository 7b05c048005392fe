"""MACs of attention in one operator: the product of queries and keys, and that of its result with the values.

Counted in full: a mask, causal or not, makes no product cheaper by definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, ...]
ATTENTION = frozenset(("Attention", "QAttention", "MultiHeadAttention"))
# Inputs whose content, which no graph tells, says how long the sequences are.
_BY_CONTENT = {"MultiHeadAttention": (8, 9), "Attention": (6,), "": (6,)}


def attention_macs(node: onnx.NodeProto, attributes: Mapping[str, Any], shapes: Mapping[str, Shape]) -> int:
    """Count an attention operator of ONNX (opset 23 on) or ONNX Runtime.

    Raises:
        KeyError, IndexError, ValueError: a shape is unknown, or how long a sequence is depends on its content.
    """
    microsoft = node.domain.startswith("com.microsoft")
    for position in _BY_CONTENT.get(node.op_type if microsoft else "", ()):
        if position < len(node.input) and node.input[position]:
            raise ValueError("the length of a sequence is data")

    def shape(position: int) -> Shape | None:
        name = node.input[position] if position < len(node.input) else ""
        return shapes[name] if name else None

    if not microsoft:
        return _standard(attributes, shape)
    if node.op_type == "MultiHeadAttention":
        return _multi_head(shape)
    return _with_projection(node.op_type, attributes, shape)


def _standard(attributes: Mapping[str, Any], shape: Any) -> int:
    """Count ONNX's own: heads on an axis of their own, or, with three axes, in the last one."""
    q, k, v, past = shape(0), shape(1), shape(2), shape(4)
    if len(q) == 4:
        batch, heads, rows, width = q
        length, wide = k[2], v[3]
    else:
        heads, of_keys = int(attributes["q_num_heads"]), int(attributes["kv_num_heads"])
        batch, rows, width = q[0], q[1], q[2] // heads
        length, wide = k[1], v[2] // of_keys
    length += past[2] if past else 0
    return int(batch * heads * rows * length * (width + wide))


def _multi_head(shape: Any) -> int:
    """Count ``MultiHeadAttention``: queries, keys and values apart, or packed on axes of their own."""
    q, k, v, past = shape(0), shape(1), shape(2), shape(6)
    before = past[2] if past else 0
    if len(q) == 5:  # batch, rows, heads, 3, width
        batch, rows, heads, _, width = q
        return int(batch * heads * rows * (rows + before) * 2 * width)
    batch, rows, hidden = q
    if k is None:
        raise ValueError("keys are missing")
    if len(k) == 5:  # batch, length, heads, 2, width
        return int(batch * rows * (k[1] + before) * 2 * hidden)
    if len(k) == 4:  # batch, heads, length, width: those of a cache
        return int(batch * rows * k[2] * (hidden + v[1] * v[3]))
    return int(batch * rows * (k[1] + before) * (hidden + v[2]))


def _with_projection(op: str, attributes: Mapping[str, Any], shape: Any) -> int:
    """Count ``Attention`` and ``QAttention``, which project the input to queries, keys and values first."""
    x, weight = shape(0), shape(1)
    past = shape(8 if op == "QAttention" else 4)
    sizes = attributes.get("qkv_hidden_sizes") or (weight[1] // 3,) * 3
    batch, rows, _ = x
    length = rows + (past[3] if past else 0)  # of two, batch, heads, length, width
    return int(prod(x) * weight[1] + batch * rows * length * (sizes[1] + sizes[2]))
