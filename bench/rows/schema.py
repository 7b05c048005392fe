"""The result row: one place that says every column's name, type, unit and meaning; append and read.

A row is appended whole, flushed and fsynced when its case ends. The raw samples go beside it into
``NAME.samples.jsonl.gz``: one JSON object per line for every launch of every case, one gzip member per append, so that
a killed run leaves a file that still reads.
"""

from __future__ import annotations

import csv
import fcntl
import gzip
import io
import json
import os
import typing
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from bench.base.errors import OutputError, clip
from bench.base.escape import csv_guard, csv_unguard, line

SCHEMA_VERSION = 2
GZIP_MEMBER = b"\x1f\x8b\x08"
STATUSES = ("ok", "noisy", "mismatch", "downgraded", "failed", "crashed", "timeout", "oom", "unsupported")
MEASURED = ("ok", "noisy")  # what `--resume` need not measure again, and what leaves with exit code 0


def column(unit: str, meaning: str, default: Any = None) -> Any:
    """Declare a column; the empty cell is None."""
    return field(default=default, metadata={"unit": unit, "meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Row:
    """The result of one case. Only rows with status ``ok`` enter verdicts."""

    run_id: str = column("", "identifies the run", "")
    case_id: str = column("", "hash of model, backend, settings and target: equal cases have equal ids", "")
    started_at: str = column("ISO 8601", "when the case's first launch began, UTC", "")
    status: str = column("", "one of " + ", ".join(STATUSES), "")
    model: str = column("", "model spec, defaults left out", "")
    backend: str = column("", "backend spec, defaults left out", "")
    backend_version: str | None = column("", "version of the runtime, as it says itself")
    device: str | None = column("", "device that computed, as the runtime says")
    precision: str | None = column("", "precision that was asked for")
    precision_effective: str | None = column("", "precision that ran, read back from the runtime")
    threads: int | None = column("", "threads that were asked for")
    threads_effective: int | None = column("", "threads that computed, read back from the runtime")
    batch: int | None = column("images", "batch size")
    resolution: int | None = column("pixels", "side of the square input; empty if the input is no square image")
    shapes: str | None = column("", "shapes of inputs that --shape gave to an ONNX file, as NAME=1x3x224x224")
    pace_ms: float | None = column("ms", "one inference started every so often; empty: as soon as the last has ended")
    target: str = column("", "the target that measured", "local")
    arch: str | None = column("", "instruction set architecture")
    cpu: str | None = column("", "CPU model name")
    microarchitecture: str | None = column("", "archspec's name; in a VM perhaps only a level such as x86_64_v4")
    cpu_id: str | None = column("", "family, model, stepping (x86), or implementer and part (ARM)")
    cores: str | None = column("", "cores that the worker was pinned to")
    hypervisor: str | None = column("", "vendor of the virtual machine, empty on bare metal")
    emulated: bool | None = column("", "whether the CPU is emulated; such a row is never ok")
    os: str | None = column("", "operating system and kernel")
    macs: int | None = column("MACs", "multiply-accumulates of one inference (what papers call FLOPs)")
    flops: int | None = column("FLOPs", "2 x macs")
    macs_executed: int | None = column("MACs", "multiply-accumulates of the graph that the runtime really ran")
    macs_padded: int | None = column("MACs", "the same with channels padded to the runtime's block, where it tells")
    params: int | None = column("", "number of parameters")
    latency_ms: float | None = column("ms", "headline: geometric mean of the launches' medians, at the usual speed")
    latency_lo_ms: float | None = column("ms", "lower end of the headline's 95% interval over launches")
    latency_hi_ms: float | None = column("ms", "upper end of the headline's 95% interval over launches")
    p50_ms: float | None = column("ms", "median of the samples that count, at whatever speed the machine had")
    p90_ms: float | None = column("ms", "90th percentile; empty below 64 samples")
    p99_ms: float | None = column("ms", "99th percentile; empty below 662 samples")
    min_ms: float | None = column("ms", "fastest sample")
    host_ms: float | None = column("ms", "median of the host's wall time where a device's own clock gives the latency")
    first_ms: float | None = column("ms", "first inference after loading, median over launches")
    second_ms: float | None = column("ms", "second inference, median over launches")
    load_ms: float | None = column("ms", "loading and compiling the model, median over launches")
    compile_ms: float | None = column("ms", "the part of load_ms in which the runtime compiled, where it can be told")
    import_ms: float | None = column("ms", "importing the runtime, median over launches")
    peak_rss_mb: float | None = column("MiB", "peak resident memory of the worker, maximum over launches")
    gmacs_per_s: float | None = column("GMACs/s", "macs / latency_ms")
    attainable_share: float | None = column("", "macs_executed / latency_ms, over the peak of `bench roofline`")
    floor_ms: float | None = column("ms", "least latency that the roofline allows, by MACs and bytes of each operator")
    samples: int | None = column("", "timed inferences that count")
    blocks: int | None = column("", "blocks that were measured, in all")
    launches: int | None = column("", "fresh processes that count: the unit of evidence")
    machine_speed: float | None = column("", "speed of the machine while it measured; 1 is its usual quiet speed")
    set_aside: float | None = column("", "share of the blocks that do not count, because the machine was disturbed")
    steal_ms: float | None = column("ms", "time the hypervisor took from the cores while blocks ran, in all")
    involuntary_switches: int | None = column("", "times the worker was put off its core while blocks ran, in all")
    parity_rel_l2: float | None = column("", "relative L2 error of the output against the reference, worst launch")
    parity_top1: bool | None = column("", "whether every image's top class is the reference's")
    parity_reference: str | None = column("", "what computed the reference output")
    artifact_sha256: str | None = column("", "hash of the ONNX file")
    exporter: str | None = column("", "versions that made the artifact")
    seed: int | None = column("", "seed of weights, input and order")
    isoflops_version: str | None = column("", "version of this program")
    schema_version: int = column("", "version of this schema", SCHEMA_VERSION)
    error: str | None = column("", "what went wrong, in one line")


COLUMNS = tuple(f.name for f in fields(Row))


def schema() -> list[dict[str, str]]:
    """Return name, type, unit and meaning of every column, in order."""
    return [
        {
            "column": f.name,
            "type": _kinds()[f.name].__name__,
            "unit": f.metadata["unit"],
            "meaning": f.metadata["meaning"],
        }
        for f in fields(Row)
    ]


def samples_path(output: Path) -> Path:
    """Return where the raw samples of the rows in `output` are."""
    return output.with_name(output.name.removesuffix(".csv") + ".samples.jsonl.gz")


def prepare(output: Path) -> None:
    """Make sure, before anything is measured, that rows and samples can be appended to `output`.

    Raises:
        OutputError: it cannot be written, or holds something else than rows of this schema.
    """
    prepare_samples(output)
    if output.exists() and not output.is_file():
        raise OutputError(f"{output} is no regular file", "choose another --output")
    try:
        with output.open("a+", encoding="utf-8", newline="") as handle:
            handle.seek(0)
            header = handle.readline(1 << 16).strip()
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror}", "choose another --output") from error
    if header and header != ",".join(COLUMNS):
        raise OutputError(
            f"{output} holds other columns than schema {SCHEMA_VERSION}",
            "choose another --output; `bench list columns` lists them",
        )


def prepare_samples(output: Path) -> None:
    """Make sure that raw samples can be appended beside `output`, which need not exist; OutputError if not."""
    if output.suffix != ".csv":
        raise OutputError(f"{output} does not end in .csv", "name the result file something.csv")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with samples_path(output).open("ab"):
            pass
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror}", "choose another --output") from error


