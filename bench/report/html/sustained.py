"""The curves of cases that were kept going, as records of a chart."""

from __future__ import annotations

from bench.report.html.cases import group_of
from bench.report.html.facets import Facets, Record
from bench.report.html.pairs import digits
from bench.rows import identity
from bench.rows.curve import curves
from bench.rows.frame import Rows


def records(rows: Rows, facets: Facets) -> tuple[Record, ...]:
    """Return a record per moment of every case; of several rows of a case the newest counts."""
    if "sustain_s" not in rows.frame:
        return ()
    kept = rows.frame[rows.frame["sustain_s"] > 0]
    if not len(kept):
        return ()
    newest = identity.newest(kept, identity.cell_of())
    found = [(i, points) for i, points in curves(newest) if points]
    cells = newest.astype(str).to_dict("records")
    rows_of = [{str(name): str(text) for name, text in cells[i].items()} for i, _ in found]
    machines = identity.machine_names(rows_of)
    several = len(set(machines)) > 1
    made: list[Record] = []
    for (_, points), row, name, machine in zip(found, rows_of, identity.labels(rows_of), machines, strict=True):
        on = facets.add(
            backend=row["backend"],
            target=row["target"],
            threads=row["threads"],
            precision=row[identity.RAN],
            family=group_of(row["model"])[0],
            status=row["status"],
        )
        made += [
            {
                "on": [on],
                "case": f"{name}, {machine}" if several else name,
                "minutes": round(point.at_s / 60, 3),
                "ms": digits(point.ms),
                "clock": "unknown" if point.mhz is None else f"{point.mhz:.0f} MHz",
                "temperature": "unknown" if point.celsius is None else f"{point.celsius:.0f} °C",
            }
            for point in points
        ]
    return tuple(made)
