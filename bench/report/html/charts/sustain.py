"""Cases that were kept going: latency over the minutes, a line each."""

from __future__ import annotations

import altair as alt

from bench.report.html.charts.theme import COLORS, Drawn, Width, colors, finish, named, tips
from bench.report.html.data import Data

TITLE = "Half an hour"
ABOUT = "Latency over time of cases that were kept going without a pause, in milliseconds at the speed of the moment."
MISSING = "No row was kept going. `bench run --sustain 30m` does that; its raw samples have the curve."
HEIGHT = 300
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])  # darker turns of the palette have another line, too


def chart(data: Data, width: Width = 760) -> Drawn | None:
    """Draw a line for every case; None where no case was kept going."""
    if not data.sustained:
        return None
    names = list(dict.fromkeys(str(record["case"]) for record in data.sustained))
    dashes = [DASHES[i // len(COLORS) % len(DASHES)] for i in range(len(names))]
    legend = alt.Legend(columns=1)  # one for both
    drawn = (
        alt.Chart(named("sustain"))
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=18))
        .encode(
            x=alt.X("minutes:Q", title="minutes"),
            y=alt.Y("ms:Q", title="ms", scale=alt.Scale(zero=False)),
            color=alt.Color("case:N", scale=alt.Scale(domain=names, range=colors(len(names))), legend=legend),
            strokeDash=alt.StrokeDash("case:N", scale=alt.Scale(domain=names, range=dashes), legend=legend),
            tooltip=[
                *tips(case="case"),
                alt.Tooltip("minutes:Q", title="minutes", format=".3~g"),
                alt.Tooltip("ms:Q", title="ms", format=".4~g"),
                *tips(clock="clock", temperature="temperature"),
            ],
        )
    )
    return finish(drawn.properties(width=width, height=HEIGHT), ABOUT, {"sustain": list(data.sustained)})
