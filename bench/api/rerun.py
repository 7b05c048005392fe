"""``bench run --like``: the cases that rows are of, and how each of them did here."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.base.errors import BenchError, OutputError, UsageError, clip
from bench.measure.cases import canonical, case_of_row
from bench.plan.case import Case, Plan
from bench.plan.given import Given
from bench.plan.protocol import Protocol
from bench.plan.target import Target
from bench.rows import file, identity, table
from bench.rows.cells import cell, row_of
from bench.rows.likeness import OPEN, Likeness, compare, unlike
from bench.rows.schema import COLUMNS, Row
from bench.rows.seal import SEAL, seal


@dataclass(frozen=True)
class Wanted:
    """A row that is to be run again: as which case, or why not (then `verdict` says what becomes of it)."""

    row: Row
    case: Case | None = None
    not_run: Likeness | None = None


# What a row must tell of its case; an older one may lack what was added since, and then has its default.
NEEDED = ("model", "backend", "threads", "batch", "resolution", "target", "latency_ms", "seed")


def wanted(
    source: str, there: Target, told: Callable[[str], None] = lambda note: None, input: Given | None = None
) -> list[Wanted]:
    """Return the rows that ``FILE[#CASE]`` names, each with the case that it is of, on a target.

    `input` is the data that they were measured on, if any. A row that was edited, or says what cannot be, is not run.

    CASE is a `case_id`, or ``MODEL[@BACKEND][@key=value]...`` as everywhere; without one all rows are meant. Of a case
    on a machine the newest row counts. `told` hears what of the file is no row.

    Raises:
        OutputError, UnknownName, UsageError: the file cannot be read, holds no rows, or none that CASE names.
    """
    path, text = _split(source)
    data = table.content(path, lambda said: None)  # `read` tells it below
    names = table.header(data)
    missing = [name for name in NEEDED if name not in names]
    if missing and set(names) & set(COLUMNS):  # of what is no table of rows at all, the reader says so
        raise OutputError(
            f"{clip(str(path), 300)} has no column {missing[0]}", "give a CSV that `bench run` wrote, whole"
        )
    wrong = _edited(data)
    rows = _newest(file.read(path, told))
    if not rows:
        raise UsageError(f"{clip(str(path), 300)} holds no rows", "give a CSV that `bench run` wrote")
    return [_of(row, there, input, wrong) for row in (_named(rows, text) if text else rows)]


EDITED = "its case_id is not the hash of its model, backend, settings and target: one of them was edited"


def plans(some: Sequence[Wanted], protocol: Callable[[int], Protocol]) -> list[Plan]:
    """Return what is to be measured: one plan for each seed of the rows, equal cases once."""
    found: dict[int, dict[str, Case]] = {}
    for one in some:
        if one.case is not None:
            found.setdefault(_seed(one.row), {}).setdefault(one.case.id, one.case)
    return [Plan(tuple(cases.values()), protocol(seed)) for seed, cases in found.items()]


def judged(some: Sequence[Wanted], measured: Iterable[Row]) -> list[Likeness]:
    """Hold each row against what was measured here with its case and its seed, in the rows' order."""
    by_case = {(row.seed, row.case_id): _as_written(row) for row in measured}
    found = []
    for one in some:
        if one.not_run is not None:
            found.append(one.not_run)
        elif one.case is not None:
            found.append(compare(one.row, by_case[_seed(one.row), one.case.id]))
    return found


def _split(source: str) -> tuple[Path, str]:
    """Split a file's name from a case; a # may be part of either."""
    at = [i for i, sign in enumerate(source) if sign == "#"]
    for end in (len(source), *reversed(at)):
        if Path(source[:end]).is_file():
            return Path(source[:end]), source[end + 1 :]
    first, _, case = source.partition("#")
    return Path(first), case


def _newest(rows: Sequence[Row]) -> list[Row]:
    """Keep the newest row of each case on each machine, in the order of the file; of equal times the last."""
    newest: dict[tuple[object, ...], int] = {}
    for i, row in enumerate(rows):
        key = tuple(getattr(row, name) for name in identity.cell_of())
        if key not in newest or row.started_at >= rows[newest[key]].started_at:
            newest[key] = i
    return [rows[i] for i in sorted(newest.values())]


def _named(rows: Sequence[Row], text: str) -> list[Row]:
    by_id = [row for row in rows if row.case_id == text]
    if by_id:
        return by_id
    told = [{name: cell(getattr(row, name)) for name in identity.case()} for row in rows]
    cases = [one for one, _ in itertools.groupby(sorted(told, key=lambda one: tuple(one.values())))]
    meant = cases[identity.match(text, canonical(text), cases)]
    return [row for row, one in zip(rows, told, strict=True) if one == meant]


def _edited(data: bytes) -> list[Row]:
    """Return the rows whose seal is not that of their cells."""
    found = table.parse(data)
    cells = [dict(zip(found.names, cells, strict=True)) for _, cells in found.rows] if found else []
    return [row_of(one) for one in cells if one.get(SEAL) and one[SEAL] != seal(one)]


def _impossible(row: Row) -> str:
    """Say what of a row's figures cannot be; nothing if all can."""
    for lo, hi in ((row.latency_lo_ms, row.latency_hi_ms), (row.within_lo_ms, row.within_hi_ms)):
        if lo is not None and hi is not None and row.latency_ms and not lo <= row.latency_ms <= hi:
            return f"its latency_ms {row.latency_ms:g} is outside its own interval, {lo:g} to {hi:g}"
    return ""


def _of(row: Row, there: Target, input: Given | None, edited: Sequence[Row]) -> Wanted:
    if row in edited:
        return Wanted(row, not_run=unlike(row, "it was edited: row_sha256 is not the hash of its cells", OPEN))
    if wrong := _impossible(row):
        return Wanted(row, not_run=unlike(row, wrong, OPEN))
    if row.status != "ok":
        reason = f"the row is {row.status}: only ok rows say a latency that can be held against another"
        return Wanted(row, not_run=unlike(row, reason, OPEN))
    try:
        case = case_of_row(row, there, input)
        if row.case_id and replace(case, target=row.target).id != row.case_id:
            return Wanted(row, not_run=unlike(row, EDITED, OPEN))
        return Wanted(row, case)
    except BenchError as error:
        return Wanted(row, not_run=unlike(row, error.told))


def _as_written(row: Row) -> Row:
    """Round a row as its file has it, so that both sides have as many digits."""
    return row_of({name: cell(getattr(row, name)) for name in COLUMNS})


def _seed(row: Row) -> int:
    return row.seed or 0
