"""Each case over the nights: medians per night relative to the reference of the same run, and what moved."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bench.base.errors import BenchError, MissingExtra, clip
from bench.base.escape import shortened
from bench.report.html.cases import frame_days
from bench.rows import identity
from bench.rows.frame import Rows
from bench.rows.history import History, Moved, history

if TYPE_CHECKING:
    import pandas as pd

MOST_POINTS = 200_000  # nights of all series; beyond them only series that moved are kept
FEWEST_NIGHTS = 2


@dataclass(frozen=True)
class NightSeries:
    """One case on one machine: ISO dates, and the median of each night in ms at the reference's median speed.

    `raw` says that there was no reference: the values are plain latencies. `on` is its subject among the facets.
    """

    case: str
    machine: str
    model: str
    backend: str
    threads: str
    precision: str
    targets: tuple[str, ...]
    days: tuple[str, ...]
    ms: tuple[float, ...]
    raw: bool
    moved: tuple[Moved, ...] = ()

    @property
    def name(self) -> str:
        """What a person chooses it by."""
        return f"{self.case}, {self.machine}"


@dataclass(frozen=True)
class Nights:
    """All series, those that moved most first; `why_not` says in a line why change points are not told."""

    series: tuple[NightSeries, ...]
    reference: str = ""
    why_not: str = ""
    left_out: int = 0
    notes: tuple[str, ...] = field(default=())


def nights(rows: Rows) -> Nights:
    """Make the series of all cases with at least two nights."""
    rows = _recurring(rows)
    frame = rows.frame[rows.frame["status"] == "ok"].reset_index(drop=True)
    if frame.empty:
        return Nights(())
    found, why_not = _history(rows)
    if found is not None and not found.series:  # what a suite declares is not what was measured here
        found, why_not = _history(rows, _most_frequent(frame))
    made = _series(frame, found)
    made.sort(key=lambda s: (-max((abs(math.log(m.ratio)) for m in s.moved), default=0.0), s.case, s.machine))
    kept = made if sum(len(s.days) for s in made) <= MOST_POINTS else [s for s in made if s.moved]
    reference = found.reference if found else ""
    return Nights(tuple(kept), reference, why_not, len(made) - len(kept), found.notes if found else ())


def _recurring(rows: Rows) -> Rows:
    """Keep the rows of machines that were met in more than one night: a single run has no history."""
    frame = rows.frame
    machines, _ = identity.numbers(frame, identity.machine())
    days = frame_days(frame)
    several = (days.where(days != "").groupby(machines).nunique() >= FEWEST_NIGHTS).to_numpy()
    return Rows(frame[several[machines]].reset_index(drop=True))


def _most_frequent(frame: pd.DataFrame) -> dict[str, str]:
    """Return the case with the most rows."""
    numbers, cases = identity.numbers(frame, identity.case())
    return cases[int(np.bincount(numbers).argmax())]


def _history(rows: Rows, reference: dict[str, str] | None = None) -> tuple[History | None, str]:
    try:
        return history(rows, reference), ""
    except MissingExtra as error:
        return None, f"change points are not told: {error.message} ({error.hint})"
    except BenchError as error:
        return None, f"change points are not told: {error.message}"


def _series(frame: pd.DataFrame, found: History | None) -> list[NightSeries]:
    numbers, cases = identity.numbers(frame, identity.case())
    machines, places = identity.numbers(frame, identity.machine())
    names, shown = identity.labels(cases), identity.machine_names(places)
    short, where_short = shortened(names, 80), shortened(shown, 60)
    logs = np.log(frame["latency_ms"].to_numpy())
    anchor = names.index(found.reference) if found and found.reference in names else None
    if anchor is not None:
        logs = logs - _reference(frame, logs, machines, numbers == anchor)
    table = frame[["target"]].assign(case=numbers, machine=machines, day=frame_days(frame), log=logs)
    table = table[(table["day"] != "") & np.isfinite(table["log"])]
    moved: dict[tuple[str, str], list[Moved]] = {}
    for one in found.moved if found else ():
        moved.setdefault((one.case, one.machine), []).append(one)
    made = []
    for (number, place), mine in table.groupby(["case", "machine"], sort=False):
        median = mine.groupby("day")["log"].median()
        if len(median) < FEWEST_NIGHTS:
            continue
        case, where = cases[number], shown[place]
        made.append(
            NightSeries(
                case=short[names[number]],
                machine=where_short[where],
                model=case["model"],
                backend=clip(case["backend"], 80),
                threads=case["threads"],
                precision=case["precision"],
                targets=tuple(sorted(set(mine["target"].astype(str)))),
                days=tuple(median.index),
                ms=tuple(float(f"{math.exp(v):.5g}") for v in median),
                raw=anchor is None or number == anchor,
                moved=tuple(moved.get((names[number], where), ())),
            )
        )
    return made


def _reference(
    frame: pd.DataFrame, logs: np.ndarray, machines: identity.Numbers, is_reference: np.ndarray
) -> np.ndarray:
    """Return for each row what its job's speed adds: the reference's log latency over its median on that machine.

    NaN where the job has no ok row of the reference; zero for the reference itself, which stays as it is.
    """
    import pandas as pd

    jobs, _ = identity.numbers(frame, identity.job())
    mine = pd.Series(logs[is_reference], index=jobs[is_reference])
    here = mine[~mine.index.duplicated(keep="last")].reindex(jobs).to_numpy()
    usual = pd.Series(here[is_reference]).groupby(machines[is_reference]).median().reindex(machines).to_numpy()
    result: np.ndarray = np.where(is_reference, 0.0, here - usual)
    return result
