"""Everything a report shows, gathered from files: plain records, no chart and no HTML."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.base.errors import BenchError, OutputError, clip
from bench.base.words import plural
from bench.report.html import sources as files
from bench.report.html import sustained
from bench.report.html.cases import NUMBERS, TEXTS, CaseRow, Cases, cases, group_of, named
from bench.report.html.facets import Facets, Record
from bench.report.html.nights import Nights, nights
from bench.report.html.pairs import Inverted, Order, digits, inverted, orders, top1
from bench.report.html.profiles import Profiled, read
from bench.report.html.runs import Runs, runs
from bench.report.html.slopes import Slopes, slopes
from bench.report.text.print import plus_minus
from bench.rows.curve import COLUMNS
from bench.rows.frame import Rows, load

if TYPE_CHECKING:
    from bench.findings.evaluate import Result


@dataclass(frozen=True)
class Data:
    """What was found. Records of charts carry `on`: the subjects of `facets` that they stand on."""

    facets: Facets
    cases: Cases
    points: tuple[Record, ...]
    inverted: Inverted
    pareto: tuple[Record, ...]
    without_top1: tuple[str, ...]  # networks with a latency that no source has an accuracy of
    orders: tuple[Order, ...]
    profiles: tuple[Profiled, ...]
    breakdown: tuple[Record, ...]
    nights: Nights
    night_subjects: tuple[int, ...]
    findings: tuple[Result, ...]
    runs: Runs
    notes: tuple[str, ...]
    sustained: tuple[Record, ...] = ()
    slopes: tuple[Slopes, ...] = ()


def gather(named_sources: Sequence[str], pool: str = "") -> Data:
    """Read files, folders and patterns; with the `pool` ``cpu`` targets of one CPU model are one machine.

    Raises:
        UsageError: there is nothing.
        OutputError: a file that was named does not read.
    """
    found = files.find(named_sources)
    notes: list[str] = [*found.notes]
    rows = _rows(found, notes, pool)
    shown = cases(rows) if rows else Cases((), 0, 0)
    facets = Facets()
    for row in shown.rows:
        facets.add(
            backend=row.backend,
            target=row.target,
            threads=row.threads,
            precision=row.precision,
            family=row.family,
            status=row.status,
        )
    profiles, said = read(found.profiles, named_sources)
    over_nights = nights(rows) if rows else Nights(())
    points = tuple(_point(row, name) for row, name in _with_setting(shown.rows))
    return Data(
        facets=facets,
        cases=shown,
        points=points,
        inverted=inverted(shown.rows),
        pareto=tuple(_pareto(shown.rows, points)),
        without_top1=tuple(dict.fromkeys(row.label for row in shown.rows if row.measured and top1(row) is None)),
        orders=orders(shown.rows),
        profiles=profiles,
        breakdown=tuple(
            record
            for profile, name in zip(profiles, apart([p.name for p in profiles]), strict=True)
            for record in _parts(profile, name, facets)
        ),
        nights=over_nights,
        night_subjects=tuple(
            facets.add(
                backend=s.backend,
                target=s.targets,
                threads=s.threads,
                precision=s.precision,
                family=group_of(s.model)[0],
            )
            for s in over_nights.series
        ),
        findings=tuple(result for path in found.evidence for result in _judged(path, named_sources, notes)),
        runs=runs(rows) if rows else Runs((), 0),
        notes=tuple(clip(note, 300) for note in (*notes, *said)),
        sustained=sustained.records(rows, facets) if rows else (),
        slopes=slopes(shown.rows),
    )


def _rows(found: files.Sources, notes: list[str], pool: str) -> Rows | None:
    """Read the rows; none at all is a mistake only where nothing else was found."""
    if not found.rows:
        return None
    try:
        rows = load(found.rows, (*TEXTS, *COLUMNS[0]), (*NUMBERS, *COLUMNS[1]), pool)
    except OutputError as error:
        if not (found.evidence or found.profiles) or any(os.path.isfile(source) for source in found.rows):
            raise
        notes.append(error.message)
        return None
    notes += rows.notes
    return rows


def _judged(path: Path, named_sources: Sequence[str], notes: list[str]) -> Sequence[Result]:
    from bench.findings import store
    from bench.findings.catalog import select
    from bench.findings.table import judged

    try:
        return judged(select(()), store.read(path))
    except BenchError as error:
        if str(path) in named_sources:
            raise
        notes.append(error.message)
        return ()


def _with_setting(rows: Sequence[CaseRow]) -> list[tuple[CaseRow, str]]:
    names = named(rows)
    return [(row, names[row.setting]) for row in rows]


def _point(row: CaseRow, setting: str) -> Record:
    """Return a case as the record of a chart; times in ms, MACs in millions."""
    half = (row.hi_ms - row.lo_ms) / 2 if row.hi_ms and row.lo_ms else None
    percent = f" {plus_minus(half / row.latency_ms)}" if half and row.latency_ms else ""
    return {
        "on": [row.index],
        "model": row.label,
        "family": row.family,
        "line": f"{row.series} / {setting}",
        "setting": setting,
        "m_macs": digits(row.macs and row.macs / 1e6),
        "ms": digits(row.latency_ms),
        "lo": digits(row.lo_ms),
        "hi": digits(row.hi_ms),
        "floor": digits(row.floor_ms),
        "status": row.status,
        "latency": f"{row.latency_ms:.4g} ms{percent}" if row.latency_ms else "none",
        "rate": f"{row.macs / row.latency_ms / 1e6:.3g} GMACs/s" if row.macs and row.latency_ms else "",
        "runtime": f"{row.backend} {row.version}, {row.threads} {plural('thread', 1 if row.threads == '1' else 2)}, "
        f"{row.precision}, batch {row.batch}",
        "machine": f"{row.target}: {row.cpu}",
        "when": row.started[:10],
        "error": row.error,
    }


def _pareto(rows: Sequence[CaseRow], points: Sequence[Record]) -> list[Record]:
    found = []
    for row, point in zip(rows, points, strict=True):
        published = top1(row) if row.measured else None
        if published is not None:
            value, source, others = published
            found.append(point | {"top1": value, "source": source, "others": others})
    return found


def apart(names: Sequence[str]) -> list[str]:
    """Number the names that are there several times: a chart would lay what is called alike into one row."""
    found: list[str] = []
    for name in names:
        known, number = name, 1
        while name in found:
            number += 1
            name = f"{known} ({number})"
        found.append(name)
    return found


def _parts(profile: Profiled, name: str, facets: Facets) -> list[Record]:
    on = facets.add(
        backend=profile.backend,
        threads=str(profile.threads),
        precision=profile.precision,
        family=group_of(profile.model)[0],
    )
    return [
        {
            "on": [on],
            "network": name,
            "class": kind,
            "operators": operators,
            "ms": round(ms, 4),
            "share": round(ms / profile.latency_ms, 4),
            "m_macs": round(macs / 1e6, 2),
            "total": round(profile.latency_ms, 4),
        }
        for kind, _, operators, ms, macs in profile.parts
    ]
