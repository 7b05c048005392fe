"""Time per MAC over channels, and effects under older instructions: the pictures of ``docs/findings-why.md``."""

from __future__ import annotations

import math

import altair as alt

from bench.findings.finding import OURS
from bench.findings.store import Evidence
from bench.findings.why import (
    AS_IT_COMES,
    FIRST,
    FULL,
    ISA,
    SWEEPS,
    held_results,
    padded,
    points,
    split,
    without_kernel,
)
from bench.report.html.charts.theme import (
    BLUE,
    COLUMNS,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    VERMILION,
    Drawn,
    above,
    around,
    finish,
    log_axis,
    named,
)  # fmt: skip
from bench.report.html.facets import Record

COLORS = {"onnxruntime": BLUE, "openvino": VERMILION, "openvino:isa=avx2": ORANGE, "torch": GREEN,
          "torch:isa=avx2": PURPLE}  # fmt: skip
HEIGHT, ROW = 220, 30
CHANNELS = "Time per MAC of stacks of 16 to 64 channels, that of 64 being 1, with what whole blocks of 16 would take."
HELD = (
    "Effects of pairs of networks in runtimes as they come and held to older instructions, with the published effect."
)


def channels(evidence: Evidence, width: int = 520) -> Drawn | None:
    """Draw a panel per kind of convolution; None without sweeps."""
    found = points(evidence)
    if not found:
        return None
    records: list[Record] = [
        {"kind": p.kind, "runtime": p.backend, "channels": p.channels, "time": round(p.time, 4)} for p in found
    ]
    backends = list(dict.fromkeys(p.backend for p in found))
    for backend, kind in dict.fromkeys((p.backend, p.kind) for p in found):
        records.append({"kind": kind, "runtime": backend, "channels": FULL, "time": 1.0})
    blocks = [{"kind": kind, "channels": c, "time": round(padded(kind, c), 4)}
              for kind in SWEEPS for c in range(FIRST, FULL + 1, 2)]  # fmt: skip
    ends = around([r["time"] for r in [*records, *blocks]], 1.05)
    color = alt.Color(
        "runtime:N",
        scale=alt.Scale(domain=backends, range=[COLORS.get(b, GREY) for b in backends]),
        legend=alt.Legend(columns=COLUMNS),
    )
    axis = alt.Axis(title="channels", values=list(range(FIRST, FULL + 1, 8)))
    x = alt.X("channels:Q", axis=axis, scale=alt.Scale(domain=[FIRST - 1, FULL + 1], nice=False))
    y = alt.Y("time:Q", **log_axis("time per MAC, 64 channels = 1", ends))
    panels = []
    for kind in dict.fromkeys(p.kind for p in found):
        only = alt.FieldEqualPredicate(field="kind", equal=kind)
        mine = alt.Chart(named("channels")).transform_filter(only).encode(x=x, y=y, color=color)
        rule = alt.Chart(named("blocks")).transform_filter(only).encode(x=x, y=y)
        panels.append(
            alt.layer(
                rule.mark_line(color=PALE, interpolate="step-after", strokeWidth=2),
                mine.mark_line(strokeWidth=1.4),
                mine.mark_point(filled=True, size=24, opacity=1),
            ).properties(width=width, height=HEIGHT, title=f"{kind} convolutions")
        )
    return finish(alt.vconcat(*panels), CHANNELS, {"channels": records, "blocks": blocks})


def instructions(evidence: Evidence, width: int = 520) -> Drawn | None:
    """Draw a panel per runtime and a row per experiment: a mark for each set of instructions, a line for the paper."""
    marks: list[Record] = []
    names: list[Record] = []
    results = held_results(evidence)
    native = {(r.finding.id, r.experiment.name, r.backend): r for r in results if r.experiment}
    for r in results:
        e = r.experiment
        if e is None or r.found is None or e.printed is None or e.origin == OURS:
            continue
        runtime, isa = split(r.backend)
        plain = native.get((r.finding.id, e.name, runtime))
        if plain is not None and without_kernel(r, {AS_IT_COMES: plain}):
            continue
        label = f"{r.finding.id}: {e.name}"
        if not any(name["name"] == label and name["runtime"] == runtime for name in names):
            place = sum(name["runtime"] == runtime for name in names)
            names.append({"place": place, "runtime": runtime, "name": label, "published": round(e.printed, 4)})
        place = next(name["place"] for name in names if name["name"] == label and name["runtime"] == runtime)
        effect, lo, hi = (round(v, 4) for v in r.found.ratios)
        marks.append({"place": place, "runtime": runtime, "isa": isa, "effect": effect, "lo": lo, "hi": hi})
    if not marks:
        return None
    values = [*(v for m in marks for v in (m["lo"], m["hi"])), *(n["published"] for n in names), 1.0]
    x = log_axis("second network's time over the first one's", around([v for v in values if math.isfinite(v)], 1.05))
    shown = [isa for isa in ISA.values() if any(m["isa"] == isa for m in marks)]
    color, shape = (
        channel("isa:N", scale=alt.Scale(domain=shown, range=looks[: len(shown)]), legend=alt.Legend(columns=COLUMNS))
        for channel, looks in ((alt.Color, [BLUE, ORANGE, VERMILION]), (alt.Shape, ["circle", "square", "diamond"]))
    )
    y = alt.Y("place:O", axis=None)
    one = alt.Chart(alt.InlineData(values=[{"effect": 1.0}]))
    panels = []
    for runtime in dict.fromkeys(m["runtime"] for m in marks):
        only = alt.FieldEqualPredicate(field="runtime", equal=runtime)
        of_marks, of_names = (alt.Chart(named(name)).transform_filter(only) for name in ("marks", "names"))
        layers = alt.layer(
            one.mark_rule(color=GREY, strokeDash=[4, 3]).encode(x=alt.X("effect:Q", **x)),
            of_names.mark_tick(color=INK, thickness=2.5, size=14, yOffset=5).encode(x=alt.X("published:Q", **x), y=y),
            of_marks.mark_rule(strokeWidth=1.2, yOffset=5).encode(x=alt.X("lo:Q", **x), x2="hi:Q", y=y, color=color),
            of_marks.mark_point(filled=True, size=46, opacity=1, yOffset=5).encode(
                x=alt.X("effect:Q", **x), y=y, color=color, shape=shape
            ),
            above(of_names.encode(y=y), "name"),
        )
        panels.append(layers.properties(width=width, height=alt.Step(ROW), title=runtime))
    return finish(alt.vconcat(*panels), HELD, {"marks": marks, "names": names})
