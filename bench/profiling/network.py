"""A profiled network, read from the record that `bench profile` writes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.base.errors import OutputError
from bench.base.files import DAMAGED, opened
from bench.base.wire import Unchecked
from bench.graph.classes import OpClass
from bench.profiling.classes import MULTIPLIES, classify

Shape = tuple[int, ...]

ELEMENT_BYTES = {"fp64": 8, "fp32": 4, "fp16": 2, "bf16": 2, "int8": 1, "uint8": 1}
# These read of their first input what they write, and may have more outputs than the one that is recorded.
SLICES = ("Slice", "StridedSlice", "Gather", "Crop", "slice", "narrow", "select")


@dataclass(frozen=True, slots=True)
class ProfiledOperator:
    """An executed operator: its time without the profiler's cost, its MACs, and the bytes it moves.

    `moved_bytes` are of activations and weights as stored, each read or written once; 0 of a view and of what took no
    time. `weight` and `group` are those of the source graph, `padded_macs` of the stored weight where it is known.
    """

    name: str
    kind: str
    op_class: OpClass
    time_us: float
    macs: int
    padded_macs: int | None
    moved_bytes: int
    layout_in: str
    layout_out: str
    shapes_in: tuple[Shape, ...]
    shape_out: Shape
    weight: Shape
    group: int
    sources: tuple[str, ...]
    precise: bool
    precision: str = ""


@dataclass(frozen=True)
class ProfiledNetwork:
    """A network on a runtime: `operators` in order of execution and `residual_ms` add up to `latency_ms`.

    `error_ms` is half the 95% interval of the latency, None where there was one launch. `machine` is the name that
    `bench.machine.identity` gives the one that measured; a record of an older version does not tell it.
    """

    model: str
    backend: str
    version: str
    precision: str
    threads: int
    batch: int
    cpu: str
    launches: int
    latency_ms: float
    error_ms: float | None
    operators: tuple[ProfiledOperator, ...]
    resolution: int | None = None
    machine: str = ""

    @property
    def runtime(self) -> tuple[str | int, ...]:
        """What two networks must share for their times to be compared: the runtime, how it ran, and the machine."""
        return self.backend, self.version, self.precision, self.threads, self.cpu, self.machine

    @cached_property
    def operators_ms(self) -> float:
        """Sum of the operators' times."""
        return total_ms(self.operators)

    @property
    def residual_ms(self) -> float:
        """What of the latency no operator accounts for; may be negative by error."""
        return self.latency_ms - self.operators_ms

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of all operators, without padding."""
        return sum(op.macs for op in self.operators)

    def of(self, *classes: OpClass) -> list[int]:
        """Return the indices of the operators of some classes that took time."""
        return self.where(lambda op: op.op_class in classes)

    def where(self, condition: Callable[[ProfiledOperator], bool]) -> list[int]:
        """Return the indices of the operators that took time and fulfil a condition."""
        return [i for i, op in enumerate(self.operators) if op.time_us > 0 and condition(op)]

    def pick(self, indices: Iterable[int]) -> list[ProfiledOperator]:
        """Return operators by index."""
        return [self.operators[i] for i in indices]


def total_ms(operators: Iterable[ProfiledOperator]) -> float:
    """Sum up times."""
    return math.fsum(op.time_us for op in operators) / 1e3


def load(path: Path) -> tuple[list[ProfiledNetwork], list[tuple[float, float]]]:
    """Read a file of `bench profile --output` or ``--format json``, or of `bench profile --why --output`; also gzipped.

    Returns its networks, and pairs of their latencies in ns that were measured apart, where the file has any.

    Raises:
        OutputError: it cannot be read, or is no profile.
    """
    hint = "write one with: bench profile MODEL --output PROFILE.json"
    try:
        with opened(path) as handle:
            data = json.load(handle)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or error}", hint) from error
    except (*DAMAGED, RecursionError) as error:
        raise OutputError(f"{path} is no JSON", hint) from error
    try:
        if not isinstance(data, dict):
            raise ValueError("no object")
        networks = [read(record) for record in data.get("profiles", [data.get("profile", data)])]
        return networks, [(float(a), float(b)) for a, b in data.get("apart_ns", [])]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise OutputError(f"{path} is no profile, or one of another version", hint) from error


def read(record: Unchecked) -> ProfiledNetwork:
    """Read `bench.profiling.combine.Profile.record`.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is none.
    """
    latency_ms = float(record["latency_ms"])
    if not (math.isfinite(latency_ms) and latency_ms > 0):
        raise ValueError("latency")
    low, high = record["latency_lo_ms"], record["latency_hi_ms"]
    return ProfiledNetwork(
        model=str(record["model"]),
        backend=str(record["backend"]),
        version=str(record["version"]),
        precision=str(record["precision"]),
        threads=int(record["threads"]),
        batch=int(record["batch"]),
        cpu=str(record["cpu"]),
        machine=str(record.get("machine", "")),
        launches=int(record["launches"]),
        latency_ms=latency_ms,
        error_ms=None if low is None or high is None else (float(high) - float(low)) / 2,
        operators=tuple(_operator(row, str(record["precision"])) for row in record["operators"]),
        resolution=record.get("resolution"),
    )


def _operator(row: Unchecked, precision: str) -> ProfiledOperator:
    shapes_in = tuple(tuple(int(side) for side in shape) for shape in row["shapes_in"])
    shape_out, weight = tuple(row["shape_out"]), tuple(row["weight"])
    element = ELEMENT_BYTES.get(row["precision"] or precision, 4)
    time_us = float(row["time_us"])
    return ProfiledOperator(
        name=str(row["name"]),
        kind=str(row["kind"]),
        op_class=OpClass(row["class"]),
        time_us=time_us,
        macs=int(row["macs"] or 0),
        padded_macs=row["padded_macs"],
        moved_bytes=element * moved_elements(row["kind"], shapes_in, shape_out, weight) if time_us > 0 else 0,
        layout_in=str(row["layout_in"]),
        layout_out=str(row["layout_out"]),
        shapes_in=shapes_in,
        shape_out=shape_out,
        weight=weight,
        group=int(row["group"]),
        sources=tuple(row["sources"]),
        precise=bool(row["precise"]),
        precision=str(row["precision"] or precision),
    )


def moved_elements(kind: str, shapes_in: tuple[Shape, ...], shape_out: Shape, weight: Shape) -> int:
    """Return how many elements an operator reads and writes, each once."""
    op_class = classify(kind)
    written = math.prod(shape_out) if shape_out else 0
    if op_class is OpClass.VIEW:
        return 0
    if op_class is OpClass.SPLIT and shapes_in:
        return 2 * (written if kind in SLICES else math.prod(shapes_in[0]))
    read = sum(math.prod(shape) for shape in shapes_in)
    # A weight that the runtime packed when it loaded is no longer among the inputs.
    packed = kind in MULTIPLIES and weight and not any(len(shape) > 1 for shape in shapes_in[1:])
    return read + written + (math.prod(weight) if packed else 0)
