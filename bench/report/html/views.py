"""The views of the page, in order: heading, words, chart, and the same figures as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from bench.report.html import markup, tables
from bench.report.html.charts import (
    breakdown,
    findings,
    history,
    inversions,
    latency_flops,
    pareto,
    ranks,
    side_by_side,
    slopes,
    sustain,
)
from bench.report.html.data import Data
from bench.report.html.markup import HtmlTable
from bench.report.html.pairs import Order
from bench.report.text.papers import page_of

if TYPE_CHECKING:
    from bench.report.html.charts.theme import Drawn


@dataclass(frozen=True)
class View:
    """One view: its chart's module, what is said of it, its table, and what stands between (a select, sentences)."""

    id: str
    chart: ModuleType
    words: str
    table: Callable[[Data], HtmlTable]
    before: Callable[[Data], str] = lambda data: ""
    after: Callable[[Data], str] = lambda data: ""
    least_px: int = 560
    empty: str = "Nothing passes the filter."


def section(view: View, data: Data, drawn: Drawn | None) -> str:
    """Write a view; one without data says in one line what would make it."""
    head = f'<section class="view" id="{view.id}" aria-labelledby="{view.id}-title"><h2 id="{view.id}-title">'
    head += f"{markup.text(view.chart.TITLE)}</h2>"
    if not drawn and not view.table(data).rows:
        return f'{head}<p class="none">{markup.code(view.chart.MISSING)}</p>{view.after(data)}</section>'
    chart = (
        f'<div class="box" tabindex="0" role="region" aria-label="{markup.text(view.chart.TITLE)}, chart">'
        f'<div class="chart" style="--least:{max(view.least_px, drawn.least_px)}px" id="chart-{view.id}" role="img" '
        f'data-empty="{markup.text(view.empty)}" '
        f'aria-label="{markup.text(view.chart.ABOUT)} The table below has the same figures."></div></div>'
        + markup.save(view.id, view.chart.TITLE)
        if drawn
        else ""
    )
    rows = markup.table(view.table(data), view.chart.TITLE + ".")
    return "".join(
        [
            head,
            f"<p>{markup.code(view.words)}</p>",
            view.before(data),
            chart,
            markup.details("The same as a table", rows),
            view.after(data),
            "</section>",
        ]
    )


def _choose_paper(data: Data) -> str:
    counts = Counter(page_of(r.finding) for r in data.findings)
    if len(counts) < 2:
        return ""
    papers = [(paper, f"{paper} ({count} rows)") for paper, count in counts.items()]
    every = [("", f"every paper ({len(data.findings)} rows)")]
    return markup.select("findings", "Paper", (("", every), ("one of them", papers)))


def _choose_slopes(data: Data) -> str:
    if not data.slopes:
        return ""
    entries = [((str(i), one.name), bool(one.table)) for i, one in enumerate(data.slopes)]
    groups = [
        (name, [entry for entry, there in entries if there is published])
        for name, published in (("measured", False), ("beside published devices", True))
    ]
    return f'{markup.select("slopes", "Settings", groups)}<p id="said-slopes" role="status"></p>'


def _choose_order(data: Data) -> str:
    if not data.orders:
        return ""
    entries = [(str(i), _name(order)) for i, order in enumerate(data.orders)]
    measured = [e for e, order in zip(entries, data.orders, strict=True) if not order.published]
    published = [e for e, order in zip(entries, data.orders, strict=True) if order.published]
    select = markup.select("ranks", "From, to", (("measured", measured), ("published devices", published)))
    return f'{select}<p id="said-ranks" role="status"></p>'


def _name(order: Order) -> str:
    return f"{order.name} ({len(order.records)} networks)"


def agreement(order: Order) -> str:
    """Say how far two settings agree in order; a ratio needs words, too."""
    told = [f"{len(order.records)} networks, {order.moved} of them in another place."]
    for one in order.correlations:
        interval = "" if one.lo is None or one.hi is None else f" ({one.lo:.2f} to {one.hi:.2f})"
        told.append(f"{one.name} {one.value:.2f}{interval}.")
    if order.published:
        told.append(f"Published: {order.published}; ms per image.")
    return " ".join(told)


