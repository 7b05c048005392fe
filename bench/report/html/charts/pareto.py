"""Published accuracy over measured latency, with the networks that no faster one beats."""

from __future__ import annotations

import altair as alt

from bench.report.html.charts.place import sides
from bench.report.html.charts.theme import (
    Drawn,
    Width,
    around,
    finish,
    log_axis,
    named,
    names,
    setting_color,
    status_shape,
    tips,
)
from bench.report.html.data import Data
from bench.report.html.facets import Record

TITLE = "Accuracy over latency"
ABOUT = (
    "Published ImageNet top-1 accuracy in percent over measured latency in milliseconds; a step line joins the "
    "networks that no faster one beats (the Pareto front)."
)
MISSING = (
    "No case is a network with a published accuracy at its resolution. `bench list models` lists them; "
    "`bench run --suite zoo` measures them."
)
HEIGHT = 420
RISE = 9  # of a name above its mark, where the front does not cross it


def chart(data: Data, width: Width = 760) -> Drawn | None:
    """Draw the networks whose top-1 is published; None where there is none."""
    if not data.pareto:
        return None
    x_ends = around([p["ms"] for p in data.pareto], 1.35)
    low, high = (f(p["top1"] for p in data.pareto) for f in (min, max))
    room = max(1.0, (high - low) * 0.08)
    y_ends = [low - room, high + room]
    records = [p | {"side": s} for p, s in zip(data.pareto, _named(list(data.pareto), x_ends, y_ends), strict=True)]
    base = alt.Chart(named("pareto")).encode(
        x=alt.X("ms:Q", **log_axis("latency, ms", x_ends)),
        y=alt.Y("top1:Q", title="published top-1, %", scale=alt.Scale(domain=y_ends, nice=False, zero=False)),
    )
    # On the front is whom nothing faster beats; computed by the chart, so that a filter moves the front.
    front = (
        base.transform_window(
            best="max(top1)",
            frame=[None, 0],
            sort=[alt.SortField("ms", "ascending"), alt.SortField("top1", "descending")],
            groupby=["setting"],
        )
        .transform_filter("datum.top1 >= datum.best")
        .mark_line(interpolate="step-after", strokeWidth=2, opacity=0.7)
        .encode(color=setting_color([p["setting"] for p in records]), order=alt.Order("ms:Q"))
    )
    marks = base.mark_point(filled=True, size=75, opacity=0.95).encode(
        color=setting_color([p["setting"] for p in records]),
        shape=status_shape([p["status"] for p in records]),
        tooltip=tips(
            model="model", top1="top-1, published", source="source", others="others print", latency="latency, 95%",
            m_macs="M MACs", runtime="runtime", machine="machine", status="status",
        ),
    )  # fmt: skip

    layers = alt.layer(front, marks, *names(base, RISE))
    return finish(layers.properties(width=width, height=HEIGHT), ABOUT, {"pareto": records})


def _named(records: list[Record], x: list[float], y: list[float]) -> list[str]:
    """Name the most accurate first. The vertical axis is linear; its exponential is laid out on a log axis."""
    order = sorted(range(len(records)), key=lambda i: -records[i]["top1"])
    spread = y[1] - y[0]
    points = [(records[i]["ms"], 10 ** ((records[i]["top1"] - y[0]) / spread), records[i]["model"]) for i in order]
    found = sides(points, x, (1.0, 10.0), (690, 360), rise=RISE)
    return [side for _, side in sorted(zip(order, found, strict=True))]
