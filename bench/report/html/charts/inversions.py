"""The inversions: pairs within 10% MACs of which the one with fewer MACs is slower, largest ratio first."""

from __future__ import annotations

import altair as alt

from bench.report.html.charts.theme import (
    BLUE,
    ORANGE,
    PALE,
    Drawn,
    Width,
    above,
    beyond,
    cut,
    finish,
    log_axis,
    named,
    tips,
)
from bench.report.html.data import Data
from bench.report.html.pairs import MOST_DRAWN

TITLE = "Same MACs, other speed"
ABOUT = (
    "Ratios of latency, with 95% intervals, of pairs of networks within 10% multiply-accumulates of which the one with "
    "fewer is slower, sorted by ratio."
)
MISSING = (
    "No two networks of one setting lie within 10% MACs of each other and are inverted. "
    "`bench run --suite zoo` measures networks of like MACs."
)
ROW, PAGE_ROW = 36, 40  # a name of two lines, as a phone has them, needs more room
LEAST = 0.8  # an interval that reaches further below 1 ends at the edge of the plot
ENDS = ("lo", "hi")
LINES = ("datum.slower + ' > ' + datum.faster", "datum.setting")


def chart(data: Data, width: Width = 520) -> Drawn | None:
    """Draw the largest inversions; None where there is none."""
    records = data.inverted.records
    if not records:
        return None
    top = max(r["hi"] for r in records)
    low = max(LEAST, min(1.0, *(r["lo"] for r in records)))
    domain = [low * 0.98, top**1.1 * 1.03]  # the figure stands right of the whisker
    y = alt.Y("place:O", axis=None)
    step = alt.Step(ROW if isinstance(width, int) else PAGE_ROW)
    base = alt.Chart(named("inversions")).encode(y=y)
    axis = log_axis("times the latency, at fewer MACs or the same", domain)
    x = alt.X("ratio:Q", **axis)
    sure = alt.Scale(domain=["interval above 1", "interval reaches 1"], range=[BLUE, ORANGE])
    several = len({r["sure"] for r in records}) > 1
    color = alt.Color("sure:N", scale=sure, legend=alt.Legend() if several else None)
    shape = alt.Shape(
        "sure:N", scale=alt.Scale(domain=sure.domain, range=["circle", "diamond"]),
        legend=alt.Legend() if several else None,
    )  # fmt: skip
    hover = tips(
        slower="slower", slower_m_macs="its M MACs", slower_ms="its ms", faster="faster", faster_m_macs="its M MACs ",
        faster_ms="its ms ", ratio="ratio", lo="95% from", hi="to", setting="setting",
    )  # fmt: skip
    one = alt.Chart(alt.InlineData(values=[{"ratio": 1.0}])).mark_rule(color=PALE)
    layers = alt.layer(
        one.encode(x="ratio:Q"),
        above(base, "pair", LINES if len({r["setting"] for r in records}) > 1 else ()),
        base.mark_rule(strokeWidth=2, opacity=0.75, clip=True).encode(x=alt.X("lo:Q", **axis), x2="hi:Q", color=color),
        *(cut(base, ENDS, domain, axis, y=y, color=color) if beyond(records, ENDS, domain) else ()),
        base.mark_point(filled=True, size=80, opacity=1).encode(x=x, color=color, shape=shape, tooltip=hover),
        base.mark_text(align="left", dx=9, fontSize=11).encode(
            x=alt.X("hi:Q", **axis), text=alt.Text("ratio:Q", format=".2f")
        ),
    )
    return finish(layers.properties(width=width, height=step), ABOUT, {"inversions": list(records[:MOST_DRAWN])})
