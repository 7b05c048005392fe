"""ONNX Runtime's blocked layout (NCHWc): which convolutions can run in it.

The rules are those of ``onnxruntime/core/optimizer/nchwc_transformer.cc``: a convolution of one group takes its input
blocked if the input channels are a multiple of 4 (fewer channels than a block are read from plain NCHW), a depthwise
one likewise, a grouped one if the channels of a group are a multiple of the block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.profiling.network import ProfiledOperator

MULTIPLE = 4
BLOCKS = (16, 8)  # floats: AVX-512; AVX2 and NEON


def blocked(op: ProfiledOperator) -> bool:
    """Tell whether an operator writes ONNX Runtime's blocked layout."""
    return op.layout_out == "nchwc"


def plain(op: ProfiledOperator) -> bool:
    """Tell whether an operator takes an image in plain NCHW."""
    return op.layout_in == "nchw" and op.layout_out in ("nchw", "")


def block(operators: Sequence[ProfiledOperator]) -> int:
    """Return the block of the machine: the larger one if all blocked tensors have a multiple of it."""
    channels = [op.shape_out[1] for op in operators if len(op.shape_out) > 1]
    return next((size for size in BLOCKS if all(c % size == 0 for c in channels)), BLOCKS[-1])


def rule(op: ProfiledOperator, size: int) -> str:
    """Say which rule keeps a convolution out of the blocked layout; empty where none does that is known."""
    if len(op.weight) < 2:
        return ""
    out, per_group, group = op.weight[0], op.weight[1], op.group
    channels = per_group * group
    if group > 1 and per_group == 1 and out == group:
        return _multiple(channels)
    if group > 1:
        wrong = next((c for c in (per_group, out // group) if c % size), None)
        if wrong is None:
            return ""
        return f"{wrong} channels in a group, {wrong} % {size} = {wrong % size}"
    return _multiple(channels) if channels >= size else ""


def _multiple(channels: int) -> str:
    if channels % MULTIPLE == 0:
        return ""
    below = channels - channels % MULTIPLE
    stay = f"{below} or {below + MULTIPLE}" if below else str(MULTIPLE)
    return f"{channels} % {MULTIPLE} = {channels % MULTIPLE}; {stay} channels would stay"


def rules(operators: Sequence[ProfiledOperator], size: int) -> str:
    """Name the rules that operators break, the most frequent first."""
    counts = Counter(rule(op, size) or "no rule that is known here" for op in operators)
    top = counts.most_common(2)
    left = len(operators) - sum(n for _, n in top)
    texts = [text if n == len(operators) else f"{n}: {text}" for text, n in top]
    return " / ".join([*texts, *([f"{left}: others"] if left else [])])


def padded_channels(op: ProfiledOperator) -> str:
    """Say how many channels a convolution has and how many are stored, of its output or else of its input."""
    stored_out = op.shape_out[1] if len(op.shape_out) > 1 else 0
    if len(op.weight) > 1 and stored_out > op.weight[0]:
        return f"e.g. {op.weight[0]} channels stored as {stored_out}"
    stored_in = op.shapes_in[0][1] if op.shapes_in and len(op.shapes_in[0]) > 1 else 0
    true_in = op.weight[1] * op.group if len(op.weight) > 1 else 0
    return f"e.g. {true_in} channels stored as {stored_in}" if stored_in > true_in else ""
