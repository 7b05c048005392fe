"""The order of networks on one setting beside that on another: a slope per network, with ratios."""

from __future__ import annotations

import altair as alt

from bench.report.html.charts.theme import COLUMNS, GREY, NARROW, ORANGE, PURPLE, Drawn, Width, finish, named, tips
from bench.report.html.data import Data
from bench.report.html.facets import Record

TITLE = "The order elsewhere"
ABOUT = (
    "Slopes from each network's rank by latency on one setting to its rank on another; beside the name its latency, "
    "and how many times as long as expected it takes there."
)
MISSING = (
    "No two settings, and no published device, share three networks. "
    "`bench run --backend onnxruntime --backend openvino` measures on two; rows of another machine may be named beside."
)
ROW = 21
SHORT = 22  # characters of a name on a phone
LEFT, RIGHT = "a", "b"


def chart(data: Data, width: Width = 620, chosen: int = 0) -> Drawn | None:
    """Draw one pair of settings; None where there is none."""
    if not data.orders:
        return None
    order = data.orders[chosen]
    # Ranks and ratios follow from what the filter leaves, so the chart computes them. A ratio is held against the mean
    # ratio: 1.3 means 30% slower there than this machine's other networks would have it.
    base = (
        alt.Chart(named("ranks"))
        .transform_window(left="row_number()", sort=[alt.SortField("a_ms", "ascending")])
        .transform_window(right="row_number()", sort=[alt.SortField("b_ms", "ascending")])
        .transform_calculate(log="log(datum.b_ms / datum.a_ms)")
        .transform_joinaggregate(mean="mean(log)")
        .transform_calculate(
            times="exp(datum.log - datum.mean)",
            place="datum.right > datum.left ? 'falls behind' "
            ": datum.right < datum.left ? 'gains places' : 'keeps place'",
            before=f"({NARROW} ? truncate(datum.network, {SHORT}, 'center') : datum.network)"
            " + '  ' + format(datum.a_ms, '.3~g') + ' ms'",
            # A phone has no room for the name once more.
            after="format(datum.b_ms, '.3~g') + ' ms  ×' + format(datum.times, '.2f')"
            f" + ({NARROW} ? '' : '  ' + datum.network)",
        )
    )
    legend = alt.Legend(columns=COLUMNS)
    color = alt.Color(
        "place:N",
        scale=alt.Scale(domain=["gains places", "falls behind", "keeps place"], range=[PURPLE, ORANGE, GREY]),
        legend=legend,
    )
    dash = alt.StrokeDash(
        "place:N",
        scale=alt.Scale(domain=["gains places", "falls behind", "keeps place"], range=[[1, 0], [6, 3], [1, 0]]),
        legend=legend,
    )
    hover = [
        *tips(network="network", a="left", b="right"),
        alt.Tooltip("a_ms:Q", title="ms, left", format=".4~g"),
        alt.Tooltip("b_ms:Q", title="ms, right", format=".4~g"),
        alt.Tooltip("left:Q", title="rank, left"),
        alt.Tooltip("right:Q", title="rank, right"),
        alt.Tooltip("times:Q", title="times what the others would have it", format=".2f"),
    ]
    x = alt.X(
        "side:N", scale=alt.Scale(domain=[LEFT, RIGHT], padding=alt.ExprRef(expr=f"{NARROW} ? 0 : 0.75")), axis=None
    )
    rank = alt.Y("rank:O", axis=None)
    folded = base.transform_fold(["left", "right"], as_=["at", "rank"]).transform_calculate(
        side=f"datum.at == 'left' ? '{LEFT}' : '{RIGHT}'"
    )
    lines = folded.mark_line(strokeWidth=2, opacity=0.8).encode(
        x=x, y=rank, detail="network:N", color=color, strokeDash=dash, tooltip=hover
    )
    dots = folded.mark_point(filled=True, size=60, opacity=1).encode(x=x, y=rank, color=color, tooltip=hover)
    room = "250" if isinstance(width, int) else "min(250, width * 0.3 - 14)"
    limit = alt.ExprRef(expr=f"{NARROW} ? 115 : {room}")  # the select above says the rest
    layers = [lines, dots]
    for side, field in ((LEFT, "before"), (RIGHT, "after")):
        beside: Record = {"align": "right", "dx": -10} if side == LEFT else {"align": "left", "dx": 10}
        at = folded.transform_filter(f"datum.side == '{side}'")
        layers.append(at.mark_text(fontSize=11, **beside).encode(x=x, y=rank, text=f"{field}:N"))
        head = base.transform_filter("datum.left == 1").transform_calculate(side=f"'{side}'", rank="0")
        layers.append(
            head.mark_text(fontSize=12, fontWeight=600, limit=limit, **beside).encode(x=x, y=rank, text=f"{side}:N")
        )
    return finish(
        alt.layer(*layers).properties(width=width, height=alt.Step(ROW)), ABOUT, {"ranks": list(order.records)}
    )
