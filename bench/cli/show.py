"""``bench show``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench.cli import options

if TYPE_CHECKING:
    from bench.rows.fields import Field


@click.command("show", epilog="Example: bench show results")
@click.argument("results", nargs=-1, required=True, metavar="RESULTS...")
@click.option(
    "--sort", default="latency", show_default=True, metavar="KEY", help="latency, macs, efficiency, name, ..."
)
@click.option("--reverse", is_flag=True, help="The largest first.")
@click.option(
    "--group", "groups", multiple=True, metavar="KEY", help="backend, target, family, threads, ...; repeatable."
)
@click.option(
    "--where", "filters", multiple=True, metavar="FILTER", help="family=mobilenetv2, 'macs<300M', ...; repeatable."
)
@click.option("--top", type=click.IntRange(1), metavar="N", help="The first N, of each group if there are groups.")
@click.option("--all", "every", is_flag=True, help="Every row, not only the newest of each case.")
@options.FORMAT
def command(
    results: tuple[str, ...],
    sort: str,
    reverse: bool,
    groups: tuple[str, ...],
    filters: tuple[str, ...],
    top: int | None,
    every: bool,
    format: str,
) -> None:
    """Print result rows as bars: sorted, grouped, filtered, the newest row of each case.

    RESULTS are files, folders or quoted patterns of rows that `bench run` wrote. A KEY is a column (bench list
    columns), a short name of one (latency, efficiency, peak, floor, name, version), or family, interval, day. A FILTER
    is KEY, then =, !=, ~ (contains), <, <=, > or >=, then a value: a number may end in k, M, G or %, a text may have *
    and ?. All filters must hold; several = of one KEY are alternatives. CSV and JSON have the same rows in the same
    order.
    """
    from bench.report.text import output
    from bench.rows.fields import find
    from bench.rows.select import read, select
    from bench.rows.where import parse

    conditions, by, within = parse(filters), find(sort), [_group(name) for name in groups]
    rows = read(results, [*(one.field for one in conditions), by, *within])
    output.write(select(rows, conditions, within, by, reverse, top, every), format)


def _group(name: str) -> Field:
    from bench.base.errors import UsageError
    from bench.rows.fields import find

    field = find(name)
    if not field.groups:
        raise UsageError(f"--group {name}: every row has its own", "group by backend, target, family, threads, ...")
    return field
