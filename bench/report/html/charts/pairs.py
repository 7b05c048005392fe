"""Pairs of networks of equal MACs: how much longer the one takes, on every runtime, and what it spends the time on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from bench.report.causes import CAUSES, UNSPLIT, Pair
from bench.report.html.charts.theme import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILION,
    Drawn,
    above,
    finish,
    named,
)  # fmt: skip
from bench.report.html.facets import Record

TITLE = "Equal MACs, unequal time"
ABOUT = (
    "Pairs of networks within 10% MACs. Bars are the time of both in one runtime, the first network's taken as 1, "
    "split by what it is spent on; the marks are the second network's time in each runtime, with the interval of "
    "another run."
)
ROW = 50
MARKS = ["circle", "diamond", "square", "triangle-up", "triangle-down", "cross", "triangle-right", "triangle-left"]
YELLOW = "#c9b500"  # Okabe and Ito's, darker: theirs vanishes on white
DARK = "#4d4d4d"
_PALETTE = (BLUE, VERMILION, PURPLE, YELLOW, ORANGE, SKY, GREEN, GREY, DARK, PALE)
COLORS = dict(zip((*CAUSES, UNSPLIT), _PALETTE, strict=True))


def chart(pairs: Sequence[Pair], width: int = 520) -> Drawn:
    """Draw two bars per pair, stacked by cause, and a mark per runtime."""
    bars: list[Record] = []
    marks: list[Record] = []
    names: list[Record] = []
    for place, pair in enumerate(pairs):
        on = next((name for name in pair.ratios if name in pair.splits), next(iter(pair.ratios)))
        label = f"{pair.b} against {pair.a}: {pair.macs[1]:.0f} and {pair.macs[0]:.0f} M MACs"
        names.append({"place": place, "name": label})
        parts_of = pair.splits.get(on, ({}, {}))
        for second, length, parts in zip((0, 1), (1.0, math.exp(pair.ratios[on].log)), parts_of, strict=True):
            begin = 0.0
            for cause, share in (parts or {UNSPLIT: 1.0}).items():
                # Kernels alone may take a little longer than in the network: then nothing is left between them.
                end = begin + length * share
                if share > 0:
                    bars.append({"place": place, "row": place * 3 + second, "cause": cause,
                                 "from": round(begin, 4), "to": round(min(end, length), 4)})  # fmt: skip
                    begin = min(end, length)
        for backend, ratio in pair.ratios.items():
            effect, lo, hi = (round(value, 4) for value in ratio.ratios)
            marks.append({"place": place, "backend": backend, "effect": effect, "lo": lo, "hi": hi})
    present = [cause for cause in COLORS if any(bar["cause"] == cause for bar in bars)]
    most = max(mark["hi"] for mark in marks) * 1.03
    x = alt.Axis(title="time, that of the first network = 1", format="~g", grid=True)
    scale = alt.Scale(domain=[0, most], nice=False)
    y = alt.Y("place:O", axis=None)
    color = alt.Color(
        "cause:N",
        scale=alt.Scale(domain=present, range=[COLORS[c] for c in present]),
        legend=alt.Legend(columns=alt.ExprRef(expr="width < 500 ? 1 : 2")),
    )
    backends = list(dict.fromkeys(mark["backend"] for mark in marks))
    shape = alt.Shape(
        "backend:N",
        scale=alt.Scale(domain=backends, range=MARKS[: len(backends)]),
        legend=alt.Legend(symbolFillColor=INK, symbolStrokeColor=INK),
    )
    of_bars = alt.Chart(named("bars"))
    of_marks = alt.Chart(named("marks"))

    def half(number: int, dy: int) -> alt.Chart:
        there: alt.Chart = of_bars.transform_filter(f"datum.row % 3 == {number}").mark_bar(height=9, yOffset=dy)
        return there.encode(x=alt.X("from:Q", axis=x, scale=scale), x2="to:Q", y=y, color=color)

    at = {"y": y, "x": alt.X("lo:Q", axis=x, scale=scale)}
    layers = alt.layer(
        half(0, 2),
        half(1, 14),
        of_marks.mark_rule(color=INK, strokeWidth=1.3, yOffset=14).encode(**at, x2="hi:Q"),
        of_marks.mark_point(filled=True, color=INK, size=42, opacity=1, yOffset=14).encode(
            x=alt.X("effect:Q", axis=x, scale=scale), y=y, shape=shape
        ),
        above(alt.Chart(named("names")).encode(y=y), "name"),
    ).resolve_scale(shape="independent")
    drawn = layers.properties(width=width, height=alt.Step(ROW))
    return finish(drawn, ABOUT, {"bars": bars, "marks": marks, "names": names})
