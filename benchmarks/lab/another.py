"""Does the interval for another run hold? Recorded runs of a case, each judged as on the day, against the others.

Every run is told with what the program knew before it: the reference from the first launches on that machine, and how
the case repeats from the runs before. Its interval is then held against the mean of all other runs of the case, which
are told for the same reference.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.backends.answers import Block
from bench.base.errors import BenchError
from bench.machine import baseline, runs
from bench.measure.cases import case as case_of
from bench.measure.state import CaseState, LaunchRecord
from bench.stats.repeats import restlessness
from bench.stats.summary import Estimate

LEAST_RUNS = 4
Blocks = list[Block]


@dataclass(frozen=True, slots=True)
class Judged:
    """One run: what it said, and whether its two intervals hold the mean of the other runs of its case."""

    case: str
    launches: int
    latency_ns: float
    half_width: float
    holds: bool
    holds_within: bool


def recorded(samples: Iterable[Mapping[str, Any]]) -> dict[str, list[list[Blocks]]]:
    """Sort raw launches into cases, runs and launches, each in order of time."""
    found: dict[str, dict[str, list[Blocks]]] = defaultdict(lambda: defaultdict(list))
    for record in samples:
        blocks = record.get("blocks") or []
        if blocks and "gemm_ns" in blocks[0]["canary"][0] and not blocks[0].get("scripted"):
            name = f"{record['model']}@{record['backend']}@threads={record.get('threads', 1)}"
            found[name][record["run_id"]].append(list(blocks))
    return {name: sorted(of.values(), key=_start) for name, of in found.items()}


def judge(
    cases: Mapping[str, Sequence[Sequence[Blocks]]], learn: int | None = None, launches: int | None = None
) -> list[Judged]:
    """Judge every run of every case of `LEAST_RUNS` runs; of one machine.

    With `learn` the first so many runs of a case are learnt from, once, and only the others are judged; else every run
    learns from all before it. With `launches` a run ends after so many.
    """
    references = _references(cases)
    order = sorted((_start(blocks), name, i) for name, of in cases.items() for i, blocks in enumerate(of))
    told: dict[str, list[tuple[Estimate, int]]] = defaultdict(list)
    past: dict[str, list[runs.Past]] = defaultdict(list)
    spreads: dict[str, tuple[float, float]] = {}
    for _, name, i in order:  # as they came, because a machine's cases learn from each other
        known = past[name] if learn is None else past[name][:learn]
        state = _state(name, cases[name][i][:launches], references[_backend(name)], known)
        state.restless = restlessness(spreads.values())
        estimate, evidence = state.estimate(), state.weighing()
        if estimate is None or not evidence.sound or len(evidence.launches) < 2:
            continue
        told[name].append((estimate, len(evidence.launches)))
        past[name].append(runs.Past("", state.kept(), evidence.over_s, _start(cases[name][i]) / 1e9))
        if learn is None or len(past[name]) <= learn:
            spreads[name] = state.spread(past[name])
    return [one for name in sorted(told) for one in _held(name, told[name], learn or 0)]


def _held(name: str, told: Sequence[tuple[Estimate, int]], first: int) -> list[Judged]:
    """Hold each run from the `first` on against the mean of the others."""
    found = []
    for i, (estimate, n) in enumerate(told):
        others = [math.log(other.latency_ns) for j, (other, _) in enumerate(told) if j != i]
        if i < first or len(others) < LEAST_RUNS - 1:
            continue
        mean = math.exp(statistics.fmean(others))
        holds = [
            lo is not None and hi is not None and lo <= mean <= hi
            for lo, hi in ((estimate.lo_ns, estimate.hi_ns), (estimate.within_lo_ns, estimate.within_hi_ns))
        ]
        found.append(Judged(name, n, estimate.latency_ns, estimate.half_width, *holds))
    return found


def summary(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return a line per case, and one for all: shares that hold, and widths against what the runs' own spread asks."""
    names = list(dict.fromkeys(one.case for one in judged))
    lines = [_line(name, [one for one in judged if one.case == name]) for name in names]
    if not lines:
        return []
    every = _line("all", judged)
    every["ms"] = every["sd"] = None
    every["width_over_spread"] = statistics.median(line["width_over_spread"] for line in lines)
    return [*lines, every]


def _line(name: str, judged: Sequence[Judged]) -> dict[str, Any]:
    logs = [math.log(one.latency_ns) for one in judged]
    sd = statistics.stdev(logs) if len(logs) > 1 else math.nan
    width = statistics.median(one.half_width for one in judged)
    return {
        "case": name,
        "ms": math.exp(statistics.fmean(logs)) / 1e6,
        "runs": len(judged),
        "sd": sd,
        "half_width": width,
        "width_over_spread": width / (1.96 * sd),
        "holds": statistics.fmean(one.holds for one in judged),
        "holds_within": statistics.fmean(one.holds_within for one in judged),
    }


def _references(cases: Mapping[str, Sequence[Sequence[Blocks]]]) -> dict[str, baseline.BaselineSpeed]:
    """Return the reference beside each backend, from its first launches on the machine."""
    of: dict[str, list[Blocks]] = defaultdict(list)
    for name, found in cases.items():
        of[_backend(name)] += [blocks for run in found for blocks in run]
    references = {}
    for backend, launches in of.items():
        first = sorted(launches, key=_first)[: baseline.LEARN]
        beside = [(baseline.of_launch(blocks), _first(blocks) / 1e9) for blocks in first]
        references[backend] = baseline.reference(
            [(baseline.gemm_ns, baseline.copy_ns, at_s) for baseline, at_s in beside]
        )
    return references


def _state(
    name: str, launches: Sequence[Blocks], reference: baseline.BaselineSpeed, past: Sequence[runs.Past]
) -> CaseState:
    records = [LaunchRecord({}, blocks=blocks) for blocks in launches]
    return CaseState(_case(name), launches=records, baseline=reference, past=list(past))


def _case(name: str) -> Any:
    try:
        return case_of(name)
    except BenchError:  # a model that this version does not know: only the threads matter here
        return case_of(f"shufflenetv2@onnxruntime@{name.rpartition('@')[2]}")


def _backend(name: str) -> str:
    return name.split("@")[1]


def _first(blocks: Blocks) -> float:
    return float(blocks[0].get("start_ns", 0))


def _start(run: Sequence[Blocks]) -> float:
    return _first(run[0])
