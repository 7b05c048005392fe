"""Made-up convolutions: shapes that no anchor network has, so that the regressor need not reach far."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

PER_GRAPH = 30
SIDES = (7, 14, 28, 56, 112)
MOST_MACS = 200_000_000  # of one convolution: more would take long and teach little
MOST_ELEMENTS = 2_000_000


def samples(folder: Path, number: int, seed: int = 0) -> list[Path]:
    """Write graphs with `number` convolutions in all into `folder`, the same ones for the same seed."""
    import onnx

    rng = random.Random(seed)
    paths: list[Path] = []
    while number > 0:
        path = folder / f"sample-{len(paths)}.onnx"
        onnx.save(graph([convolution(rng) for _ in range(min(number, PER_GRAPH))]), path)
        paths.append(path)
        number -= PER_GRAPH
    return paths


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


def graph(rows: list[dict[str, int]]) -> Any:
    """Return a graph of independent convolutions, each with a ReLU after it."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, inputs, outputs, weights = [], [], [], []
    for i, r in enumerate(rows):
        shape = (r["c_out"], r["c_in"] // r["group"], r["kernel"], r["kernel"])
        weights.append(numpy_helper.from_array(np.full(shape, 0.01, np.float32), f"w{i}"))
        weights.append(numpy_helper.from_array(np.full(shape[:1], 0.01, np.float32), f"b{i}"))
        inputs.append(helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, (1, r["c_in"], r["side"], r["side"])))
        nodes.append(
            helper.make_node(
                "Conv",
                [f"x{i}", f"w{i}", f"b{i}"],
                [f"t{i}"],
                pads=[r["kernel"] // 2] * 4,
                strides=[r["stride"]] * 2,
                group=r["group"],
                kernel_shape=[r["kernel"]] * 2,
            )
        )
        nodes.append(helper.make_node("Relu", [f"t{i}"], [f"y{i}"]))
        side = (r["side"] - 1) // r["stride"] + 1
        outputs.append(helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, (1, r["c_out"], side, side)))
    made = helper.make_graph(nodes, "samples", inputs, outputs, weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
