"""The two pictures of published devices, as files."""

from __future__ import annotations

from pathlib import Path

from bench.base.files import write_whole
from bench.devices.pairs import ratios
from bench.devices.ranks import DRAWN, MACS, MOBILE, rank
from bench.devices.settings import settings
from bench.report.html.page import need_charts
from bench.report.html.plot import check, picture
from bench.report.text.print import prepare


def write(kind: str, output: Path) -> None:
    """Draw ``order`` or ``pairs`` of all published settings; the file's ending, .svg or .png, says how.

    Raises:
        UsageError: the ending is another.
        OutputError: the file cannot be written.
    """
    need_charts()
    from bench.report.html.charts import devices

    check(output)
    prepare(output)
    if kind == "order":
        drawn = devices.order(rank(settings(), DRAWN, networks=(MOBILE,), by=(MACS,)))
    else:
        drawn = devices.pairs(ratios(settings()))
    write_whole(output, picture(drawn, output.suffix))
