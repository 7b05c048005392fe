"""``bench plot``."""

from __future__ import annotations

from pathlib import Path

import click

KINDS = ("latency-flops", "inversions", "pareto", "breakdown", "ranks", "findings", "history")


@click.command("plot", no_args_is_help=True)
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("results", nargs=-1, required=True, metavar="RESULTS...")
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Ends in .png, .svg or .html."
)
def command(kind: str, results: tuple[str, ...], output: Path) -> None:
    """Draw one chart of the report as PNG, SVG or a page of its own.

    RESULTS are files, folders or quoted patterns, as for `bench report`. Needs the extra `report`.
    """
    from bench.report.html.page import need_charts
    from bench.report.text.print import prepare

    need_charts()
    from bench.report.html.data import gather
    from bench.report.html.plot import check, draw

    check(output)
    data = gather(results)
    prepare(output)
    draw(data, kind, output)
    click.echo(f"wrote {output}")
