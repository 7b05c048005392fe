"""One record of several profiled launches.

The launch is the unit of evidence: an operator's time is the mean over launches of the mean over each launch's loads,
and its deviation is that between launches.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TypedDict

import msgspec

from bench.artifact.artifact import Artifact, MacOp
from bench.backends.answers import Launched, Load, Ran
from bench.backends.profiling import ProfilerCost, TimedOperator
from bench.base.errors import MeasureError
from bench.machine.environment import Environment, local
from bench.machine.identity import machine_of
from bench.plan.case import Case
from bench.profiling import source as sources
from bench.profiling.classes import CONVOLUTIONS, GROUP_OF, GROUPS, classify
from bench.profiling.correct import Corrected, alone_over_beside, correct, imprecise
from bench.stats.summary import estimate


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """One executed operator: its time corrected for the profiler, and what it was.

    `weight` and `group` are those of the source graph, without padding, where it was found there.
    `share` is of the latency, `sd_us` the deviation between launches. `sources` are nodes of the source graph, its
    multiplying ones first. `precise` is false where the profiler's cost is too large beside it.
    """

    name: str
    kind: str
    class_: str
    time_us: float
    sd_us: float | None
    share: float
    raw_us: float
    macs: int | None
    padded_macs: int | None
    gmacs_per_s: float | None
    layout_in: str
    layout_out: str
    precision: str
    implementation: str
    shapes_in: tuple[tuple[int, ...], ...]
    shape_out: tuple[int, ...]
    weight: tuple[int, ...]
    group: int
    sources: tuple[str, ...]
    precise: bool

    def record(self) -> dict[str, object]:
        """Return it for JSON and CSV, times rounded to a nanosecond."""
        found = {("class" if k == "class_" else k): v for k, v in asdict(self).items()}
        digits = {"time_us": 3, "sd_us": 3, "raw_us": 3, "share": 6, "gmacs_per_s": 3}
        return {k: round(v, digits[k]) if k in digits and v is not None else v for k, v in found.items()}


@dataclass(frozen=True, slots=True)
class ProfilerOverhead:
    """What profiling cost and what was taken out: latency of profiled inferences, δ of an event, raw sum, scale."""

    profiled_ms: float
    raw_operators_ms: float
    delta_us: float
    scale: float  # see `alone_over_beside`
    hot_us: float
    cold_us: float
    dispatch_us: float


class Total(TypedDict):
    """The operators of a class, or of a family of classes, summed up."""

    operators: int
    time_ms: float
    share: float
    macs: int
    gmacs_per_s: float | None


@dataclass(frozen=True)
class Profile:
    """The profile of a case. `latency_ms` is unprofiled; operators and `residual_ms` add up to it."""

    case: Case
    effective: Ran
    launches: int
    latency_ms: float
    latency_lo_ms: float | None
    latency_hi_ms: float | None
    operators: tuple[OperatorTime, ...]
    overhead: ProfilerOverhead
    unaccounted_macs: int
    cpu: str
    machine: str

    @property
    def operators_ms(self) -> float:
        """Sum of the operators' corrected times."""
        return math.fsum(op.time_us for op in self.operators) / 1e3

    @property
    def residual_ms(self) -> float:
        """What of the latency no operator accounts for."""
        return self.latency_ms - self.operators_ms

    def record(self) -> dict[str, object]:
        """Return everything for JSON; times in ms and, for single operators, µs."""
        return {
            "model": self.case.model.canonical,
            "backend": self.case.backend.canonical,
            "threads": self.case.settings.threads,
            "batch": self.case.network.batch,
            "resolution": self.case.resolution,
            "cpu": self.cpu,
            "machine": self.machine,
            "version": self.effective["version"],
            "precision": self.effective["precision"],
            "launches": self.launches,
            "latency_ms": self.latency_ms,
            "latency_lo_ms": self.latency_lo_ms,
            "latency_hi_ms": self.latency_hi_ms,
            "operators_ms": self.operators_ms,
            "residual_ms": self.residual_ms,
            "profiler_overhead": asdict(self.overhead),
            "unaccounted_macs": self.unaccounted_macs,
            "groups": self.groups(),
            "classes": self.classes(),
            "operators": [op.record() for op in self.operators],
        }

    def classes(self) -> dict[str, Total]:
        """Sum up per class, in the order of `bench.profiling.classes.GROUPS`; those that do not occur are left out."""
        return self._totals({op.class_ for op in self.operators}, lambda op: op.class_, GROUP_OF)

    def groups(self) -> dict[str, Total]:
        """Sum up per family of classes."""
        present = {GROUP_OF[op.class_] for op in self.operators}
        return self._totals(present, lambda op: GROUP_OF[op.class_], GROUPS)

    def _totals(self, present: set[str], key: Callable[[OperatorTime], str], order: Iterable[str]) -> dict[str, Total]:
        found: dict[str, Total] = {}
        for name in (n for n in order if n in present):
            mine = [op for op in self.operators if key(op) == name]
            time_us, macs = math.fsum(op.time_us for op in mine), sum(op.macs or 0 for op in mine)
            found[name] = {
                "operators": len(mine),
                "time_ms": time_us / 1e3,
                "share": time_us / 1e3 / self.latency_ms,
                "macs": macs,
                "gmacs_per_s": macs / time_us / 1e3 if macs and time_us else None,
            }
        return found


