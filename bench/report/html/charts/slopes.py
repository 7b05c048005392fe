"""The order of networks on several settings, published devices among them: a line per network from rank to rank."""

from __future__ import annotations

import altair as alt

from bench.report.html.charts.theme import (
    BLUE,
    GREEN,
    INK,
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
from bench.report.html.facets import Record
from bench.report.html.slopes import MOVERS

TITLE = "The order on several settings"
ABOUT = (
    "A column per setting, published devices among them, with the networks in the order of their latency there, and a "
    "line per network; the networks that change places most have a colour."
)
MISSING = (
    "No two settings share three networks, and no published device five of one. "
    "`bench run --suite runtimes` measures on every runtime."
)
ROW, COLUMN = 20, 90
COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
assert len(COLORS) == MOVERS


def chart(data: Data, width: Width | None = None, chosen: int = 0) -> Drawn | None:
    """Draw one choice of settings; None where there is none."""
    if not data.slopes:
        return None
    one = data.slopes[chosen]
    # Ranks follow from what the filter leaves: of the columns that are left, the networks that all of them have.
    base = (
        alt.Chart(named("slopes"))
        .transform_joinaggregate(columns="distinct(column)", first="min(column)", last="max(column)")
        .transform_joinaggregate(there="count()", groupby=["network"])
        .transform_filter("datum.there === datum.columns")
        .transform_window(place="row_number()", sort=[alt.SortField("ms", "ascending")], groupby=["column"])
    )
    hover = alt.selection_point(name="slope", on="pointerover", clear="pointerout", fields=["network"], empty=False)
    # Without room before the first column: what its names need would change with the width that they leave.
    x = alt.X("column:O", axis=None, scale=alt.Scale(padding=0))
    y = alt.Y("place:O", axis=None)
    numbers = [str(number) for number in range(1, MOVERS + 1)]
    color = alt.Color("mover:N", scale=alt.Scale(domain=["", *numbers], range=[PALE, *COLORS]), legend=None)
    lines = base.mark_line(strokeWidth=2).encode(
        x=x,
        y=y,
        detail="network:N",
        color=color,
        strokeWidth=alt.condition(hover, alt.value(4), alt.value(2)),
        opacity=alt.condition("datum.mover !== ''", alt.value(0.9), alt.value(0.6)),
    )
    dots = (
        base.mark_point(filled=True, size=70, opacity=1)
        .encode(
            x=x,
            y=y,
            color=color,
            tooltip=[
                *tips(network="network", whole="setting", source="source"),
                alt.Tooltip("ms:Q", title="ms", format=".4~g"),
                alt.Tooltip("place:Q", title="rank"),
            ],
        )
        .add_params(hover)
    )
    last = "datum.column === datum.last"
    ends: tuple[tuple[str, Record], ...] = (
        ("datum.column === datum.first", {"align": "right", "dx": -9}),
        (last if width is None else f"{last} && !({NARROW})", {"align": "left", "dx": 9}),
    )
    names = [
        base.transform_filter(at).mark_text(fontSize=11, limit=190, **look).encode(x=x, y=y, text="network:N")
        for at, look in ends
    ]
    heads = (
        base.transform_filter("datum.place === 1")
        .mark_text(angle=315, align="left", baseline="middle", fontSize=11, fontWeight=600, limit=330, color=INK)
        .encode(x=x, y=alt.value(-8), text="setting:N")
    )
    wide = COLUMN * len(one.settings) if width is None else width
    drawn = alt.layer(lines, dots, *names, heads).properties(width=wide, height=alt.Step(ROW))
    # Names begin beyond the first and the last column: fonts differ, and none may be cut off.
    return finish(drawn.properties(padding={"left": 12, "right": 12}), ABOUT, {"slopes": list(one.records)})
