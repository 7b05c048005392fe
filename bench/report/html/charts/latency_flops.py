"""Latency over MACs, both logarithmic: the scatter that is the finding."""

from __future__ import annotations

import statistics

import altair as alt

from bench.report.html.charts.place import sides
from bench.report.html.charts.theme import (
    GREY,
    PALE,
    VERMILION,
    Drawn,
    Width,
    around,
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


def chart(data: Data, width: Width = NOMINAL_WIDTH) -> Drawn | None:
    """Draw the cases that have a latency; None where none has."""
    points = [p for p in data.points if p["ms"] and p["m_macs"]]
    if not points:
        return None
    x_ends = around([p["m_macs"] for p in points], 1.35)
    y_ends = around([v for p in points for v in (p["ms"], p["floor"]) if v], 1.25)
    rates = rates_near(points)
    shown = [p | {"side": side} for p, side in zip(points, _named(points, rates, x_ends, y_ends), strict=True)]
    x = alt.X("m_macs:Q", **log_axis("M MACs (multiply-accumulates, in millions)", x_ends))
    y = alt.Y("ms:Q", **log_axis("latency, ms", y_ends))
    color = setting_color([p["setting"] for p in points])
    base = alt.Chart(named("points")).encode(x=x, y=y)
    hover = alt.selection_point(name="family", on="pointerover", clear="pointerout", fields=["line"], empty=False)
    lines = base.mark_line(interpolate="linear").encode(
        detail="line:N",
        color=color,
        strokeWidth=alt.condition(hover, alt.value(2.5), alt.value(1)),
        opacity=alt.condition(hover, alt.value(1), alt.value(0.45)),
    )
    # The axes are those of the latencies: an interval that is wider than the plot ends at its edge.
    whiskers = base.mark_rule(strokeWidth=1.4, clip=True).encode(y="lo:Q", y2="hi:Q", color=color)
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
    layers = [*_rates(rates, points, x_ends, y_ends), *_peak(data, x_ends, y_ends), lines]
    if any(p["floor"] for p in points):
        layers.append(base.mark_tick(orient="horizontal", size=12, thickness=2, color=GREY).encode(y="floor:Q"))
    return finish(
        alt.layer(*layers, whiskers, marks, *names(base)).properties(width=width, height=HEIGHT),
        ABOUT,
        {"points": shown},
    )


def _named(points: list[Record], lines: list[float], x: list[float], y: list[float]) -> list[str]:
    """Name what lies farthest from the trend first: that is what a person asks about."""
    rates = [p["m_macs"] / p["ms"] for p in points]
    usual = statistics.median(rates)
    order = sorted(range(len(points)), key=lambda i: -max(rates[i] / usual, usual / rates[i]))
    names = [(points[i]["m_macs"], points[i]["ms"], points[i]["model"]) for i in order]
    written = [(high, high / rate, _rate_name(rate)) for rate, _, high in _spans(lines, x, y)]
    found = sides(names, x, y, (700, 410), written=written)
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


def _spans(rates: list[float], x: list[float], y: list[float]) -> list[tuple[float, float, float]]:
    """Return each rate with the MACs at which its line enters and leaves the plot; too short ones are left out."""
    spans = [(rate, max(x[0], y[0] * rate), min(x[1], y[1] * rate)) for rate in rates]
    return [span for span in spans if span[2] / span[1] > 1.5]


def _rate_name(rate: float) -> str:
    return f"{rate:g} GMACs/s"


def _rates(rates: list[float], points: list[Record], x: list[float], y: list[float]) -> list[alt.Chart]:
    """Draw lines of equal efficiency: M MACs over ms is GMACs/s. A name that a mark would cover is left out."""
    spans = _spans(rates, x, y)
    rows = [{"rate": rate, "m_macs": at, "ms": at / rate} for rate, low, high in spans for at in (low, high)]
    wide, high_up = (x[1] / x[0]) ** 0.1, (y[1] / y[0]) ** 0.05  # what a name takes of either axis
    ends = [
        {"m_macs": high, "ms": high / rate, "text": _rate_name(rate)}
        for rate, _, high in spans
        if not any(1 <= high / p["m_macs"] < wide and 0.95 < p["ms"] * rate / high < high_up for p in points)
    ]
    lines = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(strokeDash=[3, 4], strokeWidth=1, color=PALE)
        .properties(name="rate_lines")
    )
    texts = (
        alt.Chart(alt.InlineData(values=ends))
        .mark_text(align="right", baseline="bottom", dx=-3, dy=-1, fontSize=10, color=GREY)
        .properties(name="rates")
    )
    return [lines.encode(x="m_macs:Q", y="ms:Q", detail="rate:N"), texts.encode(x="m_macs:Q", y="ms:Q", text="text:N")]


def _peak(data: Data, x: list[float], y: list[float]) -> list[alt.Chart]:
    """Draw the attainable peak of `bench roofline` of each setting that has one."""
    peaks: dict[tuple[str, ...], list[float]] = {}
    for row in data.cases.rows:
        if row.peak_gmacs_per_s:
            peaks.setdefault(row.setting, []).append(row.peak_gmacs_per_s)
    rows: list[dict[str, float]] = []
    ends: list[dict[str, float | str]] = []
    near = [0.0]
    for number, rate in enumerate(sorted(statistics.median(found) for found in peaks.values())):
        low, high = max(x[0], y[0] * rate), min(x[1], y[1] * rate)
        if low < high:
            rows += [{"peak": number, "m_macs": at, "ms": at / rate} for at in (low, high)]
            if rate > near[-1] * APART:
                near = []
                ends.append({"m_macs": high, "ms": high / rate})
            near.append(rate)  # lines so close have one label
            ends[-1]["text"] = f"peak {' and '.join(dict.fromkeys(f'{one:.3g}' for one in near))} GMACs/s"
    if not rows:
        return []
    lines = alt.Chart(alt.InlineData(values=rows)).mark_line(strokeWidth=1.5, color=VERMILION, opacity=0.7)
    texts = alt.Chart(alt.InlineData(values=ends)).mark_text(align="right", baseline="top", dy=6, fontSize=10)
    return [lines.encode(x="m_macs:Q", y="ms:Q", detail="peak:N"), texts.encode(x="m_macs:Q", y="ms:Q", text="text:N")]
