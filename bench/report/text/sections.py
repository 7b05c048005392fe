"""Sections of lines, a table or sentences, for the terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.base.escape import markdown as escaped
from bench.base.escape import plain
from bench.report.text.print import cell, grid

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, slots=True)
class TextTable:
    """Rows of text under a head; the first column is left-aligned, and so are those named in `left`."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Plain lines, then a table, then statements with the time they speak of."""

    lines: tuple[str, ...] = ()
    table: TextTable | None = None
    statements: tuple[tuple[str, str], ...] = ()


def markdown(sections: Sequence[Section]) -> list[str]:
    """Write sections as Markdown."""
    lines: list[str] = []
    for section in sections:
        lines += [f"{escaped(line)}  " for line in section.lines]
        if section.table:
            table = section.table
            lines.append("| " + " | ".join(table.head) + " |")
            ends = [" --- " if i == 0 or name in table.left else " ---: " for i, name in enumerate(table.head)]
            lines.append("|" + "|".join(ends) + "|")
            lines += ["| " + " | ".join(escaped(cell) for cell in row) + " |" for row in table.rows]
        lines += [
            f"- {' '.join(ms.split())}: {escaped(text)}" if ms else f"- {escaped(text)}"
            for ms, text in section.statements
        ]
        lines.append("")
    return lines[:-1]


def show(sections: Sequence[Section], console: Console) -> None:
    """Print sections on a rich console."""
    from rich.table import Table as RichTable

    for number, section in enumerate(sections):
        if number:
            console.print()
        for line in section.lines:
            console.print(plain(line), markup=False, emoji=False, soft_wrap=True)
        if section.table:
            laid = grid(tight=True)
            for i, name in enumerate(section.table.head):
                left = i == 0 or name in section.table.left
                laid.add_column(name, justify="left" if left else "right", no_wrap=True)
            for row in section.table.rows:
                laid.add_row(*map(cell, row))
            console.print(laid)
        if section.statements:
            laid = RichTable(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
            laid.add_column(no_wrap=True)
            laid.add_column()
            for ms, text in section.statements:
                laid.add_row(cell(ms), cell(text))
            console.print(laid)