def append(output: Path, row: Row) -> None:
    """Append one row, whole and on the disk when this returns; safe beside other processes that append."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with output.open("a", encoding="utf-8", newline="") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle.fileno()).st_size == 0:
            writer.writerow(COLUMNS)
        writer.writerow(_cell(getattr(row, name)) for name in COLUMNS)
        handle.write(text.getvalue())
        handle.flush()
        os.fsync(handle.fileno())


def append_samples(output: Path, records: Iterable[dict[str, Any]]) -> None:
    """Append raw samples as one gzip member."""
    lines = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
    if lines:
        with samples_path(output).open("ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            handle.write(gzip.compress(lines.encode(), 6))


def read_samples(output: Path) -> Iterator[dict[str, Any]]:
    """Yield the raw samples of `output`, one launch at a time; a member that was cut by a crash is passed over."""
    data = samples_path(output).read_bytes()
    at = data.find(GZIP_MEMBER)
    while at >= 0:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            lines = member.decompress(data[at:])
            whole = member.eof
        except zlib.error:
            whole = False
        if whole:
            yield from (json.loads(line) for line in lines.splitlines())
        at = data.find(GZIP_MEMBER, len(data) - len(member.unused_data) if whole else at + 1)


def read(path: Path) -> list[Row]:
    """Read rows back, typed.

    Raises:
        OutputError: the file is missing, is no CSV of rows, or a cell does not parse.
    """
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle)
            if not set(reader.fieldnames or ()) >= {"status", "model", "backend", "schema_version"}:
                raise OutputError(f"{path} holds no result rows", "give a CSV that `bench run` wrote")
            return [_row(path, number, cells) for number, cells in enumerate(reader, 2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OutputError(f"{path} cannot be read: {error}", "give a CSV that `bench run` wrote") from error


def _row(path: Path, number: int, cells: dict[str, str]) -> Row:
    kinds = _kinds()
    values: dict[str, Any] = {}
    for f in fields(Row):
        text = cells.get(f.name)
        if text in (None, ""):
            values[f.name] = None if f.default is MISSING else f.default
            continue
        kind = kinds[f.name]
        try:
            values[f.name] = _READ.get(kind, kind)(text)
        except ValueError:
            said = f"{path}, line {number}: {f.name} is {clip(text)!r}"
            raise OutputError(said, f"it must be a {kind.__name__}") from None
    return Row(**values)


def _base(hint: Any) -> type:
    """Return ``float`` for ``float | None``."""
    kinds: list[type] = [k for k in typing.get_args(hint) if k is not type(None)]
    return kinds[0] if kinds else typing.cast("type", hint)


def text_of(cell: str) -> str:
    """Return the text that a cell says, printable: a file that others wrote may hold anything."""
    return line(csv_unguard(cell))


_READ: dict[type, Callable[[str], Any]] = {bool: lambda cell: cell == "true", str: text_of}


@cache
def _kinds() -> dict[str, type]:
    return {name: _base(hint) for name, hint in typing.get_type_hints(Row).items()}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return csv_guard(line(str(value)))
