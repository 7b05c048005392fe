"""``bench history``: which case moved on which machine, when, by how much, and what changed with it.

Latencies of different nights are not comparable: the machine behind a label changes, and its speed does. So a series
holds one case on one machine, its target and CPU model (or, pooled, on one CPU model behind whatever target), and its
values are the logarithm of the case's latency over that of a frozen reference case in the same run. A night (a date,
UTC) is one value, the median of its runs: several jobs of one night met the same slow host. What then remains of a
night's noise is the reference's own, and all cases of the night have it in common: a first pass finds the levels of
every series, the median over cases of what is left is taken out of the night, and a second pass finds the changes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.base.errors import OutputError, clip
from bench.base.words import counted, verb
from bench.plan.grammar import parse
from bench.rows import dates, identity, reference
from bench.rows.frame import Rows
from bench.rows.identity import Numbers
from bench.rows.jobs import SHORT
from bench.stats.changes import MIN_NIGHTS, QUIETEST, SHORTEST, Change, breaks, changes, levels, noise, pull_in

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
FEWEST_CASES = 8  # below this the median over cases is no good estimate of what a night's cases have in common


@dataclass(frozen=True)
class Moved:
    """A case that moved on a machine between the nights `last_before` and `first_after` (ISO dates).

    `ratio` is the latency after over that before, relative to the reference, with its 95% interval; `nights_before` and
    `nights_after` are the dates on either side up to the next change. `changed` says what differs between the last row
    before and the first one after, `reference_changed` the same of the reference case.
    """

    case: str
    machine: str
    last_before: str
    first_after: str
    ratio: float
    lo: float
    hi: float
    nights_before: int
    nights_after: int
    changed: tuple[str, ...]
    reference_changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class History:
    """What moved, in order of time, and how much was read.

    `searched` is how many of the `series` have the nights that a change takes, `nights` how many the longest one has.
    """

    moved: tuple[Moved, ...]
    reference: str
    rows: int
    runs: int
    series: int
    searched: int
    nights: int
    first: str
    last: str
    notes: tuple[str, ...]


def history(
    rows: Rows,
    reference_case: str | Mapping[str, str] | None = None,
    least: float = 0.02,
    read: reference.Read = parse,
) -> History:
    """Find the changes of at least `least` (a ratio minus one) in all series.

    Args:
        rows: of many runs.
        reference_case: ``MODEL[@BACKEND][@key=value]``, or its columns; by default the one that a shipped suite
            declares, else the case with the most ok rows.
        least: smaller changes are not told.
        read: what the text of a reference case means.

    Raises:
        UnknownName, UsageError: the reference is not among the rows, or not one case.
        OutputError: no row has a date, or none is ok.
    """
    days = dates.days(rows.frame)
    dated = ~np.isnan(days)
    said = dates.undated(rows.frame, days)
    if not dated.any():
        raise OutputError(said[0], "history needs the date of each row")
    frame, days = rows.frame[dated].reset_index(drop=True), days[dated]
    numbers, cases = identity.numbers(frame, identity.case())
    ok = (frame["status"] == "ok").to_numpy()
    anchor = _anchor(reference_case, cases, numbers[ok], read)
    names = identity.labels(cases)
    moved: list[Moved] = []
    lost = 0
    lengths: list[int] = []  # nights of each series
    machines, found = identity.numbers(frame, identity.machine())
    for number, shown in enumerate(identity.machine_names(found)):
        at = np.flatnonzero((machines == number) & ok)
        if not len(at):
            continue
        table = _Table(frame, at, numbers, len(cases), days)
        ratios = table.ratios(anchor)
        lost += table.without(anchor)
        there = [c for c in range(len(cases)) if c != anchor and not np.isnan(ratios[:, c]).all()]
        lengths += [int((~np.isnan(ratios[:, c])).sum()) for c in there]
        for case, nights, change in _moves(ratios, there, least):
            moved.append(_tell(table, names[case], shown, case, anchor, nights, change))
    moved.sort(key=lambda m: (m.first_after, m.machine, m.case))
    notes = [*rows.notes, *said]
    notes += [f"{counted(int((~ok).sum()), 'row')} not ok, not counted"] if not ok.all() else []
    notes += [f"{counted(lost, 'run')} without an ok row of the reference, not counted"] if lost else []
    notes += [*_short(lengths), *_crowds(moved)]
    first, last = dates.text(days.min()), dates.text(days.max())
    return History(
        tuple(moved),
        names[anchor],
        len(frame),
        len(identity.numbers(frame, identity.job())[1]),
        len(lengths),
        sum(n >= SHORTEST for n in lengths),
        max(lengths, default=0),
        first,
        last,
        tuple(notes),
    )


class _Table:
    """The ok rows of one machine: log latencies of jobs, in order of time, by cases, NaN where there is none; and the
    night of each job."""

    def __init__(self, frame: pd.DataFrame, at: NDArray[np.intp], numbers: Numbers, cases: int, days: Array) -> None:
        runs = frame["run_id"].cat.codes.to_numpy()[at]
        unique, row = np.unique(runs, return_inverse=True)
        day = np.full(len(unique), np.inf)
        np.minimum.at(day, row, days[at])
        order = np.argsort(day, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        self.frame = frame
        self.logs = np.full((len(unique), cases), np.nan)
        self.logs[rank[row], numbers[at]] = np.log(frame["latency_ms"].to_numpy()[at])
        self.dates, self.night = np.unique(np.floor(day[order]), return_inverse=True)
        # Of each night and case the first and the last row.
        by_time = np.argsort(rank[row], kind="stable")
        self.first, self.last = (np.full((len(self.dates), cases), -1, dtype=np.intp) for _ in range(2))
        for source, transport in ((self.first, by_time[::-1]), (self.last, by_time)):
            source[self.night[rank[row[transport]]], numbers[at[transport]]] = at[transport]

    def ratios(self, anchor: int) -> Array:
        """Return a matrix of nights by cases: the median over the night's jobs of the log ratio to the reference."""
        by_job: Array = self.logs - self.logs[:, [anchor]]
        starts = np.searchsorted(self.night, np.arange(len(self.dates) + 1))
        if len(self.dates) == len(by_job):
            return by_job
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a case that no job of the night has
            nights: Array = np.array([np.nanmedian(by_job[lo:hi], axis=0) for lo, hi in pairwise(starts)])
        return nights

    def without(self, anchor: int) -> int:
        """Count the jobs that do not have the reference."""
        return int(np.isnan(self.logs[:, anchor]).sum())

    def date(self, night: int) -> str:
        """Return the date of a night."""
        return dates.text(self.dates[night])

    def differing(self, case: int, before: int, after: int) -> tuple[str, ...]:
        """Say what of the environment of a case differs between two nights."""
        rows = [self.last[before, case], self.first[after, case]]
        if min(rows) < 0:
            return ()
        said = []
        for column in identity.environment():
            old, new = (str(self.frame[column].iloc[row]) for row in rows)
            if old != new:
                cut = SHORT.get(column, 60)
                said.append(f"{column}: {clip(old, 60)[:cut] or '?'} -> {clip(new, 60)[:cut] or '?'}")
        return tuple(said)


