"""The result row: one place that says every column's name, role, type, unit and meaning.

Which rows are the same case, machine or run follows from the roles, in `bench.rows.identity` and nowhere else:

| role        | the column says                                                                                 |
| ----------- | ----------------------------------------------------------------------------------------------- |
| case        | what was asked for: rows that are equal in all of these are the same case                       |
| machine     | what measured it: latencies of two machines are never one series                                |
| environment | what may change on a machine and explain a difference: versions, the file, what really ran      |
| run         | which run it was, and when: with the machine it tells jobs apart                                |
| result      | what came out                                                                                   |
"""

from __future__ import annotations

import math
import typing
from dataclasses import dataclass, field, fields
from functools import cache

SCHEMA_VERSION = 3
STATUSES = ("ok", "noisy", "mismatch", "downgraded", "failed", "crashed", "timeout", "oom", "unsupported")
NOTHING = ("", "nan", "NaN", "NAN", "NA", "None", "null")  # what programs write where a number is not known
MEASURED = ("ok", "noisy")  # what `--resume` need not measure again, and what leaves with exit code 0


CASE, MACHINE, ENVIRONMENT, RUN, RESULT = ROLES = ("case", "machine", "environment", "run", "result")


def column(role: str, unit: str, meaning: str, default: object = None) -> typing.Any:
    """Declare a column; the empty cell is None."""
    return field(default=default, metadata={"role": role, "unit": unit, "meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Row:
    """The result of one case. Only rows with status ``ok`` enter verdicts."""

    run_id: str = column(RUN, "", "identifies the run", "")
    case_id: str = column(RUN, "", "hash of model, backend, settings and target: equal cases have equal ids", "")
    started_at: str = column(RUN, "ISO 8601", "when the case's first launch began, UTC", "")
    status: str = column(RESULT, "", "one of " + ", ".join(STATUSES), "")
    model: str = column(CASE, "", "model spec, defaults left out", "")
    backend: str = column(CASE, "", "backend spec, defaults left out", "")
    backend_version: str | None = column(ENVIRONMENT, "", "version of the runtime, as it says itself")
    device: str | None = column(ENVIRONMENT, "", "device that computed, as the runtime says")
    on_device_operators: float | None = column(
        RESULT, "", "share of the operators that ran on the device that was asked for, or in the delegate (XNNPACK)"
    )
    on_device_macs: float | None = column(RESULT, "", "share of the MACs that did; empty where no operator tells any")
    driver: str | None = column(ENVIRONMENT, "", "the device's driver and its CUDA; empty on the CPU")
    power_limit_w: float | None = column(ENVIRONMENT, "W", "what the device may draw at most")
    precision: str | None = column(CASE, "", "precision that was asked for")
    precision_effective: str | None = column(ENVIRONMENT, "", "precision that ran, read back from the runtime")
    quantization: str | None = column(
        ENVIRONMENT, "", "how a network came to compute in int8: recipe, what quantised it, what it was calibrated on"
    )
    threads: int | None = column(CASE, "", "threads that were asked for, of each inference")
    threads_effective: int | None = column(ENVIRONMENT, "", "threads that computed, read back from the runtime")
    batch: int | None = column(CASE, "images", "batch size")
    resolution: int | None = column(CASE, "pixels", "side of the square input; empty if the input is no square image")
    shapes: str | None = column(CASE, "", "shapes of inputs that --shape gave, as NAME=1x3x224x224 or NAME=1x16:int64")
    input: str | None = column(CASE, "", "hash of the data that --input gave; empty: seeded noise")
    pace_ms: float | None = column(
        CASE, "ms", "one inference started every so often; empty: as soon as the last has ended"
    )
    mode: str = column(
        CASE, "", "latency: one inference at a time; throughput: several at once, told in samples/s", "latency"
    )
    streams: int | None = column(CASE, "", "inferences at once that were asked for; empty: one for every core")
    streams_effective: int | None = column(
        ENVIRONMENT, "", "inferences that ran at once in mode throughput, read back from the runtime"
    )
    target: str = column(MACHINE, "", "the target that measured", "local")
    arch: str | None = column(MACHINE, "", "instruction set architecture")
    cpu: str | None = column(MACHINE, "", "CPU model name")
    microarchitecture: str | None = column(
        ENVIRONMENT, "", "archspec's name; in a VM perhaps only a level such as x86_64_v4"
    )
    cpu_id: str | None = column(MACHINE, "", "family, model, stepping (x86), or implementer and part (ARM)")
    cores: str | None = column(
        RESULT, "", "cores of the launches that count; several sets where they ran on different ones"
    )
    hypervisor: str | None = column(ENVIRONMENT, "", "vendor of the virtual machine, empty on bare metal")
    emulated: bool | None = column(RESULT, "", "whether the CPU is emulated; such a row is never ok")
    os: str | None = column(ENVIRONMENT, "", "operating system and kernel")
    macs: int | None = column(
        RESULT,
        "MACs",
        "multiply-accumulates of one inference (papers: FLOPs); empty if not all can be counted",
    )
    macs_at_least: int | None = column(
        RESULT, "MACs", "those of the operators that can be counted, where not all can: a lower bound"
    )
    flops: int | None = column(RESULT, "FLOPs", "2 x macs")
    macs_executed: int | None = column(
        RESULT, "MACs", "multiply-accumulates of the graph that the runtime really ran; empty if not all can be counted"
    )
    macs_padded: int | None = column(
        RESULT, "MACs", "the same with channels padded to the runtime's block, where it tells"
    )
    macs_int8: int | None = column(
        RESULT, "MACs", "those of macs_executed that ran in 8 bits or fewer, of a quantised network"
    )
    macs_float: int | None = column(RESULT, "MACs", "those of a quantised network that ran in floats all the same")
    quantize_ops: int | None = column(
        RESULT, "", "operators of a quantised network that ran and only quantise or dequantise"
    )
    params: int | None = column(RESULT, "", "number of parameters")
    latency_ms: float | None = column(
        RESULT, "ms", "estimate: geometric mean of the launches' medians, at the baseline speed"
    )
    latency_lo_ms: float | None = column(RESULT, "ms", "lower end of its 95% interval for another run on this machine")
    latency_hi_ms: float | None = column(RESULT, "ms", "upper end of its 95% interval for another run on this machine")
    within_lo_ms: float | None = column(RESULT, "ms", "lower end of its 95% interval for more launches of this run")
    within_hi_ms: float | None = column(RESULT, "ms", "upper end of its 95% interval for more launches of this run")
    between_sd: float | None = column(RESULT, "", "by how much runs like this one differ beyond their launches (a log)")
    between_runs: int | None = column(RESULT, "", "earlier runs of this case that told between_sd")
    over_s: float | None = column(RESULT, "s", "from the first launch that counts to the last")
    regime: str | None = column(
        RESULT, "", "of the shared cache: quiet, shared cache (somebody else fills it) or mixed"
    )
    crowded_share: float | None = column(RESULT, "", "share of the blocks that count which met a crowded shared cache")
    baseline: str | None = column(RESULT, "", "where the baseline speed comes from: known (earlier runs) or own")
    baseline_ns: float | None = column(RESULT, "ns", "time of the small product at the baseline speed")
    baseline_launches: int | None = column(RESULT, "", "launches that the baseline speed was learnt from")
    p50_ms: float | None = column(RESULT, "ms", "median of the samples that count, at whatever speed the machine had")
    p90_ms: float | None = column(RESULT, "ms", "90th percentile; empty below 64 samples")
    p99_ms: float | None = column(RESULT, "ms", "99th percentile; empty below 662 samples")
    min_ms: float | None = column(RESULT, "ms", "fastest sample")
    sustain_s: float | None = column(RESULT, "s", "for how long --sustain kept the cases going, without a pause")
    early_ms: float | None = column(
        RESULT, "ms", "latency in the first minute of --sustain, at the speed that the machine had"
    )
    early_lo_ms: float | None = column(RESULT, "ms", "lower end of its 95% interval over launches")
    early_hi_ms: float | None = column(RESULT, "ms", "upper end of its 95% interval over launches")
    settled_ms: float | None = column(
        RESULT, "ms", "latency in the state in which --sustain settled; empty if it still moved at the end"
    )
    settled_lo_ms: float | None = column(RESULT, "ms", "lower end of its 95% interval over launches")
    settled_hi_ms: float | None = column(RESULT, "ms", "upper end of its 95% interval over launches")
    settled_after_s: float | None = column(RESULT, "s", "since when it had settled")
    early_mhz: float | None = column(RESULT, "MHz", "clock of the cores, or of the device, in the first minute")
    settled_mhz: float | None = column(RESULT, "MHz", "the same in the settled state")
    early_celsius: float | None = column(RESULT, "°C", "temperature of the CPU, or of the device, in the first minute")
    settled_celsius: float | None = column(RESULT, "°C", "the same in the settled state")
    throughput: float | None = column(
        RESULT, "samples/s", "estimate in mode throughput, at the baseline speed; such a row has no latency"
    )
    throughput_lo: float | None = column(
        RESULT, "samples/s", "lower end of its 95% interval for another run on this machine"
    )
    throughput_hi: float | None = column(
        RESULT, "samples/s", "upper end of its 95% interval for another run on this machine"
    )
    throughput_within_lo: float | None = column(
        RESULT, "samples/s", "lower end of its 95% interval for more launches of this run"
    )
    throughput_within_hi: float | None = column(
        RESULT, "samples/s", "upper end of its 95% interval for more launches of this run"
    )
    p50_under_load_ms: float | None = column(
        RESULT, "ms", "median time of an inference beside the others of mode throughput"
    )
    p99_under_load_ms: float | None = column(RESULT, "ms", "99th percentile of the same; empty below 662 samples")
    host_ms: float | None = column(
        RESULT, "ms", "median of the host's wall time where a device's own clock gives the latency"
    )
    device_mhz: float | None = column(RESULT, "MHz", "the device's clock, median over the ends of blocks")
    throttle: str | None = column(RESULT, "", "what slowed the device or the CPU while blocks ran; such a row is noisy")
    device_others: int | None = column(RESULT, "", "processes on the device that were not this run's")
    energy_mj: float | None = column(
        RESULT, "mJ", "energy of one inference, by a second of them back to back; energy_idle_w says what is taken out"
    )
    energy_lo_mj: float | None = column(RESULT, "mJ", "lower end of its 95% interval for more launches of this run")
    energy_hi_mj: float | None = column(RESULT, "mJ", "upper end of its 95% interval for more launches of this run")
    energy_idle_w: float | None = column(
        RESULT, "W", "what was drawn when idle, and is taken out of energy_mj; empty: nothing is taken out"
    )
    energy_by: str | None = column(RESULT, "", "the meter that --energy found, and what it measures")
    first_ms: float | None = column(RESULT, "ms", "first inference after loading, median over launches")
    second_ms: float | None = column(RESULT, "ms", "second inference, median over launches")
    load_ms: float | None = column(RESULT, "ms", "loading and compiling the model, median over launches")
    compile_ms: float | None = column(
        RESULT, "ms", "the part of load_ms in which the runtime compiled, where it can be told"
    )
    import_ms: float | None = column(RESULT, "ms", "importing the runtime, median over launches")
    peak_rss_mb: float | None = column(RESULT, "MiB", "peak resident memory of the worker, maximum over launches")
    gmacs_per_s: float | None = column(RESULT, "GMACs/s", "macs / latency_ms")
    attainable_share: float | None = column(RESULT, "", "macs_executed / latency_ms, over the peak of `bench roofline`")
    floor_ms: float | None = column(
        RESULT, "ms", "least latency that the roofline allows, by MACs and bytes of each operator"
    )
    limit: str | None = column(
        RESULT, "", "limits that --max and --max-latency gave, each with the 95% interval of its quantity in ms"
    )
    limit_verdict: str | None = column(
        RESULT, "", "pass, fail or inconclusive: the worst of the limits; empty if there is none, or no latency"
    )
    samples: int | None = column(RESULT, "", "timed inferences that count")
    blocks: int | None = column(RESULT, "", "blocks that were measured, in all")
    launches: int | None = column(RESULT, "", "fresh processes that count: the unit of evidence")
    machine_speed: float | None = column(RESULT, "", "speed of the machine while it measured; 1 is its baseline speed")
    set_aside: float | None = column(
        RESULT, "", "share of the blocks that do not count, because the machine was disturbed"
    )
    steal_ms: float | None = column(RESULT, "ms", "time the hypervisor took from the cores while blocks ran, in all")
    involuntary_switches: int | None = column(
        RESULT, "", "times the worker was put off its core while blocks ran, in all"
    )
    parity_rel_l2: float | None = column(
        RESULT, "", "relative L2 error against the reference, of the worst output in the worst launch"
    )
    parity_top1: bool | None = column(RESULT, "", "whether every image's top class is the reference's")
    parity_reference: str | None = column(RESULT, "", "what computed the reference output")
    quantization_rel_l2: float | None = column(
        RESULT, "", "relative L2 error of the quantised network against fp32, in its reference: worst of several inputs"
    )
    artifact_sha256: str | None = column(ENVIRONMENT, "", "hash of the ONNX file")
    exporter: str | None = column(ENVIRONMENT, "", "versions that made the artifact")
    seed: int | None = column(RUN, "", "seed of weights, input and order")
    isoflops_version: str | None = column(ENVIRONMENT, "", "version of this program")
    schema_version: int = column(RUN, "", "version of this schema", SCHEMA_VERSION)
    remark: str | None = column(RESULT, "", "what else must be known of a row that stands, in one line")
    error: str | None = column(RESULT, "", "what went wrong, in one line")


COLUMNS = tuple(f.name for f in fields(Row))


def figure(mode: str | None) -> str:
    """Return the column that holds what a row of a mode measured: of the other columns of figures it has none."""
    return "throughput" if mode == "throughput" else "latency_ms"


def schema() -> list[dict[str, str]]:
    """Return name, role, type, unit and meaning of every column, in order."""
    return [
        {
            "column": f.name,
            "role": f.metadata["role"],
            "type": kinds()[f.name].__name__,
            "unit": f.metadata["unit"],
            "meaning": f.metadata["meaning"],
        }
        for f in fields(Row)
    ]


@cache
def defaults() -> dict[str, object]:
    """Return what an empty cell of each column says."""
    return {f.name: f.default for f in fields(Row)}


@cache
def kinds() -> dict[str, type]:
    """Return every column's type, without None."""
    return {name: _base(hint) for name, hint in typing.get_type_hints(Row).items()}


def canonical(name: str, text: str) -> str:
    """Write a cell of a column the one way in which equal values have equal texts.

    Other programs write the whole number 224 as ``224.0``, once one cell of the column was empty.
    """
    kind = kinds()[name]
    if kind is bool:
        return text.lower()
    if kind not in (int, float) or (kind is int and text.isdecimal() and text.isascii()):
        return text
    if text in NOTHING:
        return ""
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    if kind is int:
        return str(int(number)) if number == int(number) else text
    return f"{number:.6g}"


def _base(hint: object) -> type:
    """Return ``float`` for ``float | None``."""
    kinds: list[type] = [k for k in typing.get_args(hint) if k is not type(None)]
    return kinds[0] if kinds else typing.cast("type", hint)
