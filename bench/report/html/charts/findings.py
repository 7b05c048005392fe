"""Effects of findings beside the published ones: interval and published mark on a log axis."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from bench.base.errors import clip
from bench.findings.evaluate import Result
from bench.findings.finding import SHARE, TIME
from bench.findings.verdict import VERDICTS
from bench.report.html.charts.theme import (
    BLUE,
    GREY,
    ORANGE,
    SKY,
    VERMILION,
    Drawn,
    Width,
    above,
    around,
    finish,
    log_axis,
    named,
    tips,
)  # fmt: skip
from bench.report.html.data import Data
from bench.report.html.facets import Record

TITLE = "What papers claim"
ABOUT = (
    "Measured effects as ratios with 95% intervals, on a logarithmic axis, and the published effect of each as a "
    "hollow diamond."
)
MISSING = "No evidence of findings was found. `bench findings run --quick` makes some within minutes."
ROW = 32
MOST = 200  # effects; where there are more, the first of each finding on each backend is drawn
LOOKS = ((BLUE, "circle"), (SKY, "triangle-up"), (ORANGE, "square"), (VERMILION, "cross"), (GREY, "triangle-down"))


def chart(data: Data, width: Width = 520) -> Drawn | None:
    """Draw the effects on time, one of each, or the first of each finding where they are more than `MOST`.

    Counts are exact and stand in the table. None where there is no effect.
    """
    timed = [
        r for r in data.findings if r.found is not None and r.experiment and r.experiment.quantity in (TIME, SHARE)
    ]
    once: dict[object, Result] = {}
    for result in timed:
        once.setdefault((result.experiment, result.backend), result)
    results = list(once.values())
    if not results:
        return None
    if len(results) > MOST:
        firsts: dict[tuple[str, str], Result] = {}
        for result in results:
            firsts.setdefault((result.finding.id, result.backend), result)
        results = list(firsts.values())
    records = records_of(results)
    values = [r[k] for r in records for k in ("effect", "lo", "hi", "published") if r[k]]
    domain = around([1.0, *values], 1.1)
    base = alt.Chart(named("findings")).encode(y=alt.Y("name:N", sort=alt.SortField("place", "ascending"), axis=None))
    axis = log_axis("effect: ratio of times or shares", domain)
    present = [v for v in VERDICTS if any(r["verdict"] == v for r in records)]
    looks = {v: LOOKS[i % len(LOOKS)] for i, v in enumerate(VERDICTS)}
    color = alt.Color("verdict:N", scale=alt.Scale(domain=present, range=[looks[v][0] for v in present]))
    shape = alt.Shape("verdict:N", scale=alt.Scale(domain=present, range=[looks[v][1] for v in present]))
    hover = tips(
        claim="claim", name="experiment", effect="effect here", lo="95% from", hi="to", published="published",
        on_device="published on", verdict="verdict", source="source",
    )  # fmt: skip
    one = alt.Chart(alt.InlineData(values=[{"x": 1.0}])).mark_rule(color=GREY, strokeDash=[4, 3])
    layers = alt.layer(
        one.encode(x=alt.X("x:Q", **axis)),
        above(base, "name"),
        base.mark_rule(strokeWidth=2.5, opacity=0.7).encode(x=alt.X("lo:Q", **axis), x2="hi:Q", color=color),
        base.mark_point(filled=True, size=75, opacity=1).encode(
            x=alt.X("effect:Q", **axis), color=color, shape=shape, tooltip=hover
        ),
        base.transform_filter("isValid(datum.published)")
        .mark_point(filled=False, shape="diamond", size=95, strokeWidth=1.6, color=GREY)
        .encode(x=alt.X("published:Q", **axis), tooltip=hover),
    )
    return finish(layers.properties(width=width, height=alt.Step(ROW)), ABOUT, {"findings": records})


def records_of(results: Sequence[Result]) -> list[Record]:
    """Return a record per effect, in the order of the findings."""
    found = []
    for place, result in enumerate(results):
        row = result.record()
        backend = f", {row['backend']}" if row["backend"] else ""
        found.append(
            {
                "place": place,
                "name": clip(f"{row['id']} {row['experiment']}{backend}", 64),
                "effect": row["effect"],
                "lo": row["effect_lo"],
                "hi": row["effect_hi"],
                "published": row["published"],
                "on_device": row["published_on"] or "",
                "verdict": row["verdict"],
                "claim": row["claim"],
                "source": row["source"],
            }
        )
    return found
