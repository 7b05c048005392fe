"""Latency over MACs, both logarithmic: the scatter that is the finding."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import altair as alt

from bench.report.html.charts import place
from bench.report.html.charts.place import PHONE, WIDE, Box
from bench.report.html.charts.theme import (
    GREY,
    NARROW,
    PALE,
    Drawn,
    Width,
    around,
    beyond,
    cut,
    finish,
    log_axis,
    named,
    names,
    setting_color,
    status_shape,
    tips,
)  # fmt: skip
from bench.report.html.data import Data
from bench.report.html.facets import Record

TITLE = "Latency over MACs"
ABOUT = (
    "Scatter of latency in milliseconds over millions of multiply-accumulates, both logarithmic, one mark per case "
    "with the whisker of its 95% interval; dashed diagonals are equal efficiency in GMACs per second."
)
MISSING = "No case has a latency. `bench run --suite zoo` measures some."
HEIGHT, NOMINAL_WIDTH = 470, 760
RATES = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000)  # GMACs/s
APART = 1.1  # peaks nearer than that have one label
ENDS = ("lo", "hi")
Ends = Sequence[float]


def chart(data: Data, width: Width = NOMINAL_WIDTH) -> Drawn | None:
    """Draw the cases that have a latency; None where none has."""
    points = [p for p in data.points if p["ms"] and p["m_macs"]]
    if not points:
        return None
    x_ends = around([p["m_macs"] for p in points], 1.35)
    y_ends = around([v for p in points for v in (p["ms"], p["floor"]) if v], 1.25)
    spans = _spans(rates_near(points), x_ends, y_ends)
    full = _marks(points, x_ends, y_ends, WIDE)
    rates = _rate_names(spans, full, _marks(points, x_ends, y_ends, PHONE), x_ends, y_ends)
    full += [place.above_left(r["m_macs"], r["ms"], r["text"], x_ends, y_ends, WIDE) for r in rates if r["text"]]
    peaks = _peaks(data, x_ends, y_ends)
    peak_names = _peak_names(peaks, full, x_ends, y_ends)
    full += [place.below_right(p["m_macs"], p["ms"], p["text"], x_ends, y_ends, WIDE) for p in peak_names]
    shown = [p | {"side": side} for p, side in zip(points, _named(points, full, x_ends, y_ends), strict=True)]
    x = alt.X("m_macs:Q", **log_axis("M MACs (multiply-accumulates, in millions)", x_ends))
    y_axis = log_axis("latency, ms", y_ends)
    color = setting_color([p["setting"] for p in points])
    base = alt.Chart(named("points")).encode(x=x, y=alt.Y("ms:Q", **y_axis))
    hover = alt.selection_point(name="family", on="pointerover", clear="pointerout", fields=["line"], empty=False)
    lines = base.mark_line(interpolate="linear").encode(
        detail="line:N",
        color=color,
        strokeWidth=alt.condition(hover, alt.value(2.5), alt.value(1)),
        opacity=alt.condition(hover, alt.value(1), alt.value(0.45)),
    )
    # The axes are those of the latencies: an interval that is wider than the plot ends at its edge, in a triangle.
    whiskers = base.mark_rule(strokeWidth=1.4, clip=True).encode(y="lo:Q", y2="hi:Q", color=color)
    wider = cut(base, ENDS, y_ends, y_axis, x=x, color=color) if beyond(points, ENDS, y_ends) else []
    marks = (
        base.mark_point(filled=True, size=75, opacity=0.95)
        .encode(
            color=color,
            shape=status_shape([p["status"] for p in points]),
            tooltip=tips(
                model="model",
                latency="latency, 95%",
                m_macs="M MACs",
                rate="efficiency",
                runtime="runtime",
                machine="machine",
                status="status",
                when="measured",
                error="remark",
            ),
        )
        .add_params(hover)
    )
    layers = [*_rate_lines(spans, rates), *_peak_lines(peaks, peak_names), lines]
    if any(p["floor"] for p in points):
        layers.append(base.mark_tick(orient="horizontal", size=12, thickness=2, color=GREY).encode(y="floor:Q"))
    return finish(
        alt.layer(*layers, whiskers, *wider, marks, *names(base)).properties(width=width, height=HEIGHT),
        ABOUT,
        {"points": shown},
    )


def _marks(points: list[Record], x: Ends, y: Ends, size: tuple[float, float]) -> list[Box]:
    """Return what a text must not cross: marks, whiskers and floors."""
    floors = [place.at(p["m_macs"], p["floor"], x, y, size) for p in points if p["floor"]]
    ticks = [Box(cx - 6, cy - 1, cx + 6, cy + 1) for cx, cy in floors]
    dots = [place.dot(p["m_macs"], p["ms"], x, y, size) for p in points]
    intervals = [(p["m_macs"], p["lo"], p["hi"]) for p in points if p["lo"] and p["hi"]]
    return [*dots, *ticks, *(place.whisker(*one, x, y, size) for one in intervals)]


def _named(points: list[Record], full: list[Box], x: Ends, y: Ends) -> list[str]:
    """Name what lies farthest from the trend first: that is what a person asks about."""
    rates = [p["m_macs"] / p["ms"] for p in points]
    usual = statistics.median(rates)
    order = sorted(range(len(points)), key=lambda i: -max(rates[i] / usual, usual / rates[i]))
    names = [(points[i]["m_macs"], points[i]["ms"], points[i]["model"]) for i in order]
    found = place.sides(names, x, y, WIDE, taken=full)
    return [side for _, side in sorted(zip(order, found, strict=True))]


def rates_near(points: list[Record]) -> list[float]:
    """Return the round efficiencies among those of the points, and one more at either end; GMACs/s."""
    found = [p["m_macs"] / p["ms"] for p in points]
    inside = [i for i, rate in enumerate(RATES) if min(found) <= rate <= max(found)]
    first, last = (inside[0], inside[-1]) if inside else (len(RATES), -1)
    if not inside:  # all between two steps
        first = next((i for i, rate in enumerate(RATES) if rate > max(found)), len(RATES) - 1)
        last = first - 1
    return list(RATES[max(0, first - 1) : last + 2])


def _spans(rates: list[float], x: Ends, y: Ends) -> list[tuple[float, float, float]]:
    """Return each rate with the MACs at which its line enters and leaves the plot; too short ones are left out."""
    spans = [(rate, max(x[0], y[0] * rate), min(x[1], y[1] * rate)) for rate in rates]
    return [span for span in spans if span[2] / span[1] > 1.5]


def _rate_names(
    spans: list[tuple[float, float, float]], wide: list[Box], phone: list[Box], x: Ends, y: Ends
) -> list[Record]:
    """Name the lines of equal efficiency at their upper ends, on a phone by the figure; empty where a mark would be."""
    found: list[Record] = []
    taken = {WIDE: list(wide), PHONE: list(phone)}
    for rate, _, high in spans:
        record: Record = {"m_macs": high, "ms": high / rate}
        for field, text, size in (("text", f"{rate:g} GMACs/s", WIDE), ("short", f"{rate:g}", PHONE)):
            box = place.above_left(high, high / rate, text, x, y, size)
            clear = not any(box.meets(other) for other in taken[size])  # it may stand above the plot
            record[field] = text if clear else ""
            taken[size] += [box] if clear else []
        found.append(record)
    return found


def _rate_lines(spans: list[tuple[float, float, float]], ends: list[Record]) -> list[alt.Chart]:
    """Draw lines of equal efficiency: M MACs over ms is GMACs/s."""
    rows = [{"rate": rate, "m_macs": at, "ms": at / rate} for rate, low, high in spans for at in (low, high)]
    lines = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(strokeDash=[3, 4], strokeWidth=1, color=PALE)
        .properties(name="rate_lines")
    )
    texts = (
        alt.Chart(alt.InlineData(values=ends))
        .transform_calculate(told=f"{NARROW} ? datum.short : datum.text")
        .mark_text(align="right", baseline="bottom", dx=-3, dy=-1, fontSize=10, color=GREY)
        .properties(name="rates")
    )
    return [lines.encode(x="m_macs:Q", y="ms:Q", detail="rate:N"), texts.encode(x="m_macs:Q", y="ms:Q", text="told:N")]


def _peaks(data: Data, x: Ends, y: Ends) -> list[tuple[float, float, float]]:
    """Return the attainable peak of `bench roofline` of each setting that has one, and its line as in `_spans`."""
    peaks: dict[tuple[str, ...], list[float]] = {}
    for row in data.cases.rows:
        if row.peak_gmacs_per_s:
            peaks.setdefault(row.setting, []).append(row.peak_gmacs_per_s)
    rates = sorted(statistics.median(found) for found in peaks.values())
    spans = [(rate, max(x[0], y[0] * rate), min(x[1], y[1] * rate)) for rate in rates]
    return [span for span in spans if span[1] < span[2]]


def _peak_names(peaks: list[tuple[float, float, float]], full: list[Box], x: Ends, y: Ends) -> list[Record]:
    """Name lines below them, where nothing is; those near each other together, below the lowest."""
    groups: list[list[tuple[float, float, float]]] = []
    for peak in peaks:
        if groups and peak[0] <= groups[-1][-1][0] * APART:
            groups[-1].append(peak)
        else:
            groups.append([peak])
    found: list[Record] = []
    taken = [*full, *(place.dot(*spot, x, y, WIDE) for peak in peaks for spot in _steps(*peak))]
    for group in groups:
        rate, low, high = group[-1]
        text = f"peak {' and '.join(dict.fromkeys(f'{one[0]:.3g}' for one in group))} GMACs/s"
        spots = place.along((low, low / rate), (high, high / rate))
        boxes = [place.below_right(*spot, text, x, y, WIDE) for spot in spots]
        chosen = next((s for s, box in zip(spots, boxes, strict=True) if place.free(box, taken, WIDE)), None)
        if chosen is not None:
            found.append({"m_macs": chosen[0], "ms": chosen[1], "text": text})
            taken.append(place.below_right(*chosen, text, x, y, WIDE))
    return found


def _steps(rate: float, low: float, high: float) -> list[tuple[float, float]]:
    """Return points of a line, near enough to each other that no text fits between."""
    macs = [low * (high / low) ** (i / 60) for i in range(61)]
    return [(m, m / rate) for m in macs]


def _peak_lines(peaks: list[tuple[float, float, float]], ends: list[Record]) -> list[alt.Chart]:
    """Draw the attainable peaks, in no setting's colour."""
    rows = [
        {"peak": number, "m_macs": at, "ms": at / rate} for number, (rate, *span) in enumerate(peaks) for at in span
    ]
    if not rows:
        return []
    lines = alt.Chart(alt.InlineData(values=rows)).mark_line(strokeWidth=1.5, color=GREY, opacity=0.8)
    drawn = [lines.properties(name="peak_lines").encode(x="m_macs:Q", y="ms:Q", detail="peak:N")]
    if ends:
        texts = alt.Chart(alt.InlineData(values=ends)).transform_filter(f"!({NARROW})").properties(name="peaks")
        told = texts.mark_text(align="left", baseline="top", dx=6, dy=4, fontSize=10)
        drawn.append(told.encode(x="m_macs:Q", y="ms:Q", text="text:N"))
    return drawn
