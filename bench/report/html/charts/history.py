"""One case over the nights: medians, the levels between change points, and the change points themselves."""

from __future__ import annotations

import itertools
import math
import statistics

import altair as alt
from altair.typing import ChartType

from bench.report.html.charts.theme import BLUE, GREY, VERMILION, Drawn, Width, finish, named, tips
from bench.report.html.data import Data
from bench.report.html.facets import Record
from bench.report.html.nights import NightSeries

TITLE = "Over the nights"
ABOUT = "Latency per night in milliseconds at the reference's median speed, with a rule at every change point."
MISSING = (
    "The rows are of fewer than two nights. `bench run --suite nightly` on two days makes a history; "
    "`bench history` reads it."
)
HEIGHT = 260
MOST = 6  # series one under the other, in a picture


def chart(data: Data, width: Width = 760) -> Drawn | None:
    """Draw the series that moved most, one under the other; on a page the first, which a select exchanges."""
    series = data.nights.series
    if not series:
        return None
    if width == "container":
        return finish(_one(series[0], width), ABOUT, _records(series[0]))
    shown = [s for s in series if s.moved][:MOST] or list(series[:1])
    parts = [_one(s, width, f" {i}" if i else "").properties(height=150, title=s.name) for i, s in enumerate(shown)]
    records = {name: found for i, s in enumerate(shown) for name, found in _records(s, f" {i}" if i else "").items()}
    return finish(alt.vconcat(*parts, spacing=26) if len(parts) > 1 else parts[0], ABOUT, records)


def _one(series: NightSeries, width: Width, suffix: str = "") -> ChartType:
    x = alt.X("day:T", scale=alt.Scale(type="utc"), title=None, axis=alt.Axis(format="%Y-%m-%d", tickCount=6))
    y_title = "ms" if series.raw else "ms, reference's speed"
    y = alt.Y("ms:Q", title=y_title, scale=alt.Scale(zero=False))
    base = alt.Chart(named(f"nights{suffix}"))
    thin = base.mark_line(strokeWidth=1, color=BLUE, opacity=0.35).encode(x=x, y=y)
    dots = base.mark_point(filled=True, size=22, color=BLUE, opacity=0.9).encode(
        x=x, y=y, tooltip=[alt.Tooltip("date:N", title="night"), alt.Tooltip("ms:Q", title="ms", format=".4~g")]
    )
    levels = (
        alt.Chart(named(f"levels{suffix}"))
        .mark_rule(strokeWidth=2.5, color=GREY)
        .encode(x=alt.X("from:T", scale=alt.Scale(type="utc")), x2="to:T", y="ms:Q")
    )
    moves = alt.Chart(named(f"moves{suffix}")).encode(x=alt.X("day:T", scale=alt.Scale(type="utc")))
    rules = moves.mark_rule(strokeWidth=1.5, strokeDash=[5, 3], color=VERMILION).encode(
        opacity=alt.condition("datum.change != ''", alt.value(1), alt.value(0)),
        tooltip=tips(date="first night after", change="change", interval="95%", changed="changed with it"),
    )
    texts = moves.mark_text(align="left", dx=5, dy=8, fontSize=12, fontWeight=600).encode(
        y=alt.value(0), text="change:N"
    )
    return alt.layer(thin, dots, levels, rules, texts).properties(width=width, height=HEIGHT)


def _records(series: NightSeries, suffix: str = "") -> dict[str, list[Record]]:
    found = {"nights": night_records(series), "levels": level_records(series), "moves": move_records(series)}
    return {name + suffix: records for name, records in found.items()}


def night_records(series: NightSeries) -> list[Record]:
    """Return a record per night."""
    return [{"day": day, "date": day, "ms": ms} for day, ms in zip(series.days, series.ms, strict=True)]


def level_records(series: NightSeries) -> list[Record]:
    """Return the median between change points, from the first to the last night of each stretch."""
    starts = [series.days[0], *sorted(m.first_after for m in series.moved), "9999"]
    found = []
    for start, end in itertools.pairwise(starts):
        mine = [(d, ms) for d, ms in zip(series.days, series.ms, strict=True) if start <= d < end]
        if mine:
            found.append({"from": mine[0][0], "to": mine[-1][0], "ms": statistics.median(ms for _, ms in mine)})
    return found


def move_records(series: NightSeries) -> list[Record]:
    """Return a record per change point; where there is none, one that is not drawn, because an axis needs a date."""
    if not series.moved:
        return [{"day": series.days[0], "date": "", "change": "", "interval": "", "changed": ""}]
    return [
        {
            "day": m.first_after,
            "date": m.first_after,
            "change": f"{(m.ratio - 1):+.1%}",
            "interval": f"{(m.lo - 1):+.1%} to {(m.hi - 1):+.1%}",
            "changed": "; ".join(m.changed) or "nothing that a row tells",
        }
        for m in series.moved
        if math.isfinite(m.ratio)
    ]
