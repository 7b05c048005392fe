"""``bench compare BASE NEW``: two sets of rows, matched case by case, with a verdict each by one rule."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.base.words import counted, listed
from bench.plan.protocol import THROUGHPUT
from bench.rows import identity, spellings
from bench.rows.frame import Rows
from bench.rows.jobs import Jobs, as_dict, differing, group
from bench.rows.rates import timed
from bench.stats.jobs import (
    PRIOR_SD,
    Difference,
    combine,
    detectable,
    difference,
    false_alarm,
    gate,
    judge,
    trips_at,
)

Key = tuple[str, ...]
Side = dict[Key, Jobs]

FEWEST_JOBS = 3  # a side; of fewer nothing is seen of how much jobs differ here, and a verdict would be a guess
WITHHELD = "withheld"
NAMED = 2  # machines of a reason


@dataclass(frozen=True)
class Options:
    """What a person may set: all but `job_sd` are ratios minus one; `threshold` is the gate's, None without one."""

    margin: float = 0.01
    threshold: float | None = None
    job_sd: float = PRIOR_SD


@dataclass(frozen=True)
class Compared:
    """One case: NEW's latency over BASE's (in `mode` throughput, time per sample), its 95% interval and the verdict.

    `name` tells it from all others: it is `case`, and on which machine where there are several. `seen` is the smallest
    slowdown (as a ratio minus one) that this much evidence would have called slower, `trips_at` the smallest that would
    have tripped the gate, and `alarm` how likely it trips where the sides are equal. With less than `FEWEST_JOBS` on a
    side the verdict is withheld, and a gate open: no slowdown is seen then (infinite), and none trips it.
    """

    name: str
    case: str
    backend: str
    mode: str
    machine: str
    base_ms: float
    new_ms: float
    found: Difference
    verdict: str
    seen: float
    base_jobs: int
    new_jobs: int
    differs: tuple[str, ...]
    gate: str = ""
    trips_at: float = math.nan
    alarm: float = math.nan

    @property
    def ratio(self) -> float:
        """NEW over BASE."""
        return math.exp(self.found.log_ratio)

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the ratio's 95% interval."""
        lo, hi = self.found.interval(0.95)
        return math.exp(lo), math.exp(hi)


@dataclass(frozen=True)
class Unmatched:
    """A case that has no verdict, and why; `name` tells it from all others."""

    name: str
    case: str
    machine: str
    reason: str
    missed: bool  # BASE vouches for it and NEW does not


@dataclass(frozen=True)
class Comparison:
    """All cases, the geometric mean over the cases of each backend, what could not be compared, and remarks."""

    cases: tuple[Compared, ...]
    backends: tuple[Compared, ...]
    unmatched: tuple[Unmatched, ...]
    notes: tuple[str, ...]
    gated: bool

    @property
    def alarm(self) -> float:
        """How likely a gate trips by any case, at most, where all sides are equal."""
        return min(1.0, math.fsum(case.alarm for case in self.cases))

    @property
    def exit_code(self) -> int:
        """0 fine, 1 the gate tripped, 3 inconclusive; 0 without a gate."""
        gates = {case.gate for case in self.cases}
        if not self.gated:
            return 0
        if "tripped" in gates:
            return 1
        return 3 if "open" in gates or not self.cases or any(u.missed for u in self.unmatched) else 0


