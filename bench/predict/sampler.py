"""Made-up convolutions: shapes that no anchor network has, so that the regressor need not reach far."""

from __future__ import annotations

import random

PER_GRAPH = 30
SIDES = (7, 14, 28, 56, 112)
MOST_MACS = 200_000_000  # of one convolution: more would take long and teach little
MOST_ELEMENTS = 2_000_000


def samples(number: int, seed: int = 0) -> list[list[dict[str, int]]]:
    """Draw `number` convolutions, the same ones for the same seed, in lists that make a graph each."""
    rng = random.Random(seed)
    drawn = [convolution(rng) for _ in range(number)]
    return [drawn[i : i + PER_GRAPH] for i in range(0, number, PER_GRAPH)]


def convolution(rng: random.Random) -> dict[str, int]:
    """Draw a convolution as networks have them: 1x1, depthwise, dense or grouped; most channels are multiples of 8."""
    while True:
        side, kind = rng.choice(SIDES), rng.choices(("pointwise", "depthwise", "dense", "grouped"), (45, 25, 22, 8))[0]
        step = rng.choices((16, 8, 2), (60, 30, 10))[0]
        c_in, c_out = (max(step, round(2 ** rng.uniform(3, 10) / step) * step) for _ in range(2))
        kernel, stride, group = 1, 1, 1
        if kind != "pointwise":
            kernel, stride = rng.choices((3, 5, 7), (75, 20, 5))[0], rng.choice((1, 1, 2))
        if kind == "depthwise":
            c_out = group = c_in
        elif kind == "grouped":
            group = rng.choice((2, 4, 8))
            c_in, c_out = (-(-c // group) * group for c in (c_in, c_out))
        out = side // stride
        macs = out * out * c_out * (c_in // group) * kernel * kernel
        if macs <= MOST_MACS and side * side * max(c_in, c_out) <= MOST_ELEMENTS:
            return {"side": side, "c_in": c_in, "c_out": c_out, "kernel": kernel, "stride": stride, "group": group}