def combine(
    case: Case, artifact: Artifact, launches: Sequence[Launched], environment: Environment | None = None
) -> Profile:
    """Correct every load and make one record; `environment` is that of the device, this machine's if none is given.

    Raises:
        MeasureError: the runtime made different graphs of one model.
    """
    environment = environment or local()
    first = _operators(launches[0]["loads"][0])
    scale = alone_over_beside([(ld["alone_ns"], ld["unprofiled_ns"]) for launch in launches for ld in launch["loads"]])
    loads = [[_correct(load, align(first, _operators(load)), scale) for load in launch["loads"]] for launch in launches]
    latency = estimate([[statistics.fmean(c.unprofiled_ns for c in launch)] for launch in loads])
    origins = sources.join(first, sources.read(artifact), artifact.mac_ops)
    delta_ns = statistics.fmean(c.delta_ns for launch in loads for c in launch)
    operators = tuple(
        _operator(i, operator, origin, loads, latency.latency_ns, delta_ns)
        for i, (operator, origin) in enumerate(zip(first, origins, strict=True))
    )
    costs = [load["cost"] for launch in launches for load in launch["loads"]]
    flat = [c for launch in loads for c in launch]
    overhead = ProfilerOverhead(
        profiled_ms=statistics.fmean(c.profiled_ns for c in flat) / 1e6,
        raw_operators_ms=statistics.fmean(sum(c.raw_ns) for c in flat) / 1e6,
        delta_us=delta_ns / 1e3,
        scale=scale,
        **{f"{key}_us": statistics.fmean(c[f"{key}_ns"] for c in costs) / 1e3 for key in ("hot", "cold", "dispatch")},
    )
    return Profile(
        case=case,
        effective=launches[0]["inspected"]["effective"],
        launches=len(launches),
        latency_ms=latency.latency_ns / 1e6,
        latency_lo_ms=None if latency.lo_ns is None else latency.lo_ns / 1e6,
        latency_hi_ms=None if latency.hi_ns is None else latency.hi_ns / 1e6,
        operators=operators,
        overhead=overhead,
        unaccounted_macs=artifact.macs - sum(op.macs or 0 for op in operators),
        cpu=environment.cpu,
        machine=machine_of(environment),
    )


def align(first: Sequence[TimedOperator], other: Sequence[TimedOperator]) -> list[TimedOperator]:
    """Return another load's operators in the order of the first one's.

    ONNX Runtime orders independent nodes anew, OpenVINO numbers some names anew: by order where kinds and shapes agree
    in order, else by kind and name.
    Raises:
        MeasureError: they are not the same graph.
    """

    def shape(operator: TimedOperator) -> tuple[object, ...]:
        return operator.kind, operator.weight, operator.shape_out

    if [shape(operator) for operator in other] == [shape(operator) for operator in first]:
        return list(other)
    waiting: dict[tuple[str, str], list[TimedOperator]] = {}
    for operator in other:
        waiting.setdefault((operator.kind, operator.name), []).append(operator)
    found = []
    for operator in first:
        same = waiting.get((operator.kind, operator.name))
        if not same or len(other) != len(first):
            raise MeasureError(
                "the runtime made another graph of the same model in another load: nothing to average",
                "profile a single load: --launches 1 --loads 1",
            )
        found.append(same.pop(0))
    return found


def _operators(load: Load) -> list[TimedOperator]:
    return msgspec.convert(load["operators"], list[TimedOperator])


def _correct(load: Load, operators: Sequence[TimedOperator], scale: float) -> Corrected:
    return correct(
        load["unprofiled_ns"],
        load["profiled_ns"],
        [operator.raw_ns for operator in operators],
        [operator.events for operator in operators],
        ProfilerCost(**load["cost"]),
        scale,
    )


def _operator(
    i: int,
    operator: TimedOperator,
    origin: sources.Origin,
    launches: list[list[Corrected]],
    latency_ns: float,
    delta_ns: float,
) -> OperatorTime:
    times = [statistics.fmean(c.corrected_ns[i] for c in launch) for launch in launches]
    time_ns = statistics.fmean(times)
    macs = sum(op.macs for op in origin.macs) if origin.macs else None
    told = origin.macs[0] if origin.macs else operator
    return OperatorTime(
        name=operator.name,
        kind=operator.kind,
        class_=classify(_kind(operator), told.weight, told.group, origin.shuffles),
        time_us=time_ns / 1e3,
        sd_us=statistics.stdev(times) / 1e3 if len(times) > 1 else None,
        share=time_ns / latency_ns,
        raw_us=statistics.fmean(c.raw_ns[i] for launch in launches for c in launch) / 1e3,
        macs=macs,
        padded_macs=_padded(operator, origin.macs),
        gmacs_per_s=macs / time_ns if macs and time_ns else None,
        layout_in=operator.layout_in,
        layout_out=operator.layout_out,
        precision=operator.precision,
        implementation=operator.implementation,
        shapes_in=operator.shapes_in,
        shape_out=operator.shape_out,
        weight=told.weight,
        group=told.group,
        sources=origin.nodes,
        precise=not imprecise(time_ns, operator.events, delta_ns),
    )


def _kind(operator: TimedOperator) -> str:
    """Return the runtime's word for an operator, with the domain where ONNX Runtime has two of one name."""
    name = operator.implementation
    return name if name.startswith("com.microsoft.nchwc.") else operator.kind


def _padded(operator: TimedOperator, macs: tuple[MacOp, ...]) -> int | None:
    """Return the MACs computed on the stored weight, where the runtime tells that weight and it may be padded."""
    if len(macs) != 1 or operator.kind not in CONVOLUTIONS or operator.layout_out != "nchwc":
        return None
    stored, true = math.prod(operator.weight), math.prod(macs[0].weight)
    return round(macs[0].macs * stored / true) if stored and true else None
