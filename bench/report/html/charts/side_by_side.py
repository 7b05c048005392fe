"""Networks by settings: how many times as long each takes as on the network's fastest setting."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import altair as alt

from bench.report.html.charts.theme import INK, PALE, Drawn, Width, finish, named, narrower, tips
from bench.report.html.data import Data
from bench.report.html.facets import Record
from bench.rows.schema import MEASURED

TITLE = "Side by side"
ABOUT = (
    "A table of networks by settings: runtime, precision, threads, machine. The figure is the latency over that of the "
    "network's fastest setting; the darker, the slower; ~ before it: noisy. A cell that "
    "may not be believed says its status."
)
MISSING = (
    "No network was measured in two settings. `bench run --suite runtimes` measures each on every runtime, "
    "`bench run --suite precisions` in every precision."
)
ROW, MOST_NETWORKS = 24, 60
CELL_PX, NAMES_PX, HEADS_PX = 46, 200, 150  # a narrower cell has no room for its figure
SHORT = 22  # characters of a name on a phone
LEAST_CELL_PX = 30  # in a narrower one colour alone tells; the hover and the table have the figure
SLOW = 4.0  # where the colour ends


def records(data: Data) -> list[Record]:
    """Return the cells: every case of a network that has a latency in two settings or more."""
    counts = Counter(point["model"] for point in data.points if point["ms"] is not None)
    kept = list(dict.fromkeys(point["model"] for point in data.points if counts[point["model"]] > 1))[:MOST_NETWORKS]
    cells = [
        point | {"believed": point["status"] in MEASURED and point["ms"] is not None}
        for point in data.points
        if point["model"] in kept
    ]
    settings = list(dict.fromkeys(cell["setting"] for cell in cells if cell["believed"]))
    return [cell | {"setting": _column(cell["setting"], settings)} for cell in cells]


def _column(setting: str, known: Sequence[str]) -> str:
    """Return the setting that one is where it says "unknown", as a wrong output has no precision; else itself."""
    parts = setting.split(", ")
    if "unknown" not in parts:
        return setting
    told = [part for part in parts if part != "unknown"]  # a name may leave out the usual precision
    if (plain := ", ".join(told)) in known:
        return plain
    like = [o for o in known if len(found := o.split(", ")) == len(parts) and all(part in found for part in told)]
    return like[0] if len(like) == 1 else setting


def chart(data: Data, width: Width = 760) -> Drawn | None:
    """Draw the cells; None where no network has two settings."""
    cells = records(data)
    if not cells:
        return None
    # Runtimes stand together, and in each its precisions: so begins a setting's name.
    order = sorted({cell["setting"] for cell in cells})
    needs = CELL_PX * len(order)
    least = NAMES_PX + needs + HEADS_PX
    narrow = narrower(least)

    def if_narrow(phone: float | str, wide: float | str) -> alt.ExprRef:
        return alt.ExprRef(expr=f"{narrow} ? {phone!r} : {wide!r}")

    heads = alt.Axis(
        orient="top", labelAngle=if_narrow(-90, -35), labelAlign="left", labelLimit=220,
        labelBaseline=if_narrow("middle", "bottom"), labelFontSize=if_narrow(9, 12),
    )  # fmt: skip
    names = alt.Axis(labelLimit=190, labelFontSize=if_narrow(10, 12))
    names.labelExpr = f"{narrow} ? truncate(datum.label, {SHORT}, 'center') : datum.label"
    # The fastest setting is that of what the filter leaves.
    base = (
        alt.Chart(named("side-by-side"))
        .transform_calculate(sure="datum.believed ? datum.ms : null")
        .transform_joinaggregate(fastest="min(sure)", groupby=["model"])
        .transform_calculate(
            times="datum.believed ? datum.sure / datum.fastest : null",
            told="datum.believed ? (datum.status == 'noisy' ? '~' : '') + format(datum.times, '.2f') : datum.status",
        )
        .encode(
            x=alt.X("setting:N", title=None, sort=order, axis=heads),
            y=alt.Y("model:N", title=None, sort=None, axis=names),
            tooltip=[
                *tips(model="network", setting="setting", latency="latency", status="status"),
                alt.Tooltip("times:Q", title="times the fastest", format=".3g"),
                *tips(error="remark"),
            ],
        )
    )
    scale = alt.Scale(type="log", domain=[1, SLOW], range=["#f3f7fb", "#0b4f8a"], clamp=True)
    boxes = base.mark_rect(stroke="white", strokeWidth=2).encode(
        color=alt.condition("datum.believed", alt.Color("times:Q", scale=scale, legend=None), alt.value(PALE))
    )
    texts = base.mark_text().encode(
        size=alt.condition("datum.believed", alt.value(11), alt.value(8.5)),  # a word must fit, too
        opacity=alt.condition(f"bandwidth('x') < {LEAST_CELL_PX}", alt.value(0), alt.value(1)),
        text="told:N",
        color=alt.condition(f"datum.times > {SLOW**0.5}", alt.value("white"), alt.value(INK)),
    )
    words = ["times the latency of the network's", "fastest setting; ~ noisy"]
    title = alt.TitleParams(text=alt.ExprRef(expr=f"{narrow} ? {json.dumps(words)} : {json.dumps(' '.join(words))}"))
    wide = max(width, needs) if isinstance(width, int) else width
    drawn = alt.layer(boxes, texts).properties(width=wide, height=alt.Step(ROW), title=title)
    return finish(drawn, ABOUT, {"side-by-side": cells}, least)
