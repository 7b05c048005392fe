"""The same figures as tables: of every view all that it could show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.report.html.charts import side_by_side
from bench.report.html.data import Data
from bench.report.html.facets import Record
from bench.report.html.markup import HtmlTable
from bench.report.text.papers import page_of


def latency(data: Data) -> HtmlTable:
    """Every case, with or without a latency."""
    head = (
        "network", "setting", "M MACs", "ms", "95% from", "to", "efficiency", "floor ms", "status", "measured",
        "remark",
    )  # fmt: skip
    keys = ("model", "setting", "m_macs", "ms", "lo", "hi", "rate", "floor", "status", "when", "error")
    return _of(data.points, head, keys, {2, 3, 4, 5, 7})


def inversions(data: Data) -> HtmlTable:
    """The inversions that are kept, largest ratio first."""
    head = ("slower", "M MACs", "ms", "faster", "M MACs", "ms", "ratio", "95% from", "to", "setting")
    keys = (
        "slower", "slower_m_macs", "slower_ms", "faster", "faster_m_macs", "faster_ms", "ratio", "lo", "hi", "setting",
    )  # fmt: skip
    return _of(data.inverted.records, head, keys, {1, 2, 4, 5, 6, 7, 8})


def pareto(data: Data) -> HtmlTable:
    """Networks with a published accuracy."""
    head = ("network", "top-1 %, published", "source", "others print", "ms", "setting", "status")
    return _of(data.pareto, head, ("model", "top1", "source", "others", "ms", "setting", "status"), {1, 4})


def breakdown(data: Data) -> HtmlTable:
    """Classes of operators of every profile."""
    keys = ("network", "class", "operators", "ms", "share", "m_macs")
    return _of(data.breakdown, (*keys[:-1], "M MACs"), keys, {2, 3, 4, 5})


def ranks(data: Data) -> HtmlTable:
    """Both latencies of every network that two settings share."""
    records = [record for order in data.orders for record in order.records]
    return _of(records, ("network", "from", "to", "ms", "ms there"), ("network", "a", "b", "a_ms", "b_ms"), {3, 4})


def settings(data: Data) -> HtmlTable:
    """Every cell of the networks that were measured in two settings."""
    keys = ("model", "setting", "ms", "lo", "hi", "status", "error")
    head = ("network", "setting", "ms", "95% from", "to", "status", "remark")
    return _of(side_by_side.records(data), head, keys, {2, 3, 4})


def findings(data: Data) -> HtmlTable:
    """Every effect, counted ones too, by paper."""
    head = (
        "finding", "experiment", "backend", "effect", "95% from", "to", "published", "whence", "on", "here", "verdict",
        "claim", "source",
    )  # fmt: skip
    keys = (
        "id", "experiment", "backend", "effect", "effect_lo", "effect_hi", "published", "origin",
        "published_conditions", "conditions", "verdict", "claim", "source",
    )  # fmt: skip
    records = [r.record() | {"verdict": f"{r.verdict}{': ' if r.reason else ''}{r.reason}"} for r in data.findings]
    return replace(_of(records, head, keys, {3, 4, 5, 6}), groups=[page_of(r.finding) for r in data.findings])


def slopes(data: Data) -> HtmlTable:
    """Ranks on every setting, by choice; the page shows those of the one that is chosen."""
    listed = [(str(i), record) for i, one in enumerate(data.slopes) for record in one.records]
    keys = ("network", "whole", "source", "rank", "ms")
    found = _of([record for _, record in listed], ("network", "setting", *keys[2:]), keys, {3, 4})
    return replace(found, groups=[choice for choice, _ in listed])


def sustain(data: Data) -> HtmlTable:
    """Every moment of the cases that were kept going."""
    keys = ("case", "minutes", "ms", "clock", "temperature")
    return _of(data.sustained, keys, keys, {1, 2})


def history(data: Data) -> HtmlTable:
    """Every change point."""
    rows = [
        (m.first_after, m.last_before, s.name, f"{m.ratio - 1:+.1%}", f"{m.lo - 1:+.1%} to {m.hi - 1:+.1%}",
         f"{m.nights_before}+{m.nights_after}", "; ".join(m.changed))
        for s in data.nights.series for m in s.moved
    ]  # fmt: skip
    on = [[subject] for s, subject in zip(data.nights.series, data.night_subjects, strict=True) for _ in s.moved]
    order = sorted(range(len(rows)), key=lambda i: rows[i][0])
    head = ("moved", "last before", "case", "change", "95%", "nights", "changed with it")
    return HtmlTable(head, [rows[i] for i in order], frozenset({3, 5}), [on[i] for i in order])


def _of(records: Sequence[Record], head: Sequence[str], keys: Sequence[str], numbers: set[int]) -> HtmlTable:
    on = [r["on"] for r in records] if records and "on" in records[0] else ()
    return HtmlTable(head, [[r[key] for key in keys] for r in records], frozenset(numbers), on)
