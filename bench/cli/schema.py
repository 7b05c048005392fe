"""``bench schema``."""

from __future__ import annotations

import click

from bench.report.text.print import FORMAT, print_records


@click.command("schema")
@FORMAT
def command(format: str) -> None:
    """Print every column of a result row: role, type, unit, meaning."""
    from bench.rows.schema import schema

    print_records(schema(), format)