def compare(base: Rows, new: Rows, options: Options) -> Comparison:
    """Match and judge. Rows of another target or CPU are another machine: they are listed and never compared."""
    columns = identity.cell_of()
    sides = [group(timed(frame), columns) for frame in spellings.joined(base.frame, new.frame)]
    keys = list(dict.fromkeys([*sides[0], *sides[1]]))
    names = dict(zip(keys, labels_of(keys), strict=True))
    told = identity.machine_names([as_dict(key, columns) for key in keys])
    where = dict(zip(keys, told, strict=True))
    whole = _names(keys, names)
    by_case = [_by_case(side) for side in sides]
    matched, unmatched = [], []
    for key in keys:
        reason = _reason(key, sides, by_case, where)
        if reason is None:
            matched.append(key)
        else:
            missed = key in sides[0] and len(sides[0][key].rows) > 0
            unmatched.append(Unmatched(whole[key], names[key], where[key], reason, missed))
    pairs = {key: (sides[0][key], sides[1][key]) for key in matched}
    cases = [
        _compared((whole[key], names[key], where[key]), key, *pairs[key], options, len(matched)) for key in matched
    ]
    notes = [*(f"BASE: {n}" for n in base.notes), *(f"NEW: {n}" for n in new.notes), *_remarks(cases)]
    backends = tuple(_backends(pairs, where, options))
    return Comparison(tuple(cases), backends, tuple(unmatched), tuple(notes), options.threshold is not None)


def labels_of(keys: list[tuple[str, ...]]) -> list[str]:
    """Name cases; the same case on two machines has one name."""
    columns = identity.case()
    cases = list(dict.fromkeys(key[: len(columns)] for key in keys))
    names = dict(zip(cases, identity.labels([as_dict(case, columns) for case in cases]), strict=True))
    return [names[key[: len(columns)]] for key in keys]


def _names(keys: Sequence[Key], cases: dict[Key, str]) -> dict[Key, str]:
    """Name what is compared so that no two have one name: a case, and of several machines what they differ in."""
    start = len(identity.case())
    machines = identity.named([key[start:] for key in keys], identity.machine(), ("target",)) if keys else {}
    return {key: f"{cases[key]} on {machines[key[start:]]}" if len(machines) > 1 else cases[key] for key in keys}


def _by_case(side: Side) -> dict[Key, list[Key]]:
    """Return the cells of a side by their case: on how many machines it is."""
    found: dict[Key, list[Key]] = {}
    for key in side:
        found.setdefault(key[: len(identity.case())], []).append(key)
    return found


def _reason(
    key: Key, sides: Sequence[Side], by_case: Sequence[dict[Key, list[Key]]], where: dict[Key, str]
) -> str | None:
    """Say why a case cannot be compared; None where it can."""
    for i, (side, other) in enumerate((("BASE", "NEW"), ("NEW", "BASE"))):
        if key not in sides[i]:
            others = by_case[i].get(key[: len(identity.case())], [])
            if not others:
                return f"only in {other}"
            same = [k for k in others if _cpu(k) == _cpu(key)]
            if same:
                targets = [as_dict(k, identity.cell_of())["target"] or "unknown" for k in same]
                return f"another target in {side}: {listed(targets, NAMED)} (--pool cpu joins targets of one CPU)"
            return f"another CPU in {side}: {listed([where[k] for k in others], NAMED)}"
        if sides[i][key].rows.empty:
            return f"{'/'.join(dict.fromkeys(sides[i][key].refused))} in {side}"
    ran = [side[key].of("precision_effective") for side in sides]
    if ran[0] != ran[1]:
        return f"ran in {'/'.join(ran[0]) or '?'} in BASE and in {'/'.join(ran[1]) or '?'} in NEW"
    return None


def _cpu(key: tuple[str, ...]) -> list[str]:
    found = as_dict(key, identity.cell_of())
    return [found[name] for name in identity.cpu()]


def _compared(
    names: tuple[str, str, str], key: Key, base: Jobs, new: Jobs, options: Options, comparisons: int
) -> Compared:
    found = difference(base.side, new.side, options.job_sd)
    few = min(len(base.rows), len(new.rows)) < FEWEST_JOBS
    verdict, seen = _judged(found, few, options, comparisons)
    told = as_dict(key, identity.cell_of())
    return Compared(
        name=names[0],
        case=names[1],
        backend=told["backend"],
        mode=told["mode"],
        machine=names[2],
        base_ms=math.exp(base.side.mean),
        new_ms=math.exp(new.side.mean),
        found=found,
        verdict=verdict,
        seen=seen,
        base_jobs=len(base.rows),
        new_jobs=len(new.rows),
        differs=differing(base, new),
        **_gated(found, verdict, few, options, comparisons),
    )


