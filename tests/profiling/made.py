"""Profiles that nobody took: a roof, operators by their shapes and times, networks of them."""

from __future__ import annotations

import math

from bench.graph.classes import OpClass
from bench.profiling.network import ProfiledNetwork, ProfiledOperator
from bench.profiling.roofs import Roof

ROOF = Roof(100.0, lambda moved_bytes: 50.0, "a test")  # 100 GMAC/s, 50 GB/s: the ridge is at 2 MACs per byte


def conv(
    name: str,
    time_us: float,
    channels: int = 64,
    *,
    depthwise: bool = False,
    group: int = 1,
    layout_out: str = "nchwc",
    pixels: int = 28,
    stored: int = 0,
    precise: bool = True,
) -> ProfiledOperator:
    """A 1x1 or depthwise 3x3 convolution from `channels` to as many."""
    group = channels if depthwise else group
    weight = (channels, 1, 3, 3) if depthwise else (channels, channels // group, 1, 1)
    shape = (1, stored or channels, pixels, pixels)
    macs = math.prod(weight) * pixels**2
    return ProfiledOperator(
        name=name,
        kind="Conv",
        op_class=OpClass.DEPTHWISE if depthwise else OpClass.GROUPED if group > 1 else OpClass.POINTWISE,
        time_us=time_us,
        macs=macs,
        padded_macs=macs * (stored or channels) // channels if layout_out == "nchwc" else None,
        moved_bytes=4 * (2 * math.prod(shape) + math.prod(weight)),
        layout_in=layout_out,
        layout_out=layout_out,
        shapes_in=(shape,),
        shape_out=shape,
        weight=weight,
        group=group,
        sources=(name,),
        precise=precise,
    )


def other(
    op_class: OpClass, time_us: float, shape: tuple[int, ...] = (1, 64, 28, 28), more: tuple[int, ...] = ()
) -> ProfiledOperator:
    """An operator without MACs."""
    inputs = (shape, more) if more else (shape,)
    out = shape if not more else max(inputs, key=math.prod)
    moved = 4 * (sum(map(math.prod, inputs)) + math.prod(out))
    pool = op_class is OpClass.POOLING
    return ProfiledOperator(
        *(str(op_class), "Some", op_class, time_us, 0, None, moved, "nchw", "nchw", inputs),
        *((*shape[:2], 1, 1) if pool else out, (), 1, (), True),
    )


def network(*operators: ProfiledOperator, residual_us: float = 0.0, model: str = "net") -> ProfiledNetwork:
    latency_ms = (math.fsum(op.time_us for op in operators) + residual_us) / 1e3
    return ProfiledNetwork(model, "onnxruntime", "1", "fp32", 1, 1, "no such cpu", 3, latency_ms, None, operators)


FAST = conv("fast", 40.0)  # 3.2 M MACs: 80 GMAC/s
A = network(FAST, conv("d", 60.0, depthwise=True), other(OpClass.SHUFFLE, 21.7), residual_us=3.3, model="a")
B = network(FAST, FAST, residual_us=-1.9, model="b")
