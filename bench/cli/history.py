"""``bench history``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench.base.words import counted
from bench.cli import options
from bench.cli.options import CASE, POOL, Percent

if TYPE_CHECKING:
    from datetime import datetime

    from bench.rows.history import History, Moved


@click.command("history", epilog="Example: bench history results")
@click.argument("rows", nargs=-1, required=True, metavar="ROWS...")
@click.option("--reference", metavar=CASE, help="The frozen case; default: what a suite declares, else the "
              "most frequent.")  # fmt: skip
@click.option(
    "--least", type=Percent(0.1, 100), default="2%", show_default=True, metavar="PERCENT", help="Tell no less."
)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Tell only what moved from that day on.")
@POOL
@options.MARKDOWN
def command(
    rows: tuple[str, ...], reference: str | None, least: float, since: datetime | None, pool: str | None, format: str
) -> None:
    """Find in years of nightly rows what moved, when, by how much, and what changed with it.

    ROWS are files, folders or quoted patterns. A series is one case on one target and CPU model (--pool cpu: on one CPU
    model, whatever the target); its values are latencies relative to a reference case of the same run. A change is told
    from the fifth night on. Needs the extra `history`.
    """
    from dataclasses import replace

    from bench.measure.cases import canonical
    from bench.rows.frame import load
    from bench.rows.history import history

    found = history(load(rows, pool=pool or ""), reference, least, canonical)
    if since is not None:
        day = since.date().isoformat()
        found = replace(found, moved=tuple(m for m in found.moved if m.first_after >= day))
    _show(found, format)


def _show(found: History, format: str) -> None:
    from dataclasses import asdict

    from bench.report.text.print import emit

    records = [record(m) for m in found.moved]
    remarks = [
        f"{counted(found.rows, 'row')}, {counted(found.runs, 'run')}, {found.series} series "
        f"from {found.first} to {found.last}, relative to {found.reference}",
        *found.notes,
    ]
    cells = [_cells(m) for m in found.moved]
    none = "nothing moved" if found.searched else "nothing could be found"
    emit(format, asdict(found) | {"moved": records}, records, cells, remarks, "What moved", none)


def record(m: Moved) -> dict[str, object]:
    """Return a change's fields, numbers at the precision that they bear."""
    from dataclasses import asdict

    numbers = {name: float(f"{getattr(m, name):.4g}") for name in ("ratio", "lo", "hi")}
    return asdict(m) | numbers | {k: "; ".join(getattr(m, k)) for k in ("changed", "reference_changed")}


def _cells(m: Moved) -> dict[str, str]:
    from math import log

    from bench.report.text.compare import percent

    reference = tuple(f"reference's {text}" for text in m.reference_changed)
    return {
        "moved": m.first_after,
        "last before": m.last_before,
        "case": m.case,
        "machine": m.machine,
        "change": percent(log(m.ratio)),
        "95%": f"{percent(log(m.lo))} to {percent(log(m.hi))}",
        "nights": f"{m.nights_before}+{m.nights_after}",
        "changed with it": "; ".join((*m.changed, *reference)),
    }
