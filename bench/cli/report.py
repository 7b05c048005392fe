"""``bench report``."""

from __future__ import annotations

from pathlib import Path

import click

from bench.base.words import counted
from bench.cli.options import POOL
from bench.report.html.kinds import KINDS


@click.command("report", epilog="Example: bench report results")
@click.argument("results", nargs=-1, required=True, metavar="RESULTS...")
@click.option("--chart", type=click.Choice(KINDS), help="This one alone, instead of the page.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What to write; a chart's name ends in .png, .svg or .html.  [default: report.html; of a chart CHART.svg]",
)
@POOL
def command(results: tuple[str, ...], chart: str | None, output: Path | None, pool: str | None) -> None:
    """Write one HTML page of charts from any results, or one chart as PNG, SVG or HTML.

    RESULTS are files, folders or quoted patterns: rows of `bench run`, evidence of `bench findings run`, profiles of
    `bench profile --output`. The page is one file that opens from the disk, asks nothing of the network, and can be
    filtered: latency over MACs, inversions, Pareto front, where the time goes, history. Needs the extra `report`.
    """
    from bench.base.errors import UsageError
    from bench.base.files import write_whole
    from bench.report.html.page import need_charts
    from bench.report.text.print import ending, prepare, say

    need_charts()
    from bench.report.html.data import gather

    if chart is not None:
        from bench.report.html.plot import check, draw
        from bench.report.html.views import without_top1

        path = output or Path(f"{chart}.svg")
        check(path)
        data = gather(results, pool or "")
        prepare(path)
        draw(data, chart, path)
        click.echo(f"wrote {path}")
        if chart == "pareto" and (told := without_top1(data)):
            say(told)
        return
    from bench.report.html.page import page

    path = output or Path("report.html")
    if path.suffix in (".png", ".svg"):
        raise UsageError(
            f"{path}: all charts together are a page, which ends in .html", "--chart NAME writes a picture"
        )
    ending(path, (".html", ".htm"))
    data = gather(results, pool or "")
    prepare(path)
    text = page(data)
    write_whole(path, text.encode())
    click.echo(f"wrote {path}: {counted(len(data.cases.rows), 'case')}, {len(text.encode()) / 1e6:.1f} MB")
