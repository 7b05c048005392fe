"""Effects of findings over the published ones: on the diagonal an effect is as large here as in its paper."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from bench.base.escape import clip, clip_middle
from bench.findings.conditions import KINDS
from bench.findings.evaluate import Result, distinct
from bench.findings.finding import TIME
from bench.findings.why import AS_IT_COMES, ISA, split
from bench.report.html.charts import place
from bench.report.html.charts.place import PHONE, WIDE
from bench.report.html.charts.theme import (
    BLUE,
    COLUMNS,
    GREEN,
    GREY,
    INK,
    PURPLE,
    VERMILION,
    Drawn,
    Width,
    around,
    beyond,
    cut,
    finish,
    log_axis,
    named,
    tips,
)  # fmt: skip
from bench.report.html.data import Data
from bench.report.html.facets import Record
from bench.report.text.papers import page_of

TITLE = "What papers claim"
ABOUT = (
    "Effects measured here, with their intervals, over the published ones, both axes logarithmic. Every effect is "
    "turned so that the published one is above 1: on the diagonal it is as large here, at 1 there is none, below 1 it "
    "goes the other way."
)
MISSING = "No evidence of published effects was found. `bench findings run --quick` makes some within minutes."
HEIGHT = 400
ENDS = ("lo", "hi")
OLDER = set(ISA.values()) - {AS_IT_COMES}
WIDEST = 8.0  # times beyond the outermost effect: a wider interval ends at the edge of the plot
NAME = 64  # characters
LEAST = 1e-4  # of an effect: an interval may reach to nothing, a logarithmic axis not
UNTOLD = "not told"
LOOKS = {
    KINDS[0]: (VERMILION, "square"),
    KINDS[1]: (BLUE, "circle"),
    KINDS[2]: (GREEN, "triangle-up"),
    KINDS[3]: (PURPLE, "diamond"),
    UNTOLD: (GREY, "cross"),
}


def chart(data: Data, width: Width = 520) -> Drawn | None:
    """Draw the effects of a report."""
    return draw(data.findings, width)


def draw(results: Sequence[Result], width: Width = 520) -> Drawn | None:
    """Draw a mark per distinct effect on time whose size is published; None where there is none.

    Variations of an experiment that its paper did not make are left out, and runtimes held to older instructions.
    """
    own = [
        r
        for r in distinct(results)
        if r.experiment
        and r.experiment.quantity == TIME
        and not r.experiment.varied
        and split(r.backend)[1] not in OLDER
    ]
    records = records_of(own)
    if not records:
        return None
    across = around([1.0, *(r["published"] for r in records)], 1.1)
    marks = [1.0, *(r["effect"] for r in records)]
    ends = [r[k] for r in records for k in ("lo", "hi")]
    up = around([*marks, *(v for v in ends if min(marks) / WIDEST <= v <= max(marks) * WIDEST)], 1.1)
    kinds = [kind for kind in LOOKS if any(r["published_on"] == kind for r in records)]
    legend = alt.Legend(columns=COLUMNS, symbolOpacity=1)
    color, shape = (
        channel("published_on:N", scale=alt.Scale(domain=kinds, range=[LOOKS[k][i] for k in kinds]), legend=legend)
        for i, channel in enumerate((alt.Color, alt.Shape))
    )
    x = alt.X("published:Q", **log_axis("published effect", across))
    y_axis = log_axis("effect here", up)
    y = alt.Y("effect:Q", **y_axis)
    last = min(across[1], up[1])
    level = alt.Chart(alt.InlineData(values=[{"x": across[0], "y": 1.0}, {"x": across[1], "y": 1.0}]))
    even = alt.Chart(alt.InlineData(values=[{"x": 1.0, "y": 1.0}, {"x": last, "y": last}]))
    ends_at = {
        "x": alt.X("x:Q", **log_axis("published effect", across)),
        "y": alt.Y("y:Q", **y_axis),
    }
    said = alt.Chart(alt.InlineData(values=_said(records, across, up, last)))
    base = alt.Chart(named("findings"))
    # The first machine's marks are filled, those of others hollow.
    several = list(dict.fromkeys(r["machine"] for r in records)) if any(r["machine"] for r in records) else []
    hover = tips(
        name="experiment", effect="effect here", lo="from", hi="to", published="published", device="on",
        conditions="conditions here", verdict="verdict", claim="claim", source="source",
    )  # fmt: skip
    words = said.mark_text(align="right", baseline="bottom", dx=-4, dy=-3, color=INK, fontSize=11)
    layers = alt.layer(
        level.mark_line(color=GREY, strokeDash=[4, 3], strokeWidth=1).encode(**ends_at),
        even.mark_line(color=GREY, strokeWidth=1).encode(**ends_at),
        words.encode(text="text:N", **ends_at).properties(name="said"),
        base.mark_rule(strokeWidth=1, opacity=1, clip=True).encode(
            x=x, y=alt.Y("lo:Q", **y_axis), y2="hi:Q", color=color
        ),
        *(cut(base, ENDS, up, y_axis, x=x, color=color) if beyond(records, ENDS, up) else ()),
        *(
            _of(base, machine, several)
            .mark_point(filled=not later, size=36, opacity=1, strokeWidth=1.4)
            .encode(x=x, y=y, color=color, shape=shape, tooltip=hover)
            for later, machine in enumerate(several or [""])
        ),
    )
    return finish(layers.properties(width=width, height=HEIGHT), ABOUT, {"findings": records})


def _said(records: Sequence[Record], x: Sequence[float], y: Sequence[float], last: float) -> list[Record]:
    """Name the two lines where no mark is, neither on a wide page nor on a phone; else a line has no name."""
    taken = {size: [place.dot(r["published"], r["effect"], x, y, size) for r in records] for size in (WIDE, PHONE)}
    found: list[Record] = []
    for text, end in (("no effect here", (x[1], 1.0)), ("as published", (last, last))):
        for spot in (end, *reversed(place.along((1.0, 1.0), end))):
            boxes = {size: place.above_left(*spot, text, x, y, size) for size in taken}
            if all(place.free(box, taken[size], size) for size, box in boxes.items()):
                found.append({"x": spot[0], "y": spot[1], "text": text})
                for size, box in boxes.items():
                    taken[size].append(box)
                break
    return found


def _of(base: alt.Chart, machine: str, several: Sequence[str]) -> alt.Chart:
    if len(several) < 2:
        return base
    mine: alt.Chart = base.transform_filter(alt.FieldEqualPredicate(field="machine", equal=machine))
    return mine


def records_of(results: Sequence[Result]) -> list[Record]:
    """Return a record per effect, turned so that the published one is above 1."""
    found = []
    for result in results:
        row, e = result.record(), result.experiment
        if e is None or e.printed is None or result.found is None:
            continue
        turned = e.printed < 1
        effect = result.found.inverse if turned else result.found
        ratio, lo, hi = (max(LEAST, round(value, 4)) for value in effect.ratios)
        backend = clip(f", {result.where}" if row["backend"] else "", NAME // 2)
        found.append(
            {
                "name": clip_middle(f"{row['id']} {row['experiment']}", NAME - len(backend)) + backend,
                "effect": ratio,
                "lo": lo,
                "hi": hi,
                "published": round(1 / e.printed if turned else e.printed, 4),
                "published_on": (result.there.kind if result.there else "") or UNTOLD,
                "device": row["published_on"] or "",
                "conditions": row["conditions"] or "",
                "machine": result.machine,
                "verdict": row["verdict"],
                "claim": row["claim"],
                "source": row["source"],
                "paper": page_of(result.finding),
            }
        )
    return found
