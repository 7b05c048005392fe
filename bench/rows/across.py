"""``bench compare --across``: targets, CPUs, backends or numbers of threads side by side, case by case.

Two machines are never paired: what is compared is what a job on one gives and what a job on the other gives, so the
unit is the job. Between targets the ratio is that of two offerings, with whatever CPUs their jobs met, not of two
architectures.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.base.errors import UsageError
from bench.base.words import counted
from bench.rows import identity
from bench.rows.frame import Rows
from bench.rows.jobs import Jobs, as_dict, group
from bench.stats.jobs import Difference, difference, paired
from bench.stats.ranks import Correlation, correlations


def _axis(axis: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns that an axis compares, and those of the machine that are the same on both sides."""
    if axis in ("target", "cpu"):
        return (identity.cpu() if axis == "cpu" else ("target",)), ()
    return (axis,), identity.machine()


@dataclass(frozen=True)
class Beside:
    """One case on two levels: B's latency over A's, with its interval; picoseconds per multiply-accumulate on each."""

    case: str
    a: str
    b: str
    a_ms: float
    b_ms: float
    found: Difference
    a_ps_per_mac: float | None
    b_ps_per_mac: float | None
    a_jobs: int
    b_jobs: int

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the ratio's 95% interval, on the log scale."""
        return self.found.interval(0.95)


@dataclass(frozen=True)
class Flip:
    """`first` is faster than `second` on `a` and slower on `b`; ratios are second over first, intervals clear of 1."""

    first: str
    second: str
    a: str
    b: str
    on_a: float
    on_b: float


@dataclass(frozen=True)
class Agreement:
    """How far two levels put the cases that both have into the same order."""

    a: str
    b: str
    cases: int
    correlations: tuple[Correlation, ...]


@dataclass(frozen=True)
class Across:
    """All pairs of levels."""

    axis: str
    cases: tuple[Beside, ...]
    agreements: tuple[Agreement, ...]
    flips: tuple[Flip, ...]
    incomparable: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Cell:
    jobs: Jobs
    name: str
    key: tuple[str, ...]  # the case without the axis


def across(rows: Rows, axis: str, job_sd: float) -> Across:
    """Hold every pair of levels of `axis` side by side.

    The precision that was asked for is no part of the case here: a case that ran in another precision on the other
    level is listed as not comparable, and never compared.

    Raises:
        UsageError: the rows have one level only.
    """
    names, same = _axis(axis)
    case = tuple(c for c in identity.case() if c not in (*names, identity.ASKED))
    keys = tuple(dict.fromkeys((*case, *same, *names)))
    cells = group(rows.frame, keys)
    own = [k for k in keys if k not in names]
    cases = list(dict.fromkeys(key[: len(own)] for key in cells))
    shown = dict(zip(cases, _names([as_dict(c, own) for c in cases], same), strict=True))
    by_level: dict[str, dict[tuple[str, ...], _Cell]] = {}
    for key, jobs in cells.items():
        case, level = key[: len(own)], " ".join(part for part in key[len(own) :] if part) or "unknown"
        by_level.setdefault(level, {})[case] = _Cell(jobs, shown[case], case)
    if len(by_level) < 2:
        raise UsageError(
            f"all rows have one {axis}: {next(iter(by_level))}", "give rows of two, or choose another --across"
        )
    return _all_pairs(rows, axis, by_level, own, job_sd)


def _all_pairs(
    rows: Rows, axis: str, by_level: dict[str, dict[tuple[str, ...], _Cell]], own: Sequence[str], job_sd: float
) -> Across:
    beside: list[Beside] = []
    agreements, flips, incomparable = [], [], []
    for a, b in itertools.combinations(sorted(by_level), 2):
        pairs = []
        for case in [c for c in by_level[a] if c in by_level[b]]:
            left, right = by_level[a][case], by_level[b][case]
            reason = _reason(left.jobs, right.jobs, a, b)
            if reason:
                incomparable.append(f"{left.name}: {reason}")
            else:
                pairs.append((left, right))
        beside += [_beside(left, right, a, b, job_sd) for left, right in pairs]
        logs = [[cell.jobs.side.mean for cell in side] for side in zip(*pairs, strict=True)] or [[], []]
        agreements.append(Agreement(a, b, len(pairs), correlations(logs[0], logs[1])))
        flips += _flips(pairs, a, b, own)
        for here, there in ((a, b), (b, a)):
            alone = [cell.name for case, cell in by_level[here].items() if case not in by_level[there]]
            if alone:
                incomparable.append(f"only on {here}, not on {there}: {'; '.join(alone)}")
    flips.sort(key=lambda f: -min(abs(f.on_a), abs(f.on_b)))
    return Across(
        axis, tuple(beside), tuple(agreements), tuple(flips), tuple(incomparable), _notes(rows, axis, by_level)
    )


