"""What several commands print alike: lists of records as a table, CSV or JSON."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.base.escape import clip, csv_value, markdown, plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

Records = Sequence[Mapping[str, object]]
Cells = Sequence[Mapping[str, str]]
CELL = 1000  # characters that a name or a remark has in a terminal; every other format has all


def cell(text: str, style: str = "") -> Text:
    """Return text for a table of rich: printable, at most `CELL` characters, without markup and emoji codes."""
    from rich.text import Text

    return Text(clip(text, CELL), style=style)


def print_records(records: Records, format: str, none: str = "") -> None:
    """Print records that share their keys; of an empty list a table says `none`, CSV is empty and JSON a list."""
    if format == "json":
        print_json(list(records))
    elif format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        if records:
            writer.writerow(records[0])
        writer.writerows([[csv_value(v) for v in record.values()] for record in records])
    elif not records:
        if none:
            say(none)
    else:
        table = grid()
        for key in records[0]:
            table.add_column(key, overflow="fold")
        for record in records:
            table.add_row(*("" if v is None else cell(str(v)) for v in record.values()))
        terminal().print(table)


def print_json(value: object) -> None:
    """Print plain data, indented."""
    click.echo(json.dumps(value, indent=1))


def emit(
    format: str, whole: object, records: Records, cells: Cells, remarks: Sequence[str], title: str, none: str = ""
) -> None:
    """Print a result: `whole` as JSON, its `records` as CSV, or its `cells` as a table, in Markdown under a `title`.

    The `remarks` follow, with CSV on stderr; `none` is said before them where there are no cells.
    """
    if format == "json":
        print_json(whole)
    elif format == "csv":
        print_records(records, "csv")
        for line in remarks if cells or not none else (none, *remarks):
            say(line, err=True)
    elif format == "markdown":
        told = markdown_table(cells) if cells or not none else [f"{none.capitalize()}."]
        click.echo("\n".join([f"### {title}", "", *told, "", *(f"- {markdown(line)}" for line in remarks)]))
    else:
        if cells:
            print_records(cells, "table")
        for line in remarks if cells or not none else (none, *remarks):
            say(clip(line, CELL))


def markdown_table(records: Cells) -> list[str]:
    """Lay records that share their keys out as the lines of a Markdown table."""
    if not records:
        return ["Nothing to show."]
    rows = [list(records[0]), ["---"] * len(records[0]), *([markdown(cell) for cell in r.values()] for r in records)]
    return [f"| {' | '.join(row)} |" for row in rows]


def terminal(width: int = 200) -> Console:
    """Return stdout as rich's console; a file or a pipe has no width of its own, and little is folded at this one."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else width)


def grid(left: Sequence[str] = (), right: Sequence[str] = (), last: Sequence[str] = (), tight: bool = False) -> Table:
    """Return a table without lines; columns keep their place, those in the middle are aligned right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, collapse_padding=tight, header_style="bold")
    for name in (*left, *right, *last):
        table.add_column(name, justify="right" if name in right else "left", no_wrap=True)
    return table


def plus_minus(share: float | None) -> str:
    """Write half an interval as a share of its value: ``±1.2%``; empty where it is not known."""
    if share is None or not math.isfinite(share):
        return ""
    return f"±{share:.1%}" if share < 10 else "over ±999%"


def say(text: str, err: bool = False) -> None:
    """Print a line in which names from models and files may stand."""
    click.echo(plain(text), err=err)


def fleeting(text: str) -> None:
    """Show on a terminal's stderr how far it is, in a line that the next one writes over.

    A line at a time, when there is something to tell: a spinner would wake the parent in the middle of a block.
    """
    if sys.stderr.isatty():
        click.echo(f"{clip(text, 78):78}\r", err=True, nl=False)


def ending(path: Path, endings: Sequence[str]) -> None:
    """Refuse a path that ends in none of those: it may be somebody's rows, or a program."""
    from bench.base.errors import UsageError

    if path.suffix.lower() not in endings:
        raise UsageError(f"{path} does not end in {', '.join(endings)}", "the ending says what is written")


def prepare(path: Path) -> None:
    """Fail before an hour of measuring, not after. What was not there is not there now: it may never be written."""
    from bench.base.errors import OutputError

    if path.is_fifo():  # to open one waits for somebody to read from it
        raise OutputError(f"{path} is a pipe", "give --output a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        there = path.exists()
        path.open("a").close()
        if not there:
            path.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror}", "give --output a path that can be written"
        ) from error
