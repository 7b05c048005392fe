"""What several commands print alike: lists of records as a table, CSV or JSON."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

FORMAT = click.option(
    "--format", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True, help="On stdout."
)


def print_records(records: Sequence[dict[str, Any]], format: str) -> None:
    """Print records that share their keys; an empty list prints an empty table, header or list."""
    if format == "json":
        json.dump(list(records), sys.stdout, indent=1)
        sys.stdout.write("\n")
    elif format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        if records:
            writer.writerow(records[0])
        writer.writerows([["" if v is None else v for v in record.values()] for record in records])
    else:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for key in records[0] if records else ():
            table.add_column(key, overflow="fold")
        for record in records:
            table.add_row(*("" if v is None else escape(str(v)) for v in record.values()))
        # A file or a pipe has no width: nothing is folded there.
        Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


def prepare(path: Path) -> None:
    """Fail before an hour of measuring, not after."""
    from bench.errors import OutputError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror}", "give --output a path that can be written"
        ) from error
