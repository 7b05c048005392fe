"""``bench history``: which case moved on which machine, when, by how much, and what changed with it.

Latencies of different nights are not comparable: the machine behind a label changes, and its speed does. So a series
holds one case on one machine, its target and CPU model (or, pooled, on one CPU model behind whatever target), and its
values are the logarithm of the case's latency over that of a frozen reference case in the same run. What then remains
of a night's noise is the reference's own, and all cases of the run have it in common: a first pass finds the levels of
every series, the median over cases of what is left is taken out of the run, and a second pass finds the changes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.base.errors import OutputError, clip
from bench.plan.grammar import parse
from bench.rows import identity, reference
from bench.rows.frame import Rows
from bench.rows.identity import Numbers
from bench.rows.jobs import SHORT
from bench.stats.changes import QUIETEST, Change, breaks, changes, levels, noise, pull_in

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
FEWEST_CASES = 8  # below this the median over cases is no good estimate of what a run's cases have in common


@dataclass(frozen=True)
class Moved:
    """A case that moved on a machine between the nights `last_before` and `first_after` (ISO dates).

    `ratio` is the latency after over that before, relative to the reference, with its 95% interval; `nights_before` and
    `nights_after` are the runs on either side up to the next change. `changed` says what differs between the last row
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
    """What moved, in order of time, and how much was read."""

    moved: tuple[Moved, ...]
    reference: str
    rows: int
    runs: int
    series: int
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
        OutputError: a row has no date.
    """
    frame = rows.frame.reset_index(drop=True)
    days = _days(frame)
    numbers, cases = identity.numbers(frame, identity.case())
    ok = (frame["status"] == "ok").to_numpy()
    anchor = _anchor(reference_case, cases, numbers[ok], read)
    names = identity.labels(cases)
    moved: list[Moved] = []
    lost = series = 0
    machines, found = identity.numbers(frame, identity.machine())
    for number, shown in enumerate(identity.machine_names(found)):
        at = np.flatnonzero((machines == number) & ok)
        if not len(at):
            continue
        table = _Table(frame, at, numbers, len(cases), days)
        ratios = table.logs - table.logs[:, [anchor]]
        lost += int(np.isnan(ratios[:, anchor]).sum())
        there = [c for c in range(len(cases)) if c != anchor and not np.isnan(ratios[:, c]).all()]
        series += len(there)
        for case, nights, change in _moves(ratios, there, least):
            moved.append(_tell(table, names[case], shown, case, anchor, nights, change))
    moved.sort(key=lambda m: (m.first_after, m.machine, m.case))
    notes = [*rows.notes]
    notes += [f"{int((~ok).sum())} rows are not ok and do not count"] if not ok.all() else []
    notes += [f"{lost} runs have no ok row of the reference and do not count"] if lost else []
    notes += _crowds(moved)
    first, last = (str(np.datetime64(int(d), "D")) for d in (days.min(), days.max()))
    return History(
        tuple(moved),
        names[anchor],
        len(frame),
        len(identity.numbers(frame, identity.job())[1]),
        series,
        first,
        last,
        tuple(notes),
    )


class _Table:
    """The ok rows of one machine as a matrix of runs, in order of time, by cases: log latencies, NaN where there is
    none."""

    def __init__(self, frame: pd.DataFrame, at: NDArray[np.intp], numbers: Numbers, cases: int, days: Array) -> None:
        runs = frame["run_id"].cat.codes.to_numpy()[at]
        unique, row = np.unique(runs, return_inverse=True)
        day = np.full(len(unique), np.inf)
        np.minimum.at(day, row, days[at])
        order = np.argsort(day, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        self.frame = frame
        self.day = day[order]
        self.logs = np.full((len(unique), cases), np.nan)
        self.source = np.full((len(unique), cases), -1, dtype=np.intp)
        column = numbers[at]
        self.logs[rank[row], column] = np.log(frame["latency_ms"].to_numpy()[at])
        self.source[rank[row], column] = at

    def date(self, run: int) -> str:
        """Return the date of a run."""
        return str(np.datetime64(int(self.day[run]), "D"))

    def differing(self, case: int, before: int, after: int) -> tuple[str, ...]:
        """Say what of the environment of a case differs between two runs."""
        rows = [self.source[run, case] for run in (before, after)]
        if min(rows) < 0:
            return ()
        said = []
        for column in identity.environment():
            old, new = (str(self.frame[column].iloc[row]) for row in rows)
            if old != new:
                cut = SHORT.get(column, 60)
                said.append(f"{column}: {clip(old, 60)[:cut] or '?'} -> {clip(new, 60)[:cut] or '?'}")
        return tuple(said)


def _days(frame: pd.DataFrame) -> Array:
    """Return each row's time in days since 1970, UTC."""
    import pandas as pd

    texts = frame["started_at"].cat.categories
    times = pd.to_datetime(pd.Series(texts, dtype="object"), format="ISO8601", utc=True, errors="coerce")
    seconds = times.dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(float)
    days = np.where(times.isna(), np.nan, seconds / 86400)[frame["started_at"].cat.codes.to_numpy()]
    if np.isnan(days).any():
        wrong = str(frame["started_at"].iloc[int(np.argmax(np.isnan(days)))])
        raise OutputError(
            f"a row has started_at {clip(wrong)!r}, which is no date", "history needs the date of each row"
        )
    return np.asarray(days, dtype=np.float64)


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
    """Return case, the runs that have it, and the change, of all changes in a matrix of runs by cases."""
    nights = {case: np.flatnonzero(~np.isnan(ratios[:, case])) for case in cases}
    if len(cases) >= FEWEST_CASES:
        left = np.full_like(ratios, np.nan)
        for case in cases:
            values = ratios[nights[case], case]
            sd = max(noise(values), QUIETEST)
            clipped = pull_in(values, sd)
            left[nights[case], case] = values - levels(clipped, breaks(clipped, sd))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a run without the reference is all NaN
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
