"""The tables of `bench inspect`, for the terminal: readable at 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.base.escape import clip
from bench.base.words import counted
from bench.graph.summary import Record, Summary
from bench.report.text.print import cell, grid

FIELDS = ("macs", "elementwise_ops", "memory_access_bytes")
TOTALS = ("macs_at_least", *FIELDS[1:])  # what a summary calls their sums
SUFFIXES = (" MACs", " ops", "B")
Unit = tuple[str, float]


def show(summary: Summary, rows: Sequence[Record], of: int, key: str, console: Console) -> None:
    """Print totals, the shares of the classes, and `rows` (nodes or modules) out of `of`, sorted by `key`."""
    if summary.graph.uncounted:
        console.print(Text.assemble(("not counted", "bold yellow"), ": ", missing(summary)), soft_wrap=True)
    for label, text in _totals(summary):
        console.print(Text.assemble((f"{label:<16}", "bold"), " ", text), soft_wrap=True)
    console.print()
    console.print(_classes(summary))
    console.print()
    console.print(_rows(rows, summary))
    what = "modules" if rows and "module" in rows[0] else "nodes"
    ordered = "in the graph's order" if key == "graph" else f"most {key} first"
    more = f", {of - len(rows)} more: --top {of}" if of > len(rows) else ""
    console.print(f"{len(rows)} of {of} {what}, {ordered}{more}", soft_wrap=True)
    if summary.graph.constant_nodes:
        console.print(f"{summary.graph.constant_nodes} constant nodes are computed once, when the model loads")
    if summary.graph.unused_nodes:
        console.print(f"left out, because no output needs it: {counted(summary.graph.unused_nodes, 'node')}")


def missing(summary: Summary) -> str:
    """Name the operators that could not be counted, and say which totals are lower bounds for that."""
    rest = [name for name in summary.graph.uncounted if name not in summary.partial]
    whose = "its" if len(summary.partial) == 1 else "their"
    said = [f"{clip(', '.join(summary.partial), 200)} ({whose} MACs are not known)"] if summary.partial else []
    said += [f"{clip(', '.join(rest), 200)} (element-wise operations or memory access)"] if rest else []
    return "; ".join(said)


def _totals(summary: Summary) -> list[tuple[str, str]]:
    shapes = ", ".join(f"{clip(name, 30)} {_shape(shape)}" for name, shape in summary.inputs.items())
    intensity = summary.macs_per_byte
    per_byte = "" if intensity is None else f"; {intensity:.2f} MACs per byte"
    params = _amount(summary.params)
    if summary.stored_params != summary.params:
        params += f"; {_amount(summary.stored_params)} stored in the graph"
    places = {node.name: f"{'.'.join(node.scope)} {node.op}" for node in summary.graph.nodes if node.scope}
    live = f"at most {_amount(summary.peak.bytes)}B, at {clip(places.get(summary.peak.node, summary.peak.node), 34)}"
    if summary.peak_fused.bytes != summary.peak.bytes:
        live += f"; {_amount(summary.peak_fused.bytes)}B with inverted residuals in slices"
    elements = summary.graph.total("memory_access_elements")
    multiplied = []
    if set(summary.macs_by_precision) - {"fp32"}:
        parts = sorted(summary.macs_by_precision.items(), key=lambda item: -item[1])
        said = ", ".join(f"{_amount(macs)} MACs in {precision}" for precision, macs in parts)
        graph = summary.graph
        left = f"; {graph.between} of {graph.quantizers} nodes that (de)quantise stand between others"
        multiplied = [("precision", said + (left if graph.quantizers else ""))]
    least = "at least " if summary.graph.uncounted else ""
    return [
        ("model", f"{clip(summary.model)}, {shapes}"),
        ("MACs", f"{least if summary.partial else ''}{_amount(summary.macs_at_least)} (FLOPs: twice that)"),
        *multiplied,
        ("element-wise", f"{least}{_amount(summary.elementwise_ops)} operations"),
        ("parameters", params),
        ("memory access", f"{least}{_amount(summary.memory_access_bytes)}B, {_amount(elements)} elements{per_byte}"),
        ("live activations", live),
    ]


def _classes(summary: Summary) -> Table:
    units = _units(summary)
    heads = [cell for (unit, _), suffix in zip(units, SUFFIXES, strict=True) for cell in (unit + suffix, "%")]
    params = _unit(summary.stored_params)
    table = _table("class", "nodes", *heads, f"{params[0]} params")
    for count in summary.classes:
        cells = []
        for field, total, (_, factor) in zip(FIELDS, TOTALS, units, strict=True):
            part, whole = getattr(count, field), getattr(summary, total)
            cells += [_number(part, factor), f"{100 * part / whole:.1f}" if part else ""]
        table.add_row(str(count.op_class), str(count.nodes), *cells, _number(count.params, params[1]))
    return table


def _rows(rows: Sequence[Record], summary: Summary) -> Table:
    units = _units(summary)
    modules = bool(rows) and "module" in rows[0]
    first = ("module", "nodes") if modules else ("node", "class", "output")
    table = _table(*first, *(unit + suffix for (unit, _), suffix in zip(units, SUFFIXES, strict=True)))
    for row in rows:
        numbers = [_number(row[field], factor) for field, (_, factor) in zip(FIELDS, units, strict=True)]
        if modules:
            table.add_row(cell(clip(row["module"], 40)), str(row["nodes"]), *numbers)
            continue
        shape = _shape(row["outputs"][0]) if row["outputs"] else "?"
        if row["uncounted"]:
            numbers[:2] = [numbers[0] if row["macs_known"] else "?", "?"]
        table.add_row(cell(clip(_label(row), 34)), row["class"], shape, *numbers)
    return table


def _label(row: Record) -> str:
    """Name a node by its module where the exporter tells it: that is the name a person knows."""
    return f"{row['scope']} {row['op']}" if row["scope"] else str(row["name"])


def _table(*columns: str) -> Table:
    table = grid()
    for name in columns:
        if name in ("class", "module", "node"):
            table.add_column(name, overflow="fold")
        else:
            table.add_column(name, justify="right", no_wrap=True)
    return table


def _units(summary: Summary) -> list[Unit]:
    """Choose for each of `FIELDS` a unit in which its total has a few digits."""
    return [_unit(getattr(summary, total)) for total in TOTALS]


def _unit(total: int) -> Unit:
    return ("G", 1e9) if total >= 1e11 else ("M", 1e6) if total >= 1e6 else ("k", 1e3)


def _number(value: int, factor: float) -> str:
    scaled = value / factor
    return "" if not value else f"{scaled:.2f}" if scaled >= 0.01 else "<0.01"


def _amount(value: int) -> str:
    """Write a total with its unit, to four digits or so: ``145.8 M``."""
    unit, factor = _unit(value)
    return f"{value / factor:.{1 if value / factor >= 100 else 3}f} {unit}"


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"
