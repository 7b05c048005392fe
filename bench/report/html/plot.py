"""One chart as a picture or a page of its own: the same definitions as in the report."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bench.base.errors import UsageError
from bench.base.files import write_whole
from bench.report.html.data import Data
from bench.report.html.page import single
from bench.report.text.print import ending, prepare

if TYPE_CHECKING:
    from bench.report.html.charts.theme import Drawn

ENDINGS = (".png", ".svg", ".html")
SCALE = 2.0  # pixels of a PNG per pixel of the chart: sharp on dense screens and in print


def draw(data: Data, kind: str, output: Path) -> None:
    """Write a chart to a file whose ending says how.

    Raises:
        UsageError: the ending is none of `ENDINGS`, or there are no data for this chart.
        OutputError: the file cannot be written.
    """
    check(output)
    module = import_module(f"bench.report.html.charts.{kind.replace('-', '_')}")
    chart = module.chart(data)
    if chart is None:
        raise UsageError(f"no data for {kind}", module.MISSING)
    content = single(data, kind).encode() if output.suffix == ".html" else picture(chart, output.suffix)
    prepare(output)
    write_whole(output, content)


def check(output: Path) -> None:
    """Refuse an ending that is not offered."""
    ending(output, ENDINGS)


def picture(chart: Drawn, ending: str) -> bytes:
    """Draw a chart on white, as ``.svg`` or ``.png``; no address is ever opened for it."""
    import vl_convert

    spec = chart.spec() | {"background": "white", "padding": 12}
    if ending == ".svg":
        svg: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
        return svg.encode()
    png: bytes = vl_convert.vegalite_to_png(spec, scale=SCALE, allowed_base_urls=[])
    return png
