"""Effects of findings beside the published ones: interval and published mark on a log axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from bench.base.escape import clip, clip_middle
from bench.findings.evaluate import Result
from bench.findings.finding import SHARE, TIME
from bench.findings.verdict import VERDICTS
from bench.report.html.charts.theme import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
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
MOST = 60  # effects; where there are more, those that lie farthest from what is printed are drawn
WIDEST = 20.0  # times beyond the outermost effect: a wider interval ends at the edge of the plot
NAME = 64  # characters
LOOKS = ((BLUE, "circle"), (GREEN, "triangle-up"), (ORANGE, "square"), (VERMILION, "cross"), (GREY, "triangle-down"))


def chart(data: Data, width: Width = 520) -> Drawn | None:
    """Draw the effects on time, one of each, or where they are more than `MOST` those farthest from the published.

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
        kept = sorted(range(len(results)), key=lambda i: -_surprise(results[i]))[:MOST]
        results = [results[i] for i in sorted(kept)]
    records = records_of(results)
    marks = [1.0, *(r[k] for r in records for k in ("effect", "published") if r[k])]
    ends = [r[k] for r in records for k in ("lo", "hi") if r[k]]
    domain = around([*marks, *(v for v in ends if min(marks) / WIDEST <= v <= max(marks) * WIDEST)], 1.1)
    # Each effect has a row of its own, whatever it is called.
    base = alt.Chart(named("findings")).encode(y=alt.Y("place:O", axis=None))
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
        base.mark_rule(strokeWidth=2.5, opacity=0.7, clip=True).encode(x=alt.X("lo:Q", **axis), x2="hi:Q", color=color),
        base.mark_point(filled=True, size=75, opacity=1).encode(
            x=alt.X("effect:Q", **axis), color=color, shape=shape, tooltip=hover
        ),
        base.transform_filter("isValid(datum.published)")
        .mark_point(filled=False, shape="diamond", size=95, strokeWidth=1.6, color=GREY)
        .encode(x=alt.X("published:Q", **axis), tooltip=hover),
    )
    return finish(layers.properties(width=width, height=alt.Step(ROW)), ABOUT, {"findings": records})


def _surprise(result: Result) -> float:
    """Return how far an effect lies from what is printed, or from none where nothing is, as a logarithm."""
    row = result.record()
    if not row["effect"]:
        return 0.0
    return abs(math.log(row["effect"] / (row["published"] or 1.0)))


def records_of(results: Sequence[Result]) -> list[Record]:
    """Return a record per effect, in the order of the findings."""
    found = []
    for place, result in enumerate(results):
        row = result.record()
        backend = clip(f", {row['backend']}" if row["backend"] else "", NAME // 2)
        found.append(
            {
                "place": place,
                "name": clip_middle(f"{row['id']} {row['experiment']}", NAME - len(backend)) + backend,
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