def _choose_series(data: Data) -> str:
    if not data.nights.series:
        return ""
    entries = [(str(i), s.name) for i, s in enumerate(data.nights.series)]
    moved = [e for e, s in zip(entries, data.nights.series, strict=True) if s.moved]
    still = [e for e, s in zip(entries, data.nights.series, strict=True) if not s.moved]
    notes = [data.nights.why_not, *data.nights.notes]
    lines = "".join(f"<li>{markup.text(note)}</li>" for note in notes if note)
    said = f'<ul class="said">{lines}</ul>' if lines else ""
    return markup.select("history", "Case", (("moved", moved), ("did not move", still))) + said


def _explanations(data: Data) -> str:
    parts = []
    for profile in data.profiles:
        if profile.sentences:
            said = "".join(f"<li><b>{markup.text(ms)}</b>: {markup.text(t)}</li>" for ms, t in profile.sentences)
            parts.append(f'<h3>{markup.text(profile.name)}</h3><ul class="said">{said}</ul>')
    words = "<p>What is at stake beyond the MACs at the peak; reasons overlap.</p>"
    return markup.details("Why, in words", words + "".join(parts), open_=len(parts) <= 4) if parts else ""


def _without_top1(data: Data) -> str:
    """List what the chart cannot place."""
    told = without_top1(data)
    return f'<p class="said">{markup.text(told)}</p>' if told else ""


def without_top1(data: Data) -> str:
    """Say which measured networks no source prints an accuracy of at their resolution; empty where none lacks it."""
    names = ", ".join(data.without_top1)
    return f"Not shown, for want of a published accuracy at their resolution: {names}." if names else ""


VIEWS = (
    View(
        "latency-flops", latency_flops,
        "One mark per case, with the whisker of its 95% interval, a triangle where that goes on beyond the plot; lines "
        "join the widths of a family, dashed diagonals are equal efficiency in GMACs/s, the solid grey line is the "
        "roofline's peak and grey ticks its floor, where they are known. If FLOPs told the speed, all marks would lie "
        "on one diagonal.",
        tables.latency, least_px=320,
    ),
    View(
        "inversions", inversions,
        "Pairs of one setting within 10% MACs, of which the one with fewer MACs takes longer: by how many times, with "
        "the 95% interval from those of both rows.",
        tables.inversions, least_px=330,
    ),
    View(
        "pareto", pareto,
        "The accuracy is published, not measured: nothing is trained here. The hover and the table name its source. "
        "The step line joins the networks that no faster one beats.",
        tables.pareto, after=_without_top1, least_px=320,
    ),
    View(
        "breakdown", breakdown,
        "Time per class of operators of the graph that the runtime really ran; the residual is what no operator "
        "accounts for.",
        tables.breakdown, least_px=420, after=_explanations,
    ),
    View(
        "ranks", ranks,
        "Networks in the order of their latency on either side. The factor beside a name is its ratio of latencies, "
        "relative to the mean ratio of the networks shown: above 1, it loses by the move.",
        tables.ranks, before=_choose_order, least_px=640,
    ),
    View(
        "slopes", slopes,
        "Networks in the order of their latency, a column per setting and a line per network; those that change places "
        "most have a colour. Columns of devices are what others published of theirs: the order counts, not the "
        "milliseconds.",
        tables.slopes, before=_choose_slopes, least_px=340,
    ),
    View(
        "side-by-side", side_by_side,
        "Networks by runtime, precision, threads or machine: the figure is how many times as long a network takes as "
        "in its fastest setting. What is darker is slower, ~ is `noisy`; a cell with a word may not be believed. "
        "Where a cell is too narrow for its figure, the hover and the table have it.",
        tables.settings, least_px=420,
    ),
    View(
        "findings", findings,
        "Effects measured here over the published ones, each turned so that the published one is above 1: on the "
        "diagonal they are as large here, at 1 there is none, below it goes the other way. Whiskers are the interval "
        "of another run. What is counted, and claims of a direction without a size, stand in the table only.",
        tables.findings, before=_choose_paper, least_px=360,
        empty="No effect on time of a published size; the table has the rest.",
    ),
    View(
        "history", history,
        "Medians per night of one case on one CPU, at the median speed of the reference case of the same run, which "
        "takes the machine's mood out. Grey bars are the levels between change points.",
        tables.history, before=_choose_series, least_px=420,
    ),
    View(
        "sustain", sustain,
        "What `bench run --sustain` kept going, at the speed that the machine had: a device without a fan slows down "
        "as it gets hot, and networks do so by different shares. `bench rank` says whether their order changed.",
        tables.sustain, least_px=420,
    ),
)  # fmt: skip
