"""What several commands print alike: lists of records as a table, CSV or JSON."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.base.escape import clip, csv_value, plain

if TYPE_CHECKING:
    from rich.text import Text

CELL = 1000  # characters of a name that a table in the terminal shows


def cell(text: str, style: str = "") -> Text:
    """Return text for a table of rich: printable, at most `CELL` characters, without markup and emoji codes."""
    from rich.text import Text

    return Text(clip(text, CELL), style=style)


def print_records(records: Sequence[dict[str, Any]], format: str) -> None:
    """Print records that share their keys; an empty list prints an empty table, header or list."""
    if format == "json":
        json.dump(list(records), sys.stdout, indent=1)
        sys.stdout.write("\n")
    elif format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        if records:
            writer.writerow(records[0])
        writer.writerows([[csv_value(v) for v in record.values()] for record in records])
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for key in records[0] if records else ():
            table.add_column(key, overflow="fold")
        for record in records:
            table.add_row(*("" if v is None else cell(str(v)) for v in record.values()))
        # A file or a pipe has no width: nothing is folded there.
        Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


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


def prepare(path: Path) -> None:
    """Fail before an hour of measuring, not after. What was not there is not there now: it may never be written."""
    from bench.base.errors import OutputError

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
