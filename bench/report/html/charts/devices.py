"""Published devices: the order of settings by how far MACs tell latency, and pairs of networks against their MACs.

These two take published rows, not a report's data; `bench.report.html.devices` draws them.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import altair as alt

from bench.devices.pairs import Ratio
from bench.devices.ranks import Ranked
from bench.papers.device_records import CLASSES
from bench.report.html.charts.theme import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    SOFT,
    VERMILION,
    Drawn,
    Width,
    finish,
    log_axis,
    named,
    tips,
)  # fmt: skip
from bench.report.html.facets import Record

COLOURS = (BLUE, SKY, GREEN, ORANGE, VERMILION, PURPLE)
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
ORDER_ABOUT = (
    "Every published setting in order of the rank correlation of multiply-accumulates with latency among mobile "
    "networks, coloured by class: near 1 the order of MACs is that of latency, near 0 it says nothing of it."
)
PAIRS_ABOUT = (
    "Ratios of latency of three pairs of networks on every published setting, by class, beside the ratio of their "
    "multiply-accumulates."
)
WIDTH, HEIGHT, ROW = 440, 300, 17


def order(ranked: Sequence[Ranked], width: Width = WIDTH) -> Drawn:
    """Draw the settings from the lowest to the highest rank correlation (Spearman)."""
    listed = sorted(ranked, key=lambda one: one.spearman.value)
    names = _legend([(one.setting.kind, one.spearman.value) for one in ranked], "{:.2f}")
    records: list[Record] = [
        {
            "place": place,
            "rho": round(one.spearman.value, 3),
            "kind": names[one.setting.kind],
            "setting": one.setting.name,
            "n": one.n,
        }
        for place, one in enumerate(listed, 1)
    ]
    low = min(-0.6, min(r["rho"] for r in records) - 0.05)
    y = alt.Y(
        "rho:Q",
        scale=alt.Scale(domain=[low, 1.04], nice=False),
        axis=alt.Axis(title="rank correlation of MACs with latency", values=[-0.5, 0, 0.5, 1], format="~g"),
    )
    x = alt.X(
        "place:Q",
        scale=alt.Scale(domain=[0, len(records) + 1], nice=False),
        axis=alt.Axis(title=f"{len(records)} published settings of devices, in order", grid=False, tickCount=4),
    )
    color, shape = _looks(names)
    base = alt.Chart(named("order"))
    notes: list[Record] = [
        {"rho": 1.0, "text": "1: the order of MACs is that of latencies"},
        {"rho": 0.0, "text": "0: it says nothing of it"},
    ]
    lines = alt.Chart(alt.InlineData(values=notes)).encode(y=y)
    hover = tips(setting="setting", kind="class", rho="rank correlation", n="networks")
    layers = alt.layer(
        lines.mark_rule(color=PALE),
        lines.mark_text(align="right", baseline="bottom", dy=-3, fontSize=12, color=SOFT, fontStyle="italic").encode(
            x=alt.value(width), text="text:N"
        ),
        base.mark_point(filled=True, size=34, opacity=0.85).encode(x=x, y=y, color=color, shape=shape, tooltip=hover),
    )
    return finish(layers.properties(width=width, height=HEIGHT), ORDER_ABOUT, {"order": records})


def pairs(ratios: Sequence[Ratio], width: Width = WIDTH) -> Drawn:
    """Draw for each pair how many times as long its first network takes, a point per setting, a row per class."""
    kinds = [kind for kind in CLASSES if any(one.setting.kind == kind for one in ratios)]
    names = {kind: kind for kind in kinds}
    low, high = min(one.times for one in ratios) / 1.1, max(max(one.times, one.macs) for one in ratios) * 1.1
    axis = log_axis("times as long", [low, high])
    color, shape = _looks(names, legend=False)
    records: list[Record] = [
        {
            "pair": one.pair,
            "kind": one.setting.kind,
            "times": round(one.times, 3),
            "macs": round(one.macs, 2),
            "setting": one.setting.name,
        }
        for one in ratios
    ]
    charts = []
    titles = list(dict.fromkeys(one.pair for one in ratios))
    for title in titles:
        macs = next(one.macs for one in ratios if one.pair == title)
        base = alt.Chart(named("pairs")).transform_filter(f"datum.pair === {title!r}")
        there: list[Record] = [
            {"times": macs, "text": f"MACs say {macs:.1f}"},
        ]
        even = alt.Chart(alt.InlineData(values=[{"times": 1.0}])).mark_rule(color=SOFT, strokeDash=[4, 3])
        said = alt.Chart(alt.InlineData(values=there))
        x = alt.X("times:Q", **(axis if title == titles[-1] else log_axis("", [low, high])))
        y = alt.Y("kind:N", sort=kinds, axis=alt.Axis(title=None, domain=False, ticks=False))
        hover = tips(setting="setting", kind="class", times="times as long", macs="MACs say")
        charts.append(
            alt.layer(
                even.encode(x=x),
                said.mark_rule(color=INK, strokeWidth=2).encode(x=x),
                base.mark_point(filled=True, size=30, opacity=0.5).encode(
                    x=x, y=y, color=color, shape=shape, tooltip=hover
                ),
                said.mark_text(align="left", dx=4, dy=-4, baseline="bottom", fontSize=12, fontWeight=600).encode(
                    x=x, y=alt.value(0), text="text:N"
                ),
            ).properties(width=width, height=ROW * len(kinds), title=alt.TitleParams(title, offset=12))
        )
    return finish(alt.vconcat(*charts, spacing=14), PAIRS_ABOUT, {"pairs": records})


def _legend(values: Sequence[tuple[str, float]], form: str) -> dict[str, str]:
    """Name each class with the median of its values: so the legend says what the points show."""
    found = {}
    for kind in CLASSES:
        mine = [value for own, value in values if own == kind]
        if mine:
            found[kind] = f"{kind}: median {form.format(median(mine))}"
    return found


def _looks(names: dict[str, str], legend: bool = True) -> tuple[alt.Color, alt.Shape]:
    """Give each class a colour and a shape, the same in both pictures."""
    places = [CLASSES.index(kind) for kind in names]
    domain = list(names.values())
    shown = alt.Legend(columns=2, orient="bottom", title=None, labelLimit=300) if legend else None
    return (
        alt.Color("kind:N", scale=alt.Scale(domain=domain, range=[COLOURS[i] for i in places]), legend=shown),
        alt.Shape("kind:N", scale=alt.Scale(domain=domain, range=[SHAPES[i] for i in places]), legend=shown),
    )
