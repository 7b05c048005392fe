"""A selection of rows as lines of text, no wider than asked: names, numbers, and a bar with its interval."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.cells import cell_len, chop_cells, set_cell_size

from bench.base.errors import clip
from bench.plan.protocol import LATENCY
from bench.report.text import curve, footer
from bench.report.text.bars import bar
from bench.rows import identity
from bench.rows.fields import Field, find

if TYPE_CHECKING:
    import pandas as pd

    from bench.rows.select import Selection

# Of the 256 that terminals share: blue, orange, purple, told apart with any colour vision, on light and dark.
COLOURS = {"ok": 32, "noisy": 172}
FAILED = 169
# What a case's columns are called where they have another head than their name, and what is not told of a case.
HEADS = {"resolution": "px", identity.RAN: "ran", "pace_ms": "pace"}
UNTOLD = ("model", identity.ASKED)
USUAL = ("mode", LATENCY)  # need not be said
NUMBERS = {"latency_ms": ("ms", 1.0, 3), "throughput": ("samples/s", 1.0, 1), "interval": ("±", 100.0, 1),
           "macs": ("M MACs", 1e-6, 1), "gmacs_per_s": ("GMAC/s", 1.0, 1)}  # fmt: skip
DISPENSABLE = ("interval", "gmacs_per_s", "macs")  # the last is the first to go where there is no room
LATENCIES = ("latency_ms", "latency_lo_ms", "latency_hi_ms")
THROUGHPUTS = ("throughput", "throughput_lo", "throughput_hi")
LEAST_BAR, MOST_BAR = 20, 100
LEAST_NAME, MOST_CELL = 16, 28
NAME_LINES = 3


@dataclass(frozen=True)
class Column:
    """A head and one text per row."""

    head: str
    cells: Sequence[str]
    right: bool = False

    @property
    def width(self) -> int:
        """Columns of the terminal that it needs."""
        return max(cell_len(self.head), *map(cell_len, self.cells)) if self.cells else cell_len(self.head)


def lines(selection: Selection, width: int, colour: bool = False) -> Iterator[str]:
    """Yield the table, and below it what `footer` says."""
    frame = selection.frame
    same, context = _context(frame, [field.name for field in selection.groups])
    numbers = _numbers(frame, selection.sort)
    if len(frame):
        yield from _body(selection, context, numbers, width, colour)
        yield ""
        drawn = list(curve.lines(frame))
        yield from (*drawn, *([""] if drawn else []))
    for line in ([f"in all: {', '.join(same)}"] if same else []) + footer.lines(selection):
        yield from textwrap.wrap(line, width, subsequent_indent="  ", break_on_hyphens=False)


def _body(
    selection: Selection, context: list[Column], numbers: dict[str, Column], width: int, colour: bool
) -> Iterator[str]:
    frame = selection.frame
    statuses = frame["status"].astype(str).tolist()
    marks = [footer.mark(status) for status in statuses]
    models = frame["model"].astype(str).tolist()
    longest = max(map(cell_len, models))
    room, dropped = _room(context, numbers, width, selection.sort.name, min(longest, LEAST_NAME))
    columns = [*context, *(column for name, column in numbers.items() if name not in dropped)]
    name_width = min(longest, max(LEAST_NAME, room - LEAST_BAR))
    bar_width = min(room - name_width, MOST_BAR)
    # One scale, of one quantity: where any row has a latency, those without get no bar.
    drawn_of, unit = (LATENCIES, "ms") if "latency_ms" in numbers else (THROUGHPUTS, "samples/s")
    value, lo, hi = (frame[name].to_numpy(dtype=float) for name in drawn_of)
    ends = np.where(np.isfinite(hi), hi, value)
    most = float(np.nanmax(ends)) if np.isfinite(ends).any() else math.nan
    scales = [f"0 to {most:.3g} {unit}", f"0 to {most:.3g}"] if math.isfinite(most) else []
    scale = next((text for text in scales if len(text) <= bar_width), "")  # the unit is above the numbers, too
    head = _row(" ", "model", columns, [c.head for c in columns], name_width) + f" {scale}"
    widths = [column.width for column in columns]
    yield _style(head.rstrip(), colour, bold=True)
    at = 0
    for key, rows in selection.parts():
        if key:
            names = ", ".join(f"{f.name} {clip(v, 60) or '?'}" for f, v in zip(selection.groups, key, strict=True))
            yield ""
            yield _style(f"{clip(names, width - 12)} ({len(rows)})", colour, bold=True)
        for i in range(at, at + len(rows)):
            first, *more = _folded(models[i], name_width)
            numbers_of = [column.cells[i] for column in columns]
            drawn = bar(value[i], lo[i], hi[i], most, bar_width) or clip(statuses[i], bar_width)
            fg = COLOURS.get(statuses[i], FAILED)
            text = _row("", first, columns, numbers_of, name_width, widths)
            yield f"{_style(marks[i], colour, fg=fg)}{text} {_style(drawn, colour, fg=fg)}".rstrip()
            yield from (f"  {part}" for part in more)
        at += len(rows)
    if selection.sort.number and selection.sort.name not in (*numbers, *_heads()):
        yield f"no row has {selection.sort.name}: they are in the order of their names"
    if dropped:
        yield f"no room for {', '.join(NUMBERS[name][0] for name in dropped)}"


def _room(
    context: list[Column], numbers: dict[str, Column], width: int, sort: str, least_name: int
) -> tuple[int, list[str]]:
    """Return the columns that name and bar share, and which numbers are dropped for the sake of them."""
    dropped: list[str] = []
    while True:
        left = [*context, *(column for name, column in numbers.items() if name not in dropped)]
        room = width - 2 - sum(column.width + 1 for column in left)
        spare = [name for name in DISPENSABLE if name not in (*dropped, sort) and name in numbers]
        if room >= least_name + LEAST_BAR or not spare:
            return max(room, least_name + 3), dropped
        dropped.append(spare[-1])


def _heads() -> dict[str, str]:
    """Return what says which case a row is: where these differ they are columns; where not, a line says them once."""
    names = ("backend", *(name for name in identity.case() if name not in ("backend", *UNTOLD)), identity.RAN)
    return {name: HEADS.get(name, name) for name in (*names, "target", "cpu")}


def _context(frame: pd.DataFrame, groups: Sequence[str]) -> tuple[list[str], list[Column]]:
    """Return what all rows share, as texts, and a column for each thing in which they differ."""
    same, columns = [], []
    for name, head in _heads().items():
        codes, texts = find(name).texts(frame)
        values = {texts[code] for code in np.unique(codes)}
        if name in groups:
            continue
        if len(values) > 1:
            columns.append(Column(head, [clip(texts[code], MOST_CELL) for code in codes], find(name).number))
        elif name != "cpu" and values and (value := values.pop()) and (name, value) != USUAL:
            same.append(clip(value, 60) if name == "backend" else f"{head} {clip(value, 60)}")
    return same, columns


def _numbers(frame: pd.DataFrame, sort: Field) -> dict[str, Column]:
    """Return the columns of numbers; what the rows are sorted by is one of them."""
    formats = dict(NUMBERS)
    if sort.number and sort.name not in (*formats, *_heads()):
        formats[sort.name] = (sort.name, 1.0, -1)
    found = {}
    rates = bool((frame["mode"] == "throughput").any())
    for name, (head, factor, digits) in formats.items():
        values = find(name).numbers(frame) * factor
        if np.isfinite(values).any() or (name == "latency_ms" and not rates):
            found[name] = Column(head, [_number(value, digits, name == "interval") for value in values], True)
    if not sort.number and sort.name == "day":
        codes, texts = sort.texts(frame)
        found["day"] = Column("day", [texts[code] for code in codes])
    return found


def _number(value: float, digits: int, percent: bool) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.5g}" if digits < 0 else f"{value:.{digits}f}" + ("%" if percent else "")


def _row(
    mark: str,
    name: str,
    columns: Sequence[Column],
    cells: Sequence[str],
    name_width: int,
    widths: Sequence[int] | None = None,
) -> str:
    parts = [f"{mark}{set_cell_size(name, name_width)}"]
    for column, cell, width in zip(columns, cells, widths or [c.width for c in columns], strict=True):
        pad = " " * (width - cell_len(cell))
        parts.append(pad + cell if column.right else cell + pad)
    return " ".join(parts)


def _folded(name: str, width: int) -> list[str]:
    """Break a name into lines of `width`, between settings if it can; of a very long one both ends are shown."""
    parts: list[str] = []
    while cell_len(name) > width and len(parts) < NAME_LINES - 1:
        first = chop_cells(name[: width + 1], width)[0]
        cut = max(first.rfind(sign) for sign in ",:/ @") + 1
        parts.append(first[:cut] if cut > len(first) // 2 else first)
        name = name[len(parts[-1]) :]
    if cell_len(name) > width:
        name = name[-width:]
        while cell_len(name) >= width:
            name = name[1:]
        name = f"…{name}"
    return [*parts, name]


def _style(text: str, colour: bool, fg: int | None = None, bold: bool = False) -> str:
    return click.style(text, fg=fg, bold=bold or None) if colour and text.strip() else text
