"""The same effects on two machines: on the diagonal they are as large on both."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from bench.findings.evaluate import Result, distinct
from bench.findings.finding import TIME
from bench.findings.machines import DIRECTION, NEITHER, SAME, TURNED, agreement
from bench.report.html.charts.theme import (
    BLUE,
    GREEN,
    GREY,
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
)  # fmt: skip
from bench.report.html.facets import Record

ABOUT = (
    "Effects on time that two machines have, both axes logarithmic, with the interval of another run of each: on the "
    "diagonal they are equal, in the upper left and the lower right quarter one machine is slower where the other is "
    "faster."
)
WHISKERS = (("y", "x", ("lo", "hi")), ("x", "y", ("left", "right")))
LOOKS = {SAME: (BLUE, "circle"), DIRECTION: (GREEN, "triangle-up"), NEITHER: (PURPLE, "square"),
         TURNED: (VERMILION, "diamond")}  # fmt: skip


def draw(results: Sequence[Result], width: Width = 520) -> Drawn | None:
    """Draw a mark per effect of the first two machines that results name; None where there is none of both."""
    machines = list(dict.fromkeys(r.machine for r in results if r.machine))[:2]
    if len(machines) < 2:
        return None
    records = records_of(results, machines[0], machines[1])
    if not records:
        return None
    ends = around([1.0, *(r[k] for r in records for k in ("x", "y"))], 1.08)
    shown = [word for word in LOOKS if any(r["agree"] == word for r in records)]
    legend = alt.Legend(columns=alt.ExprRef(expr="width < 500 ? 2 : 4"), symbolOpacity=1)
    color, shape = (
        channel("agree:N", scale=alt.Scale(domain=shown, range=[LOOKS[w][i] for w in shown]), legend=legend)
        for i, channel in enumerate((alt.Color, alt.Shape))
    )
    x, y = (log_axis(f"effect on {machine}", ends) for machine in machines)
    lines = alt.Chart(alt.InlineData(values=[{"x": end, "y": end} for end in ends]))
    cross = [
        alt.Chart(alt.InlineData(values=[{"x": a, "y": b} for a, b in ends_of]))
        for ends_of in (((ends[0], 1.0), (ends[1], 1.0)), ((1.0, ends[0]), (1.0, ends[1])))
    ]
    base = alt.Chart(named("machines"))
    at = {"x": alt.X("x:Q", **x), "y": alt.Y("y:Q", **y)}
    axes = {"x": x, "y": y}
    wider = [
        mark
        for along, across, fields in WHISKERS
        if beyond(records, fields, ends)
        for mark in cut(base, fields, ends, axes[along], **{across: at[across]}, color=color)
    ]
    layers = alt.layer(
        lines.mark_line(color=GREY, strokeWidth=1).encode(**at),
        *(line.mark_line(color=GREY, strokeDash=[4, 3], strokeWidth=1).encode(**at) for line in cross),
        base.mark_rule(opacity=1, clip=True).encode(x=at["x"], y=alt.Y("lo:Q", **y), y2="hi:Q", color=color),
        base.mark_rule(opacity=1, clip=True).encode(y=at["y"], x=alt.X("left:Q", **x), x2="right:Q", color=color),
        *wider,
        base.mark_point(filled=True, size=34, opacity=1).encode(**at, color=color, shape=shape),
    )
    height = width if isinstance(width, int) else 460
    return finish(layers.properties(width=width, height=height), ABOUT, {"machines": records})


def records_of(results: Sequence[Result], first: str, second: str) -> list[Record]:
    """Return a record per effect on time that both machines have."""
    found: dict[tuple[str, ...], dict[str, Result]] = {}
    for r in distinct(results):
        if r.experiment is not None and r.experiment.quantity == TIME and r.machine in (first, second):
            found.setdefault((r.finding.id, r.experiment.name, r.backend), {})[r.machine] = r
    records = []
    for (id, name, backend), mine in found.items():
        if len(mine) == 2:
            a, b = (mine[machine].found for machine in (first, second))
            if a is not None and b is not None:
                (x, left, right), (y, lo, hi) = ([round(v, 4) for v in effect.ratios] for effect in (a, b))
                records.append({"name": f"{id} {name}, {backend}", "x": x, "left": left, "right": right, "y": y,
                                "lo": lo, "hi": hi, "agree": agreement([a, b])})  # fmt: skip
    return records
