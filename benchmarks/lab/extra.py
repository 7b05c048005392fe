"""A network with real extra work: two 1x1 convolutions and an addition more than the original, so many MACs more."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.base.errors import ArtifactError

STEP = 16  # hidden channels come in whole blocks of the runtimes' layouts


def add_work(source: Path, hidden: int, output: Path, seed: int = 0) -> int:
    """Write `source` with ``x + B(relu(A(x)))`` before its last dense 1x1 convolution; return the MACs added.

    A is ``[hidden, c, 1, 1]`` and B ``[c, hidden, 1, 1]`` for an input ``x`` of that convolution of ``[n, c, h, w]``.
    The output folder gets the weights as well.

    Raises:
        ArtifactError: the network has no such convolution, or its shape is not known.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(source)
    graph = model.graph
    weights = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    last = None
    for index, node in enumerate(graph.node):
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        shape = weights.get(node.input[1], ()) if node.op_type == "Conv" else ()
        if len(shape) == 4 and shape[2:] == (1, 1) and attributes.get("group", 1) == 1:
            last = index
    shapes = _shapes(model)
    if last is None or None in shapes.get(graph.node[last].input[0], (None,)):
        raise ArtifactError(f"{source.name} has no dense 1x1 convolution to add work to", "take another network")
    before = graph.node[last].input[0]
    batch, channels, height, width = (int(d or 0) for d in shapes[before])
    rng = np.random.default_rng(seed)

    def weight(name: str, rows: int, columns: int, gain: float) -> str:
        values = rng.standard_normal((rows, columns, 1, 1), dtype=np.float32) * np.float32(gain / np.sqrt(columns))
        graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    convolution = {"kernel_shape": [1, 1]}
    added = [
        helper.make_node("Conv", [before, weight("lab_a", hidden, channels, 1.4)], ["lab_h"], "lab_A", **convolution),
        helper.make_node("Relu", ["lab_h"], ["lab_r"], "lab_relu"),
        helper.make_node("Conv", ["lab_r", weight("lab_b", channels, hidden, 0.3)], ["lab_y"], "lab_B", **convolution),
        helper.make_node("Add", [before, "lab_y"], ["lab_x"], "lab_add"),
    ]
    graph.node[last].input[0] = "lab_x"
    for offset, node in enumerate(added):
        graph.node.insert(last + offset, node)
    output.parent.mkdir(parents=True, exist_ok=True)
    draft = output.with_suffix(".draft")
    onnx.save(model, draft)
    os.replace(draft, output)
    return 2 * batch * channels * hidden * height * width


def tune(wanted: float, effect: Callable[[int], float], start: int = 16 * STEP, turns: int = 3) -> int:
    """Find the hidden channels whose extra work costs `wanted` (as a log-ratio), by asking for the `effect` of some.

    The cost is taken to be a straight line through what was asked last, because two convolutions have a cost of their
    own beside that of their channels.
    """
    seen: dict[int, float] = {}
    hidden = start
    for _ in range(turns):
        if hidden in seen:
            break
        seen[hidden] = effect(hidden)
        if len(seen) == 1:
            slope, base = max(seen[hidden], 1e-4) / hidden, 0.0
        else:
            slope, base = np.polyfit(list(seen), list(seen.values()), 1)
        guess = (wanted - base) / slope if slope > 0 else 2 * hidden
        hidden = STEP * max(1, min(512, round(guess / STEP)))
    return min(seen, key=lambda h: abs(seen[h] - wanted)) if hidden in seen else hidden


def _shapes(model: object) -> dict[str, tuple[int | None, ...]]:
    from onnx import shape_inference

    inferred = shape_inference.infer_shapes(model, data_prop=True)
    values = [*inferred.graph.input, *inferred.graph.value_info]
    return {
        v.name: tuple(d.dim_value if d.HasField("dim_value") else None for d in v.type.tensor_type.shape.dim)
        for v in values
    }
