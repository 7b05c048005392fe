"""Where a selection goes: the table to a terminal, CSV or JSON to a program; what was left out is said in each."""

from __future__ import annotations

import math
import os
import shutil
import sys

import click

from bench.report.text import footer
from bench.report.text import rows as table
from bench.report.text.bars import ASCII
from bench.report.text.print import print_json, print_records, say
from bench.rows import identity
from bench.rows.fields import family
from bench.rows.schema import kinds
from bench.rows.select import Selection

RESULTS = (
    "macs", "latency_ms", "latency_lo_ms", "latency_hi_ms", "throughput", "throughput_lo", "throughput_hi",
    "gmacs_per_s", "attainable_share", "launches", "run_id", "started_at", "error",
)  # fmt: skip
NARROWEST = 40  # columns; a narrower terminal wraps
PIPE = 100  # columns of a file or pipe, which has no width of its own


def write(selection: Selection, format: str) -> None:
    """Print it on stdout; with CSV, what is not a row goes to stderr."""
    if format == "json":
        head = {"rows": records(selection), "found": selection.found, "left_out": list(selection.left_out)}
        facts = {"machines": footer.machines(selection.frame), "versions": footer.versions(selection.frame)}
        print_json(head | facts | {"notes": list(selection.notes)})
    elif format == "csv":
        print_records(records(selection), "csv")
        for line in (*footer.counts(selection), *selection.notes):
            say(line, err=True)
    else:
        # https://no-color.org: any value but the empty one.
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        lines = table.lines(selection, max(shutil.get_terminal_size((PIPE, 24)).columns, NARROWEST), colour)
        text = "\n".join(lines)
        try:
            text.encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            text = text.translate(ASCII).encode("ascii", "replace").decode()
        click.echo(text, color=colour)


def records(selection: Selection) -> list[dict[str, object]]:
    """Return the rows as plain data, None for what a row does not say, in the order in which they are shown."""
    case = (name for name in identity.case() if name != identity.ASKED)
    names = ("status", *case, "backend_version", identity.RAN, "target", "cpu", *RESULTS)
    columns = {name: selection.frame[name].tolist() for name in names}
    columns = {name: [_plain(value, kinds()[name]) for value in values] for name, values in columns.items()}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [{"family": family(row["model"]), **row} for row in rows]


def _plain(value: str | float, kind: type) -> object:
    """Give a value the type of its column, as a row has it: what names a case is read as a text."""
    if value == "" or kind is str:
        return value or None
    if kind is bool:
        return value == "true"
    return kind(number) if math.isfinite(number := float(value)) else None
