"""What all charts share: colours, type, sizes, and data that carry a name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
from altair.typing import ChartType

from bench.report.html.charts.place import SIDES, lifted
from bench.report.html.facets import Record


def narrower(pixels: int) -> str:
    """Return the expression of whether a page has less room for a chart than that; a picture never has.

    The room of the plot depends on names, which may be shorter for it. An expression is computed anew when what it
    names changes, so it names the width.
    """
    return f"(width > 0 && containerSize()[0] < {pixels})"


NARROW = narrower(570)  # a phone
# Of a legend: a phone has room for one beside the other names.
COLUMNS = alt.ExprRef(expr=f"{NARROW} ? 1 : 3")
LEGEND_LETTER_PX, SYMBOL_PX = 6.6, 36  # at 12 px
Width = int | str  # pixels, or "container"

# Okabe and Ito's palette, which the common kinds of colour blindness keep apart; yellow is left out, because it
# vanishes on white. https://jfly.uni-koeln.de/color/
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
GREY, PALE = "#7a7a7a", "#b8b8b8"
COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY)
# A status is told by shape; what is filled may be believed.
SHAPES = {
    "ok": "circle",
    "noisy": "diamond",
    "downgraded": "triangle-down",
    "mismatch": "cross",
}  # fmt: skip
OTHER_SHAPE = "square"
FONT = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', sans-serif"
INK, SOFT, GRID = "#1f2328", "#59636e", "#e4e4e0"


@dataclass(frozen=True)
class Drawn:
    """A chart whose data have names only, and the records by name: Altair copies what it holds many times over.

    `least_px` is the width that it needs on a page, which scrolls it where the window is narrower.
    """

    chart: ChartType
    records: dict[str, list[Record]]
    least_px: int = 0

    def skeleton(self) -> Record:
        """Return the Vega-Lite specification without the records."""
        return self.chart.to_dict()

    def spec(self) -> Record:
        """Return the whole Vega-Lite specification."""
        skeleton = self.skeleton()
        return skeleton | {"datasets": skeleton.get("datasets", {}) | self.records}


def named(name: str) -> alt.NamedData:
    """Return data by name; the records come later."""
    return alt.NamedData(name=name)


def finish(chart: ChartType, about: str, records: dict[str, list[Record]], least_px: int = 0) -> Drawn:
    """Give a chart its type and colours, the words that a screen reader says for it, and its records."""
    if getattr(chart, "width", None) == "container":  # the height is the chart's own
        chart = chart.properties(autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
    styled = (
        chart.properties(description=about, background="transparent")
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=SOFT, titleColor=INK, gridColor=GRID, domainColor=PALE, tickColor=PALE, labelFontSize=12,
            titleFontSize=12, titleFontWeight=500, titlePadding=10, labelPadding=5, labelLimit=330, tickSize=4,
        )
        .configure_legend(
            labelColor=INK, titleColor=SOFT, labelFontSize=12, titleFontSize=12, titleFontWeight=500, orient="top",
            direction="horizontal", labelLimit=260, symbolSize=90, columns=4, title=None, offset=12,
        )
        .configure_title(color=INK, fontSize=13, fontWeight=600, anchor="start")
        .configure_text(color=INK, fontSize=11)
        .configure_header(labelColor=INK, titleColor=INK)
    )  # fmt: skip
    return Drawn(styled, records, least_px)


def colors(count: int) -> list[str]:
    """Return that many different colours: the palette, then darker and darker turns of it."""
    turns = -(-count // len(COLORS))
    found = []
    for i in range(count):
        turn, place = divmod(i, len(COLORS))
        light = 1 - 0.7 * turn / turns
        parts = (round(int(COLORS[place][k : k + 2], 16) * light) for k in (1, 3, 5))
        found.append("#" + "".join(f"{part:02x}" for part in parts))
    return found


def tips(**titles: str) -> list[alt.Tooltip]:
    """Return the lines of a hover: field=title; a field that ends in ``:Q`` is written as a number."""
    return [alt.Tooltip(field=name, title=title, type="nominal") for name, title in titles.items()]


def status_shape(found: Sequence[str]) -> alt.Shape:
    """Tell a status by its shape; a legend only where there is more than one, below, where a phone has room for it."""
    present = [s for s in SHAPES if s in found] + sorted({s for s in found if s not in SHAPES})
    scale = alt.Scale(domain=present, range=[SHAPES.get(s, OTHER_SHAPE) for s in present])
    legend = alt.Legend(orient="bottom", symbolFillColor=GREY, symbolStrokeColor=GREY) if len(present) > 1 else None
    return alt.Shape("status:N", scale=scale, legend=legend)


def setting_color(settings: Sequence[str], title: str | None = None) -> alt.Color:
    """Give the settings colours; one alone needs no legend, of several as many stand in a row as have room."""
    unique = list(dict.fromkeys(settings))
    scale = alt.Scale(domain=unique, range=colors(len(unique)))
    widest = round(max(map(len, unique)) * LEGEND_LETTER_PX + SYMBOL_PX)
    columns = alt.ExprRef(expr=f"max(1, floor(width / {widest}))")
    limit = alt.ExprRef(expr=f"max(120, width - {SYMBOL_PX})")
    legend = alt.Legend(title=title, columns=columns, labelLimit=limit) if len(unique) > 1 else None
    return alt.Color("setting:N", scale=scale, legend=legend)


def around(values: Sequence[float], room: float = 1.25) -> list[float]:
    """Return the ends of a log axis with some room on either side."""
    return [min(values) / room, max(values) * room] if values else [1.0, 10.0]


def ticks(low: float, high: float) -> list[float]:
    """Return round values inside: more steps of each power of ten where the axis has few of them."""
    choices = ((8, (1, 1.25, 1.5, 2, 3, 4, 5, 7)), (300, (1, 2, 5)), (5000, (1, 3)), (math.inf, (1,)))
    steps = next(steps for most, steps in choices if high / low < most or most == math.inf)
    found = [step * 10.0**power for power in range(-6, 9) for step in steps]
    return [value for value in found if low <= value <= high]


def log_axis(title: str, domain: list[float], grid: bool = True) -> Record:
    """Return axis and scale of a log axis whose labels are plain numbers."""
    axis = alt.Axis(title=title, values=ticks(*domain), format="~g", grid=grid)
    axis.labelExpr = "format(datum.value, ',~r')"
    return {"axis": axis, "scale": alt.Scale(type="log", domain=domain, nice=False)}


def names(base: alt.Chart, rise: float = 0) -> list[alt.Chart]:
    """Write names beside the points, on the side that `place.sides` found with the same `rise`."""
    found = []
    for side, (dx, dy) in SIDES.items():
        # They are laid out for a wide chart; on a phone the hover and the table have them.
        shown = f"datum.side == '{side}' && !({NARROW})"
        there: alt.Chart = base.transform_filter(shown).properties(name=f"names_{side.replace(' ', '_')}")
        look: Record = {"align": "left" if dx > 0 else "right", "dx": dx, "dy": lifted(dy, rise)}
        found.append(there.mark_text(fontSize=11, **look).encode(text="model:N"))
    return found


def above(base: alt.Chart, field: str, parts: Sequence[str] = ()) -> alt.Chart:
    """Write each row's name above it, from the left: a column of names would leave a phone no room for the chart.

    `parts` are expressions of the lines that a name is written in where it is longer than the chart is wide.
    """
    look: Record = {"align": "left", "baseline": "bottom", "dy": -6, "fontSize": 12}
    if parts:
        long = f"length(datum.{field}) * {LEGEND_LETTER_PX} > width"
        base = base.transform_calculate(name=f"{long} ? [{', '.join(parts)}] : datum.{field}")
        field = "name"
        look |= {"lineHeight": 12, "dy": alt.ExprRef(expr="isArray(datum.name) ? -18 : -6")}
    marked: alt.Chart = base.mark_text(limit=alt.ExprRef(expr="width"), **look)
    return marked.encode(x=alt.value(0), text=f"{field}:N")


def cut(
    base: alt.Chart, ends: tuple[str, str], domain: Sequence[float], axis: Record, **look: object
) -> list[alt.Chart]:
    """Mark with a triangle where a whisker from field `ends[0]` to `ends[1]` goes on beyond the plot.

    `axis` is what `log_axis` returned for `domain`; `look` the encodings of the whisker: the channel along which it
    does not run, ``x`` or ``y``, and its colour.
    """
    along, sides = ("x", ("left", "right")) if "y" in look else ("y", ("down", "up"))
    channel = alt.X if along == "x" else alt.Y
    found = []
    for field, edge, sign, side in zip(ends, domain, "<>", sides, strict=True):
        there = base.transform_filter(f"datum.{field} {sign} {edge}").transform_calculate(edge=f"{edge}")
        mark = there.mark_point(shape=f"triangle-{side}", filled=True, size=42, opacity=1)
        at: Record = {along: channel("edge:Q", **axis), **look}
        found.append(mark.properties(name=f"cut_{side}").encode(**at))
    return found


def beyond(records: Sequence[Record], ends: tuple[str, str], domain: Sequence[float]) -> bool:
    """Tell whether a whisker of these goes on beyond the plot."""
    return any(r[ends[0]] and r[ends[1]] and (r[ends[0]] < domain[0] or r[ends[1]] > domain[1]) for r in records)
