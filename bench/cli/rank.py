"""``bench rank``."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli import options


@click.command("rank", epilog="Example: bench rank results")
@click.argument("sources", nargs=-1, required=True, metavar="ROWS...")
@click.option("--top", type=click.IntRange(0), default=20, show_default=True, help="Inversions to print in a table.")
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="Of `bench predict --format csv`: how well do they put the rows in order?",
)
@options.FORMAT
def command(sources: tuple[str, ...], top: int, predictions: Path | None, format: str) -> None:
    """Say how far MACs, memory access, parameters or predictions tell the latency of any rows.

    ROWS are files, folders or quoted patterns of rows that `bench run` wrote. Rank correlations come first, then what
    they miss: an inversion is a pair within 10% MACs of which the one with fewer MACs is slower. Memory access and
    parameters are counted in the graph of every network, which is exported if it is not in the cache. Of
    rows of `bench run --sustain` it says whether the order changed with the heat.
    """
    from bench.findings.predictions import read
    from bench.findings.ranks import analyse
    from bench.findings.turned import COLUMNS
    from bench.report.text.print import fleeting, say
    from bench.report.text.ranks import print_rows
    from bench.rows.frame import load

    predicted = read(predictions) if predictions else None
    rows = load(sources, (), COLUMNS)
    several = len(rows.frame[["model", "resolution", "batch", "shapes", "input"]].drop_duplicates())
    say(f"counting the graphs of up to {several} networks; one that is not in the cache takes seconds", err=True)
    print_rows(analyse(rows, predicted, fleeting), top, format)