def _anchor(
    wanted: str | Mapping[str, str] | None, cases: Sequence[dict[str, str]], ok_numbers: Numbers, read: reference.Read
) -> int:
    if isinstance(wanted, str):
        return reference.find(wanted, list(cases), read)
    if wanted is not None:
        return list(cases).index(dict(wanted))
    found = reference.declared(list(cases), read)
    if found is not None and (ok_numbers == found).any():
        return found
    if not len(ok_numbers):
        raise OutputError("no row is ok", "only ok rows enter the history")
    return int(np.bincount(ok_numbers).argmax())


def _moves(ratios: Array, cases: Sequence[int], least: float) -> list[tuple[int, NDArray[np.intp], Change]]:
    """Return case, the nights that have it, and the change, of all changes in a matrix of nights by cases."""
    nights = {case: np.flatnonzero(~np.isnan(ratios[:, case])) for case in cases}
    if len(cases) >= FEWEST_CASES:
        left = np.full_like(ratios, np.nan)
        for case in cases:
            values = ratios[nights[case], case]
            sd = max(noise(values), QUIETEST)
            clipped = pull_in(values, sd)
            left[nights[case], case] = values - levels(clipped, breaks(clipped, sd))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a night without the reference is all NaN
            shared = np.nanmedian(left[:, cases], axis=1)
        many = (~np.isnan(left[:, cases])).sum(axis=1) >= FEWEST_CASES
        ratios = ratios - np.where(many, shared, 0)[:, None]
    return [(case, nights[case], c) for case in cases for c in changes(ratios[nights[case], case], least)]


def _tell(
    table: _Table, name: str, shown: str, case: int, anchor: int, nights: NDArray[np.intp], change: Change
) -> Moved:
    before, after = int(nights[change.at - 1]), int(nights[change.at])
    return Moved(
        case=name,
        machine=shown,
        last_before=table.date(before),
        first_after=table.date(after),
        ratio=math.exp(change.log_ratio),
        lo=math.exp(change.lo),
        hi=math.exp(change.hi),
        nights_before=change.before,
        nights_after=change.after,
        changed=table.differing(case, before, after),
        reference_changed=table.differing(anchor, before, after),
    )


def _short(lengths: Sequence[int]) -> list[str]:
    """Say in which series nothing can be found, and why."""
    short = [n for n in lengths if n < SHORTEST]
    if not lengths:
        return ["no case but the reference was measured, and its own changes are not told"]
    if not short:
        return []
    where = "" if len(short) == len(lengths) else f"in {len(short)} of {len(lengths)} series "
    takes = f"it takes {SHORTEST} nights of a case ({MIN_NIGHTS} on either side)"
    return [f"{where}no change can be found yet: {takes}, and there {verb(max(short), 'is', 'are')} {max(short)}"]


def _crowds(moved: Sequence[Moved]) -> list[str]:
    """Point at nights on which many cases of one CPU moved in one direction: the reference may be what moved."""
    crowds: dict[tuple[str, str, bool], list[Moved]] = {}
    for m in moved:
        crowds.setdefault((m.machine, m.first_after, m.ratio > 1), []).append(m)
    return [
        f"{len(crowd)} cases got {'slower' if slower else 'faster'} on {day} on {where}: "
        + (
            "the reference changed too"
            if any(m.reference_changed for m in crowd)
            else "if all did, the reference moved"
        )
        for (where, day, slower), crowd in crowds.items()
        if len(crowd) >= FEWEST_CASES
    ]
