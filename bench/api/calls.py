"""The functions of ``import bench``: texts, as on the command line, to typed results."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from bench.api import asked, measuring, results
from bench.api.asked import Data, Shapes, Text
from bench.api.comparison import Comparison
from bench.api.graphs import Breakdown, Inspection
from bench.api.progress import Listener, Progress, listener
from bench.api.results import Results

MODEL, CASE, TARGET = '"shufflenetv2"', '"shufflenetv2@onnxruntime@threads=2"', '"local"'  # examples


def run(
    models: Text | Sequence[Text],
    backends: str | Sequence[str] = "onnxruntime",
    *,
    precision: str | Sequence[str] = (),
    calibration: Text | None = None,
    threads: int | Sequence[int] = 1,
    batch: int | Sequence[int] = 1,
    resolution: int | Sequence[int] | None = None,
    shapes: Shapes | None = None,
    input: Data | None = None,
    pace: str | Sequence[str] = "none",
    mode: str = "latency",
    streams: int | Sequence[int] | None = None,
    target: Text = "local",
    launches: int | None = None,
    budget: float | None = None,
    timeout: float | None = None,
    over: str | None = None,
    sustain: str | None = None,
    energy: str = "",
    seed: int = 0,
    max_latency: str | None = None,
    limits: str | Sequence[str] = (),
    require_device: bool = False,
    output: Text | None = None,
    progress: Listener | None = None,
) -> Results:
    """Measure models on backends; several of anything give their cross product, a row each.

    Args:
        models: specs as on the command line: ``shufflenetv2:width=0.5``, ``net.onnx``, ``file.py:function``.
        backends: ``onnxruntime``, ``openvino:precision=bf16`` and so on.
        precision: ``fp32``, ``fp16``, ``bf16`` or ``int8``, asked of every backend; one that has it not is left out,
            and `progress` hears why. None leaves each backend the precision of the weights.
        calibration: an ``.npz`` of inputs that int8 is calibrated on; None for seeded draws.
        threads: of the runtime.
        batch: images of an inference.
        resolution: side of the input in pixels; None is the model's own.
        shapes: of a file's inputs, by name: ``(1, 16)``, or ``"1x16:int64"`` with the type.
        input: data in the place of noise: a .npz or .npy file, a folder of images, or arrays by name of input.
        pace: ``33ms`` or ``30hz`` starts inferences on a schedule; ``none`` when the last has ended.
        mode: ``latency``, or ``throughput``: several inferences at once, whose rows have samples per second instead.
        streams: how many at once, on `threads` each; None is as many as fill the cores.
        target: the machine that measures, a name or a TOML file.
        launches: fresh processes per case, at least.
        budget: seconds per case.
        timeout: seconds that a worker may take for an answer.
        over: ``2m``, ``30s``: the time over which launches are spread, which narrows what only time can narrow.
        sustain: ``30m``: keep the cases going for so long; rows then tell a first minute and a settled state.
        energy: ``auto``, or the name of a meter: rows then have the energy of an inference, or say why not.
        seed: of weights, input and order.
        max_latency: a limit of the median, ``10ms``; the row says whether it is kept.
        limits: of other quantities, ``p99=33ms``; p50, p90, p99, mean or first.
        require_device: a case fails of which a part ran elsewhere than on the device, or in the delegate, that was
            asked for.
        output: a CSV that gets each row when its case has ended, raw samples beside it; None keeps nothing.
        progress: hears each step; None shows a line in a notebook and nothing elsewhere.

    Raises:
        BenchError: what was asked does not exist or cannot be reached. A case that goes wrong is a row that says so.
    """
    from bench.base.errors import UsageError
    from bench.measure.cases import backends_of
    from bench.plan import zoo
    from bench.plan.case import cross
    from bench.plan.pace import read as pace_of
    from bench.plan.pace import seconds
    from bench.rows import file

    path = asked.path("output", output, '"rows.csv"')
    told = listener(progress)
    protocol = measuring.run_protocol(
        launches,
        budget,
        timeout,
        seed,
        None if max_latency is None else asked.text("max_latency", max_latency, '"10ms"'),
        asked.texts("limits", limits, '"p99=33ms"'),
        None if over is None else seconds(asked.text("over", over, '"2m"')),
        None if sustain is None else seconds(asked.text("sustain", sustain, '"30m"')),
        require_device,
        asked.text("energy", energy, '"auto"'),
    )
    with measuring.reached(asked.text("target", target, TARGET)) as (there, transport):
        plan = cross(
            [zoo.resolve(text) for text in asked.texts("models", models, MODEL)],
            backends_of(
                asked.texts("backends", backends, '"onnxruntime"'),
                there,
                asked.texts("precision", precision, '"int8"'),
                "" if calibration is None else asked.text("calibration", calibration, '"inputs.npz"'),
                lambda line: told(Progress(0, 0, line, remark=True)),
            ),
            asked.numbers("threads", threads),
            asked.numbers("batch", batch),
            (None,) if resolution is None else asked.numbers("resolution", resolution),
            there.name,
            protocol,
            asked.shapes(shapes),
            [pace_of(text) for text in asked.texts("pace", pace, '"33ms"')],
            asked.text("mode", mode, '"throughput"'),
            (None,) if streams is None else asked.numbers("streams", streams),
            asked.data(input),
        )
        if not plan.cases:
            raise UsageError("nothing to measure", 'e.g. bench.run("shufflenetv2"); no list may be empty')
        with nullcontext("") if path is None else file.writing(path) as note:
            if note:
                told(Progress(0, len(plan.cases), note, remark=True))
            rows = list(measuring.measure(plan, there.cores, transport, told, path))
    order = {case.id: number for number, case in enumerate(plan.cases)}
    return Results(tuple(sorted(rows, key=lambda row: order[row.case_id])), path)


def ab(
    a: Text,
    b: Text,
    *,
    backend: str = "onnxruntime",
    threads: int = 1,
    batch: int = 1,
    resolution: int | None = None,
    shapes: Shapes | None = None,
    input: Data | None = None,
    target: Text = "local",
    margin: float = 0.01,
    gate: bool = False,
    pairs: int | None = None,
    budget: float | None = None,
    seed: int = 0,
    output: Text | None = None,
    progress: Listener | None = None,
) -> Comparison:
    """Compare two cases in pairs of fresh processes that take turns.

    Args:
        a: ``MODEL[@BACKEND][@key=value]...``.
        b: the same; the ratio is its latency over that of `a`.
        backend: of a side that names none.
        threads: of a side that says nothing else.
        batch: where a side says nothing else, as are the three that follow.
        resolution: side of the input in pixels; None is the model's own.
        shapes: of a file's inputs, by name: ``(1, 16)``, or ``"1x16:int64"`` with the type.
        input: data in the place of noise: a .npz or .npy file, a folder of images, or arrays by name of input.
        target: the machine that measures, a name or a TOML file.
        margin: the share that does not matter; 0.01 is one percent.
        gate: confirm ``slower`` on fresh pairs alone.
        pairs: at most; five at least.
        budget: seconds for the comparison.
        seed: of weights, input and order.
        output: NAME.csv; raw pairs go to NAME.samples.jsonl.gz. None keeps nothing.
        progress: hears each pair; None shows a line in a notebook and nothing elsewhere.

    Raises:
        BenchError: a side does not exist, cannot be measured, or is not what was asked.
    """
    from bench.base.errors import ParameterError
    from bench.measure.cases import case as case_of

    if not isinstance(margin, int | float) or not 0 <= margin <= 0.5:
        raise ParameterError(f"margin={margin} is no share from 0 to 0.5", "write margin=0.01 for one percent")
    protocol = measuring.pair_protocol(pairs, budget, seed)
    usual = asked.network(batch, resolution, shapes, input) | {"threads": asked.number("threads", threads)}
    runtime, path = asked.text("backend", backend, '"onnxruntime"'), asked.path("output", output, '"ab.csv"')
    with measuring.reached(asked.text("target", target, TARGET)) as (there, transport):
        cases = (
            case_of(asked.text("a", a, CASE), runtime, there, **usual),
            case_of(asked.text("b", b, CASE), runtime, there, **usual),
        )
        return measuring.compare(cases, protocol, there.cores, transport, listener(progress), margin, gate, path)


def inspect(
    model: Text,
    *,
    batch: int = 1,
    resolution: int | None = None,
    shapes: Shapes | None = None,
    input: Data | None = None,
    progress: Listener | None = None,
) -> Inspection:
    """Count MACs, parameters, memory access and live memory of a model, node by node; nothing is measured.

    Args:
        model: a spec as on the command line.
        batch: images of an inference.
        resolution: side of the input in pixels; None is the model's own.
        shapes: of a file's inputs, by name: ``(1, 16)``, or ``"1x16:int64"`` with the type.
        input: data in the place of noise: a .npz or .npy file, a folder of images, or arrays by name of input.
        progress: hears when the model has to be exported first.

    Raises:
        BenchError: there is no such model, or it cannot be exported or read.
    """
    from bench.export.graph_of import graph_of
    from bench.graph.summary import summarise
    from bench.measure.cases import network_of

    network = network_of(asked.text("model", model, MODEL), **asked.network(batch, resolution, shapes, input))
    told = listener(progress)
    found = graph_of(network, on_export=lambda: told(Progress(0, 1, "exporting", remark=True)))
    inputs = {one.name: one.shape for one in found.inputs}
    return Inspection(summarise(found.inferred, network.model.canonical, inputs, found.params))


def profile(
    case: Text,
    *,
    backend: str = "onnxruntime",
    threads: int = 1,
    batch: int = 1,
    resolution: int | None = None,
    shapes: Shapes | None = None,
    input: Data | None = None,
    target: Text = "local",
    launches: int | None = None,
    loads: int | None = None,
    inferences: int | None = None,
    timeout: float | None = None,
    seed: int = 0,
    progress: Listener | None = None,
) -> Breakdown:
    """Say where the time of an inference goes, by the runtime's own operators.

    Args:
        case: ``MODEL[@BACKEND][@key=value]...``.
        backend: where the case names none.
        threads: where the case says nothing else.
        batch: where a case says nothing else, as are the three that follow.
        resolution: side of the input in pixels; None is the model's own.
        shapes: of a file's inputs, by name: ``(1, 16)``, or ``"1x16:int64"`` with the type.
        input: data in the place of noise: a .npz or .npy file, a folder of images, or arrays by name of input.
        target: the machine that measures, a name or a TOML file.
        launches: fresh processes.
        loads: of the model, in each launch.
        inferences: of a block, at most.
        timeout: seconds that a worker may take for an answer.
        seed: of weights and input.
        progress: hears each launch; None shows a line in a notebook and nothing elsewhere.

    Raises:
        BenchError: it does not exist, cannot be measured or profiled, or is not what was asked.
    """
    from bench.measure.cases import case as case_of

    protocol = measuring.profile_protocol(launches, loads, inferences, timeout, seed)
    usual = asked.network(batch, resolution, shapes, input) | {"threads": asked.number("threads", threads)}
    runtime = asked.text("backend", backend, '"onnxruntime"')
    with measuring.reached(asked.text("target", target, TARGET)) as (there, transport):
        cases = [case_of(asked.text("case", case, CASE), runtime, there, **usual)]
        profiles, _ = measuring.profile(cases, protocol, there.cores, transport, listener(progress))
    return Breakdown(profiles[0])


def load(path: Text) -> Results:
    """Read the rows of a CSV that ``bench run`` wrote, of all in a folder, or of a pattern (``results/*/zoo.csv``).

    Raises:
        BenchError: there are none, or a file cannot be read.
    """
    return results.read(asked.text("path", path, '"results/rows.csv"'))
