"""Pairs of networks of equal MACs: how much longer the one takes, on every runtime, and what it spends the time on."""

from __future__ import annotations

import itertools
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
NAME, BARS, LANES, ROW = 20, (20, 31), 42, 46  # pixels from the top of a pair, and of a pair without its marks
LANE = 6  # of a runtime: marks of several in one would lie on each other
MARKS = ["circle", "diamond", "square", "triangle-up", "triangle-down", "cross", "triangle-right", "triangle-left"]
YELLOW = "#f0e442"  # Okabe and Ito's, which vanishes on white: for whole bars
DARK = "#4d4d4d"
_PALETTE = (BLUE, VERMILION, PURPLE, PALE, ORANGE, SKY, GREEN, GREY, DARK, YELLOW)
COLORS = dict(zip((*CAUSES, UNSPLIT), _PALETTE, strict=True))


def chart(pairs: Sequence[Pair], width: int = 520) -> Drawn:
    """Draw two bars per pair, stacked by cause, and a mark per runtime."""
    bars: list[Record] = []
    marks: list[Record] = []
    names: list[Record] = []
    backends = list(dict.fromkeys(name for pair in pairs for name in pair.ratios))
    row = ROW + LANE * len(backends)
    for top, pair in zip(itertools.count(0, row), pairs):
        on = next((name for name in pair.ratios if name in pair.splits), next(iter(pair.ratios)))
        label = f"{pair.b} against {pair.a}: {pair.macs[1]:.0f} and {pair.macs[0]:.0f} M MACs"
        names.append({"y": top + NAME, "name": label})
        parts_of = pair.splits.get(on, ({}, {}))
        for y, length, parts in zip(BARS, (1.0, math.exp(pair.ratios[on].log)), parts_of, strict=True):
            begin = 0.0
            for cause, share in (parts or {UNSPLIT: 1.0}).items():
                # Kernels alone may take a little longer than in the network: then nothing is left between them.
                end = begin + length * share
                if share > 0:
                    bars.append({"y": top + y, "cause": cause,
                                 "from": round(begin, 4), "to": round(min(end, length), 4)})  # fmt: skip
                    begin = min(end, length)
        for backend, ratio in pair.ratios.items():
            effect, lo, hi = (round(value, 4) for value in ratio.ratios)
            y = top + LANES + LANE * backends.index(backend)
            marks.append({"y": y, "backend": backend, "effect": effect, "lo": lo, "hi": hi})
    present = [cause for cause in COLORS if any(bar["cause"] == cause for bar in bars)]
    most = max(mark["hi"] for mark in marks) * 1.03
    x = alt.Axis(title="time, that of the first network = 1", format="~g", grid=True)
    scale = alt.Scale(domain=[0, most], nice=False)
    height = row * len(pairs)
    at = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[0, height], reverse=True, nice=False))
    color = alt.Color(
        "cause:N",
        scale=alt.Scale(domain=present, range=[COLORS[c] for c in present]),
        legend=alt.Legend(columns=alt.ExprRef(expr="width < 500 ? 1 : 2")),
    )
    shape = alt.Shape(
        "backend:N",
        scale=alt.Scale(domain=backends, range=MARKS[: len(backends)]),
        legend=alt.Legend(symbolFillColor=INK, symbolStrokeColor=INK, orient="bottom", columns=4),
    )
    of_marks = alt.Chart(named("marks")).encode(y=at)
    layers = alt.layer(
        alt.Chart(named("bars"))
        .mark_bar(orient="horizontal", size=9, stroke=INK, strokeWidth=0.4)
        .encode(x=alt.X("from:Q", axis=x, scale=scale), x2="to:Q", y=at, color=color),
        of_marks.mark_rule(color=INK, strokeWidth=1.3).encode(x=alt.X("lo:Q", axis=x, scale=scale), x2="hi:Q"),
        of_marks.mark_point(filled=True, color=INK, size=34, opacity=1).encode(
            x=alt.X("effect:Q", axis=x, scale=scale), shape=shape
        ),
        above(alt.Chart(named("names")).encode(y=at), "name"),
    ).resolve_scale(shape="independent")
    drawn = layers.properties(width=width, height=height)
    return finish(drawn, ABOUT, {"bars": bars, "marks": marks, "names": names})