def _names(cases: list[dict[str, str]], same: Sequence[str]) -> list[str]:
    """Name cases; where machines are held apart too, with the machine if there are several."""
    found = identity.labels(cases)
    machines = ["/".join(case[k] for k in same if case[k]) for case in cases]
    return found if len(set(machines)) < 2 else [f"{n}, {m}" for n, m in zip(found, machines, strict=True)]


def _reason(left: Jobs, right: Jobs, a: str, b: str) -> str:
    """Say why two cells cannot be compared; nothing where they can."""
    for jobs, level in ((left, a), (right, b)):
        if jobs.rows.empty:
            return f"{'/'.join(dict.fromkeys(jobs.refused))} on {level}"
    ran = [jobs.of("precision_effective") for jobs in (left, right)]
    if ran[0] != ran[1] or len(ran[0]) > 1:
        return f"ran in {'/'.join(ran[0]) or '?'} on {a} and in {'/'.join(ran[1]) or '?'} on {b}"
    return ""


def _beside(left: _Cell, right: _Cell, a: str, b: str, job_sd: float) -> Beside:
    # Jobs that measured both, in turns, are pairs; only where there are none do two sets of jobs stand against each
    # other.
    both = [run for run in left.jobs.runs if run in right.jobs.runs]
    x, y = ((cell.jobs.only(both) if both else cell.jobs).side for cell in (left, right))
    return Beside(
        case=left.name,
        a=a,
        b=b,
        a_ms=math.exp(x.mean),
        b_ms=math.exp(y.mean),
        found=(paired if both else difference)(x, y, job_sd),
        a_ps_per_mac=_ps_per_mac(left, x.mean),
        b_ps_per_mac=_ps_per_mac(right, y.mean),
        a_jobs=len(x.logs),
        b_jobs=len(y.logs),
    )


def _ps_per_mac(cell: _Cell, log_ms: float) -> float | None:
    macs = float(cell.jobs.rows["macs"].iloc[-1])
    return math.exp(log_ms) * 1e9 / macs if macs > 0 else None


def _bounds(jobs: Jobs) -> tuple[float, float]:
    """Return the ends of a case's 95% interval among the others of its level, on the log scale.

    The cases of a job take turns, so a slow job moves them alike: for the order of two of them the rows' own intervals
    count, averaged over the jobs, and the spread that jobs add to one case is no part of it.
    """
    side = jobs.side
    half = 1.96 * math.sqrt(math.fsum(side.within)) / len(side.within)
    return side.mean - half, side.mean + half


def _flips(pairs: Sequence[tuple[_Cell, _Cell]], a: str, b: str, own: Sequence[str]) -> list[Flip]:
    """Find the pairs of cases that differ in one thing and change places, intervals clear of each other on both."""
    bounds = [(_bounds(left.jobs), _bounds(right.jobs)) for left, right in pairs]
    found = []
    for i, j in itertools.permutations(range(len(pairs)), 2):
        (i_a, i_b), (j_a, j_b) = bounds[i], bounds[j]
        if i_a[1] < j_a[0] and j_b[1] < i_b[0] and _one_thing(pairs[i][0].key, pairs[j][0].key, own):
            middle = [[sum(x) / 2 for x in side] for side in (bounds[i], bounds[j])]
            on_a, on_b = middle[1][0] - middle[0][0], middle[1][1] - middle[0][1]
            found.append(Flip(pairs[i][0].name, pairs[j][0].name, a, b, on_a, on_b))
    return found


def _one_thing(x: tuple[str, ...], y: tuple[str, ...], own: Sequence[str]) -> bool:
    """Tell whether two cases differ in model, backend or threads alone; a model brings its own resolution."""
    differ = {name for name, p, q in zip(own, x, y, strict=True) if p != q}
    return differ - {"resolution"} in ({"model"}, {"backend"}, {"threads"})


def _notes(rows: Rows, axis: str, by_level: dict[str, dict[tuple[str, ...], _Cell]]) -> tuple[str, ...]:
    notes = list(rows.notes)
    for level, cells in sorted(by_level.items()):
        jobs = {run for cell in cells.values() for run in cell.jobs.runs}
        cpus = {cpu for cell in cells.values() for cpu in cell.jobs.of("cpu")}
        versions = {f"{v}" for cell in cells.values() for v in cell.jobs.of("backend_version")}
        notes.append(
            f"{level}: {counted(len(jobs), 'job')}; {', '.join(sorted(cpus)) or '-'}; "
            f"runtime {', '.join(sorted(versions)) or '-'}"
        )
        if len(jobs) < 5 and axis in ("target", "cpu"):
            notes.append(f"{level}: fewer than 5 jobs; how much jobs differ is in part assumed (--job-sd)")
    return tuple(notes)
