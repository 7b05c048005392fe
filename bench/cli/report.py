"""``bench report``."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.options import POOL


@click.command("report", no_args_is_help=True)
@click.argument("results", nargs=-1, required=True, metavar="RESULTS...")
@click.option(
    "--output", type=click.Path(path_type=Path), default="report.html", show_default=True, help="HTML file to write."
)
@POOL
def command(results: tuple[str, ...], output: Path, pool: str | None) -> None:
    """Write one HTML page of charts from any results: latency over MACs, inversions, Pareto front, history.

    RESULTS are files, folders or quoted patterns: rows of `bench run`, evidence of `bench findings run`, profiles of
    `bench profile --output`. The page is one file that opens from the disk, asks nothing of the network, and can be
    filtered. Needs the extra `report`.
    """
    from bench.report.html.page import need_charts
    from bench.report.text.print import prepare

    need_charts()
    from bench.report.html.data import gather
    from bench.report.html.page import page

    data = gather(results, pool or "")
    prepare(output)
    text = page(data)
    output.write_text(text, "utf-8")
    click.echo(f"wrote {output}: {len(data.cases.rows)} cases, {len(text.encode()) / 1e6:.1f} MB")