def _judged(found: Difference, few: bool, options: Options, comparisons: int) -> tuple[str, float]:
    """Return the verdict, and the smallest slowdown that would have been called slower."""
    if few:
        return WITHHELD, math.inf
    return judge(found, options.margin, comparisons), detectable(found, options.margin, comparisons)


def _gated(found: Difference, verdict: str, few: bool, options: Options, comparisons: int) -> dict[str, Any]:
    if options.threshold is None:
        return {}
    if few:
        return {"gate": "open", "trips_at": math.inf, "alarm": 0.0}
    rule = options.margin, options.threshold, comparisons
    return {
        "gate": gate(found, verdict, options.threshold),
        "trips_at": trips_at(found, *rule),
        "alarm": false_alarm(found, *rule),
    }


def _backends(pairs: dict[Key, tuple[Jobs, Jobs]], where: dict[Key, str], options: Options) -> list[Compared]:
    """Judge the geometric mean over a backend's cases on a machine: job by job, so that what jobs share stays in."""
    groups: dict[tuple[str, str, str], list[tuple[str, ...]]] = {}
    for key in pairs:
        told = as_dict(key, identity.cell_of())
        groups.setdefault((told["backend"], told["mode"], where[key]), []).append(key)
    result = []
    for (backend, mode, machine), keys in groups.items():
        jobs = [_complete([pairs[key][i] for key in keys]) for i in (0, 1)]
        if len(keys) < 2 or not jobs[0] or not jobs[1]:
            continue
        sides = [combine([pairs[key][i].only(jobs[i]).side for key in keys]) for i in (0, 1)]
        found = difference(sides[0], sides[1], options.job_sd)
        verdict, seen = _judged(found, min(map(len, jobs)) < FEWEST_JOBS, options, len(groups))
        mean = f"geometric mean of {counted(len(keys), 'case')}{f' mode={mode}' * (mode == THROUGHPUT)}"
        result.append(
            Compared(
                name=f"{backend}: {mean} on {machine}",
                case=mean,
                backend=backend,
                mode=mode,
                machine=machine,
                base_ms=math.exp(sides[0].mean),
                new_ms=math.exp(sides[1].mean),
                found=found,
                verdict=verdict,
                seen=seen,
                base_jobs=len(jobs[0]),
                new_jobs=len(jobs[1]),
                differs=(),
            )
        )
    return result


def _complete(cases: list[Jobs]) -> list[str]:
    """Return the jobs that have every case."""
    everywhere = set.intersection(*(set(case.runs) for case in cases))
    return [run for run in cases[0].runs if run in everywhere]


def _remarks(cases: list[Compared]) -> list[str]:
    """Say what differs between the sides, and of how many cases; and how thin the evidence is."""
    counts = Counter(text for case in cases for text in case.differs)
    remarks = [f"{text} ({count} of {counted(len(cases), 'case')})" for text, count in counts.most_common(20)]
    if len(counts) > 20:
        remarks.append(f"and {counted(len(counts) - 20, 'more difference')}")
    if any(case.mode == THROUGHPUT for case in cases):
        remarks.append("changes of cases in mode=throughput are those of the time per sample: +5% is slower")
    few = [case for case in cases if case.verdict == WITHHELD]
    if few:
        jobs = f"{min(c.base_jobs for c in few)} and {min(c.new_jobs for c in few)}"
        remarks.append(
            f"{len(few)} of {len(cases)} verdicts are withheld: BASE and NEW have {jobs} jobs (runs) of these cases at "
            f"the least, and a verdict needs {FEWEST_JOBS} on each side"
        )
    return remarks
