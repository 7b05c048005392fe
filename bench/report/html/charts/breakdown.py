"""Where the time goes: classes of operators as stacked bars, one bar per profiled network."""

from __future__ import annotations

from collections import Counter

import altair as alt

from bench.report.html.charts.theme import (
    BLUE,
    GREEN,
    GREY,
    NARROW,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILION,
    Drawn,
    Width,
    finish,
    named,
    tips,
)
from bench.report.html.data import Data
from bench.report.html.profiles import RESIDUAL

TITLE = "Where the time goes"
ABOUT = "Stacked bars of milliseconds by class of operators, one bar per profiled network."
MISSING = "No profile was found. `bench profile shufflenetv2 --output shufflenetv2.json` writes one beside the rows."
OTHERS = "other classes"
COLORS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, "#4d4d4d")
ROW = 30


def chart(data: Data, width: Width = 620) -> Drawn | None:
    """Draw the profiles, slowest last; None where there is none."""
    if not data.breakdown:
        return None
    totals: Counter[str] = Counter()
    for record in data.breakdown:
        totals[record["class"]] += record["share"] if record["class"] != RESIDUAL else 0
    large = [name for name, share in totals.most_common(len(COLORS)) if share > 0]
    records = [
        r | {"shown": r["class"] if r["class"] in large or r["class"] == RESIDUAL else OTHERS} for r in data.breakdown
    ]
    order = [n for n in (*large, OTHERS, RESIDUAL) if any(r["shown"] == n for r in records)]
    colors = {**dict(zip(large, COLORS, strict=False)), OTHERS: GREY, RESIDUAL: PALE}
    records = [r | {"order": order.index(r["shown"])} for r in records]
    # On a phone in two lines, around the middle of the bar.
    limit, lift = (alt.ExprRef(expr=f"{NARROW} ? {phone} : {wide}") for phone, wide in ((150, 330), (-6, 0)))
    names = alt.Axis(labelLimit=limit, labelOffset=lift, labelLineHeight=12)
    names.labelExpr = f"{NARROW} ? split(datum.label, ' on ') : datum.label"
    base = alt.Chart(named("breakdown")).encode(
        x=alt.X("ms:Q", title="ms", stack="zero", scale=alt.Scale(nice=False)),
        y=alt.Y("network:N", sort=alt.SortField("total", "ascending"), title=None, axis=names),
        order=alt.Order("order:Q"),
    )
    bars = base.mark_bar(stroke="white", strokeWidth=0.7, height={"band": 0.72}).encode(
        color=alt.Color(
            "shown:N",
            scale=alt.Scale(domain=order, range=[colors[n] for n in order]),
            legend=alt.Legend(columns=alt.ExprRef(expr=f"{NARROW} ? 2 : 4")),
        ),
        detail="class:N",
        tooltip=[
            *tips(network="network", operators="operators", m_macs="M MACs"),
            alt.Tooltip("class:N", title="class"),
            alt.Tooltip("ms:Q", title="ms", format=".3f"),
            alt.Tooltip("share:Q", title="share", format=".1%"),
        ],
    )
    return finish(bars.properties(width=width, height=alt.Step(ROW)), ABOUT, {"breakdown": records})
