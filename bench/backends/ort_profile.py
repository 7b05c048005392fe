"""ONNX Runtime's profiler: its JSON of events joined with the optimised graph that the same session writes down.

The names of nodes are not stable between sessions (``ReorderOutput_token_166``), but the file and the events come from
one session, so they join by name. An event's duration is in whole microseconds and includes the profiler's own work:
formatting shapes and memory statistics of the node (``KernelScope`` in ``core/framework/sequential_executor.cc``).
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.artifact.artifact import Array
from bench.backends.loop import time_block
from bench.backends.ort_graph import KERNEL, KINDS, inferences
from bench.backends.profiling import ProfilerCost, RawProfile, TimedOperator, middle
from bench.base.errors import MeasureError
from bench.base.wire import Unchecked
from bench.graph.complexity import CONVOLUTIONS, PRODUCTS
from bench.graph.reading import OnnxModel, OnnxNode, OnnxTensor

if TYPE_CHECKING:
    import onnxruntime as ort

WARMUP = 3
CHAIN = 200
# A work node reads and writes 1 MiB, so that the second-level cache of most CPUs holds little else afterwards.
WORK_ELEMENTS = 1 << 18
WORK_NODES = 40
CALIBRATION_RUNS = 12

# Loads bytes or a path: load(model, optimised graph to write or None, prefix of the profile or None) -> session.
Load = Callable[["str | bytes", "Path | None", "Path | None"], "ort.InferenceSession"]
Bind = Callable[["ort.InferenceSession"], "ort.IOBinding"]


class OrtProfiler:
    """A second session of the same settings with profiling on. `load` makes sessions, `bind` binds their buffers.

    `buffers` are those, kept alive here: the session that they belong to may be closed first.
    """

    def __init__(self, model: str, load: Load, bind: Bind, buffers: object) -> None:
        self._load, self._buffers = load, buffers
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self._optimized = Path(self._folder.name, "optimized.onnx")
        self._session = load(model, self._optimized, Path(self._folder.name, "profile"))
        binding, run = bind(self._session), self._session.run_with_iobinding
        self._infer = lambda: run(binding)
        time_block(self._infer, WARMUP)

    def block(self, n: int) -> list[int]:
        """Run `n` profiled inferences."""
        return time_block(self._infer, n)[0]

    def read(self) -> RawProfile:
        """Read the events, join them with the optimised graph, calibrate the profiler."""
        import onnx

        try:
            events = json.loads(Path(self._session.end_profiling()).read_text("utf-8"))
            del self._session, self._infer
            model = onnx.load(self._optimized, load_external_data=False)
            operators = join(model, whole(inferences(events))[WARMUP:])
            return RawProfile(tuple(operators), self._calibrate())
        finally:
            self._folder.cleanup()

    def _calibrate(self) -> ProfilerCost:
        plain, profiled = self._trivial(chain(CHAIN), "n")
        cold = self._trivial(alternating(WORK_NODES, WORK_ELEMENTS), "trivial")[1]
        return ProfilerCost(profiled - plain, max(cold, profiled) - plain, plain, 1000.0)

    def _trivial(self, model: bytes, prefix: str) -> tuple[float, float]:
        """Return ns per node of the unprofiled chain, and the mean ns of the events whose names begin with `prefix`."""
        plain = self._load(model, None, None)
        profiled = self._load(model, None, Path(self._folder.name, prefix))
        walls = []
        for _ in range(CALIBRATION_RUNS):
            for session in (plain, profiled):
                feeds = _ones(session)
                begin = time.perf_counter_ns()
                session.run(None, feeds)
                if session is plain:
                    walls.append(time.perf_counter_ns() - begin)
        runs = whole(inferences(json.loads(Path(profiled.end_profiling()).read_text("utf-8"))))[WARMUP:]
        means = []
        for run in runs:
            durations = [event["dur"] * 1e3 for event in run if event["name"].startswith(prefix)]
            means.append(sum(durations) / len(durations))
        return middle(walls[WARMUP:]) / len(runs[0]), middle(means)


def whole(runs: list[list[Unchecked]]) -> list[list[Unchecked]]:
    """Return the events of inferences, of which each has as many.

    Raises:
        MeasureError: the profiler ran full and lost events.
    """
    if not runs or len({len(run) for run in runs}) != 1:
        raise MeasureError(
            "the profile of onnxruntime is not whole: its inferences have different numbers of operators",
            "profile with fewer inferences: --inferences 5",
        )
    return runs


def join(model: OnnxModel, runs: list[list[Unchecked]]) -> list[TimedOperator]:
    """Give each event the node of the optimised graph that it is of, by name and, among equal names, by order."""
    nodes: dict[tuple[str, str], list[OnnxNode]] = defaultdict(list)
    for node in model.graph.node:
        nodes[node.name, node.op_type].append(node)
    weights = {t.name: tuple(t.dims) for t in model.graph.initializer}
    blocked = {
        name
        for node in model.graph.node
        if node.domain.endswith("nchwc") and node.op_type != "ReorderOutput"
        for name in node.output
    }
    found = []
    for i, event in enumerate(runs[0]):
        name, kind = event["name"].removesuffix(KERNEL), event["args"]["op_name"]
        # A node that a fusion made without a name is told as its kind and its number in the graph.
        unnamed = name.startswith(f"{kind}_") and name.removeprefix(f"{kind}_").isdigit()
        candidates = nodes.get((name, kind)) or (nodes.get(("", kind)) if unnamed else None)
        if not candidates:
            raise MeasureError(f"onnxruntime ran an operator that its graph does not have: {kind} {name}")
        raw = [run[i]["dur"] * 1e3 for run in runs]
        found.append(_operator(candidates.pop(0), event["args"], raw, weights, blocked))
    return found


def _operator(
    node: OnnxNode, args: Unchecked, raw: list[float], weights: dict[str, tuple[int, ...]], blocked: set[str]
) -> TimedOperator:
    shapes_in, shapes_out = _shapes(args["input_type_shape"]), _shapes(args["output_type_shape"])
    in_block = node.domain.endswith("nchwc")
    kind = KINDS.get(node.op_type, node.op_type)
    weight: tuple[int, ...] = ()
    if kind in (*CONVOLUTIONS, *PRODUCTS, "Gemm", "ConvTranspose"):
        weight = weights.get(node.input[(CONVOLUTIONS | PRODUCTS).get(kind, (0, 1))[1]], ())
    group = next((a.i for a in node.attribute if a.name == "group"), 1)
    # A node in the blocked layout is named after the tensor that its source made; a reorder has no source.
    reorder = node.op_type.startswith("Reorder")
    origin = node.name.removesuffix("_nchwc") if in_block and node.name.endswith("_nchwc") else node.output[0]
    spatial_out = bool(shapes_out) and len(shapes_out[0]) == 4
    spatial_in = bool(shapes_in) and len(shapes_in[0]) == 4
    types = [str(k) for entry in args["output_type_shape"][:1] for k in entry]
    # The token in a reorder's name, and its place among others, change from load to load: its tensor's name does not.
    moved = node.output[0] if node.op_type == "ReorderOutput" else node.input[0]
    return TimedOperator(
        name=f"{node.op_type} of {moved}" if reorder else node.name or node.output[0],
        kind=node.op_type,
        raw_ns=raw,
        origins=() if reorder else (origin,),
        weight=weight,
        group=group,
        layout_in=("nchwc" if node.input[0] in blocked else "nchw") if spatial_in else "",
        layout_out=("nchwc" if node.output[0] in blocked else "nchw") if spatial_out else "",
        precision={"float": "fp32", "float16": "fp16", "bfloat16": "bf16"}.get(types[0] if types else "", ""),
        implementation=f"{node.domain}.{node.op_type}" if node.domain else node.op_type,
        shapes_in=shapes_in,
        shape_out=shapes_out[0] if shapes_out else (),
    )


def _shapes(entries: list[dict[str, list[int]]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(shape) for entry in entries for shape in entry.values())


def _ones(session: ort.InferenceSession) -> dict[str, Array]:
    import numpy as np

    return {i.name: np.ones(i.shape, np.float32) for i in session.get_inputs()}


def chain(n: int) -> bytes:
    """Return a model of `n` nodes that do nothing worth a microsecond, one after another."""
    from onnx import helper

    names = ["x", *(f"t{i}" for i in range(1, n)), "y"]
    nodes = [helper.make_node("Abs", [names[i]], [names[i + 1]], f"n{i}") for i in range(n)]
    return _model(nodes, [1], [])


def alternating(n: int, elements: int) -> bytes:
    """Return a model of `n` pairs: one node over `elements` floats, one that only looks at the same memory anew."""
    import numpy as np
    from onnx import helper, numpy_helper

    shapes = [[1, 16, 64, elements // 1024], [1, 8, 64, elements // 512]]
    initializers = [numpy_helper.from_array(np.array(s, np.int64), f"s{i}") for i, s in enumerate(shapes)]
    initializers.append(numpy_helper.from_array(np.array([1.0001], np.float32), "factor"))
    nodes, last = [], "x"
    for i in range(2 * (n // 2)):
        nodes.append(helper.make_node("Mul", [last, "factor"], [f"m{i}"], f"work{i}"))
        last = "y" if i == 2 * (n // 2) - 1 else f"r{i}"
        nodes.append(helper.make_node("Reshape", [f"m{i}", f"s{(i + 1) % 2}"], [last], f"trivial{i}"))
    return _model(nodes, shapes[0], initializers)


def _model(nodes: list[OnnxNode], shape: list[int], initializers: list[OnnxTensor]) -> bytes:
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy")
    graph = helper.make_graph(nodes, "calibration", [x], [y], initializers)
    opsets = [helper.make_opsetid("", 17)]
    data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return data
