"""The zoo beside its papers, as Markdown: ``python -m bench.report.text.models > docs/models.md``.

`markdown` is a pure function of published rows and counts; only `main` needs PyTorch, to count.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from types import MappingProxyType

from bench.base.escape import markdown_cell
from bench.papers.figures import OPEN
from bench.papers.published import (
    Counts,
    Doubt,
    Printed,
    PublishedNetwork,
    doubts,
    macs_within,
    networks,
    open_cells,
    params_within,
)

Key = tuple[str, int]  # model spec as the row has it, resolution

INTRO = """\
# The zoo beside its papers

Every published row of a network that the zoo builds: what the source prints, and what the network built here has.
Counts are taken from the network itself, under the source's own convention of what counts (column *counts*: `conv`
convolutions, `fc` matrix products, `bn2` two operations per element out of a BatchNorm; `nobn` parameters without
BatchNorm). A count is *within rounding* when it lies at most half a unit of the last printed place away; a difference
is *explained* when what is said of it leads to the printed figure, and *open* when it does not. Parameters and
multiply-adds (MACs) are in millions; top-1 is the source's accuracy in percent, which is not measured here.

This page is generated: `python -m bench.report.text.models > docs/models.md`.
"""
COLUMNS = (
    ("model", "---"),
    ("px", "---:"),
    ("params: printed", "---:"),
    ("counted", "---:"),
    ("off", "---:"),
    ("MACs: printed", "---:"),
    ("counted", "---:"),
    ("off", "---:"),
    ("counts", "---"),
    ("top-1", "---:"),
    ("source", "---"),
    ("why off", "---"),
)


@dataclass(frozen=True, slots=True)
class Tally:
    """How the printed cells fare: `cells` of them were checked, and each is one of the other four.

    `open` are those of which no source tells where the difference comes from: their row says so, after ``open:``, or
    what it says does not lead to the printed figure (`bench.papers.figures.explains`).
    """

    cells: int
    within: int
    explained: int
    open: int
    unexplained: int


def tally(rows: Iterable[PublishedNetwork], counts: Mapping[Key, Counts]) -> Tally:
    """Count the printed parameters and MACs of all rows whose network was counted."""
    within = explained = unknown = unexplained = 0
    for row in rows:
        counted = counts.get((row.model, row.resolution))
        if counted is None:
            continue
        verdicts = (params_within(row, counted), macs_within(row, counted))
        within += verdicts.count(True)
        off, unsolved = verdicts.count(False), len(open_cells(row, counted))
        explained += off - unsolved
        unknown += unsolved if row.deviation else 0
        unexplained += 0 if row.deviation else unsolved
    return Tally(within + explained + unknown + unexplained, within, explained, unknown, unexplained)


def markdown(
    rows: Sequence[PublishedNetwork],
    counts: Mapping[Key, Counts],
    titles: Mapping[str, str],
    doubtful: Sequence[Doubt] = (),
    notes: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Write the page.

    Args:
        rows: the published rows, those of one table next to each other.
        counts: the counts of every row's network, by model spec and resolution.
        titles: the heading of each table; its file name where there is none.
        doubtful: printed cells not to be relied on.
        notes: what the card of a family says, by the name of its table.
    """
    sums = tally(rows, counts)
    text = [
        INTRO,
        f"**{sums.cells} cells checked: {sums.within} within rounding, {sums.explained} explained, "
        f"{sums.open} open (no source says where the difference comes from), {sums.unexplained} without a word.**",
        "",
    ]
    built = [row for row in rows if (row.model, row.resolution) in counts]
    for table, group in groupby(built, key=lambda row: row.table):
        text += [
            f"## {markdown_cell(titles.get(table, table))}",
            "",
            *([markdown_cell(" ".join(notes[table].split())), ""] if notes.get(table) else []),
            _join(name for name, _ in COLUMNS),
            _join(rule for _, rule in COLUMNS),
        ]
        text += [_line(row, counts[row.model, row.resolution]) for row in group]
        text += [""]
    if doubtful:
        text += ["## Doubtful cells", "", "Printed figures that contradict another figure or a count.", ""]
        text += ["| source | cell | printed | finding |", "| --- | --- | --- | --- |"]
        text += [_join((d.source, d.cell, d.printed, d.finding)) for d in doubtful]
        text += [""]
    return "\n".join(text)


def _line(row: PublishedNetwork, counts: Counts) -> str:
    counting = row.counting
    return _join(
        (
            f"`{row.model}`",
            str(row.resolution),
            *_compared(row.params, counting.params_m(counts)),
            *_compared(row.macs, counting.macs_m(counts)),
            str(counting),
            "" if row.top1 is None else f"{row.top1:g}",
            row.source if row.label == row.model else f"{row.source}: {row.label}",
            _reason(row, counts),
        )
    )


def _reason(row: PublishedNetwork, counts: Counts) -> str:
    """Return why a row is off; of what it does not explain it says that this is open."""
    unsolved = open_cells(row, counts)
    if not row.deviation or not unsolved or row.deviation.startswith(OPEN):
        return row.deviation
    off = (params_within(row, counts), macs_within(row, counts)).count(False)
    which = f" ({unsolved[0]})" if len(unsolved) < off else ""
    return f"{OPEN.removesuffix(':')}{which}: {row.deviation}"


def _compared(printed: Printed | None, counted_m: float) -> tuple[str, str, str]:
    """Three cells: printed, counted with one digit more than printed, and how far the count is off."""
    if printed is None:
        return "", "", ""
    _, _, decimals = printed.text.partition(".")
    off = "" if printed.holds(counted_m) else f"{printed.off(counted_m):+.1%}"
    return printed.text, f"{counted_m:.{len(decimals) + 1}f}", off


def _join(cells: Iterable[str]) -> str:
    return f"| {' | '.join(markdown_cell(c) for c in cells)} |"


def page() -> str:
    """Count every published network of the zoo and write the page; needs PyTorch."""
    from bench.plan.zoo import cards

    count = import_module("bench.models.counting").count
    rows = networks()
    keys = {(row.model, row.resolution) for row in rows if row.model}
    counts = {key: count(*key) for key in sorted(keys)}
    titles = {name: card.title for name, card in cards().items()}
    notes = {name: card.notes for name, card in cards().items()}
    return markdown(rows, counts, titles, doubts(), notes)


def main() -> None:
    """Print the page."""
    sys.stdout.write(page())


if __name__ == "__main__":
    main()
