"""Tables for a notebook: every text from outside is escaped here, and nowhere else in the API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.base.escape import html
from bench.base.words import counted

# Beside the word that says it, so that colour is never the only sign.
COLOURS = {"ok": "#0072b2", "noisy": "#b35900", "equivalent": "#0072b2", "faster": "#0072b2"}
BAD = "#a5004d"
BOX = '<div tabindex="0" style="max-width: 100%; overflow-x: auto">'
SHOWN = 200  # rows of a table; a notebook that holds ten thousand is slow, and nobody reads them


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], said: Iterable[str] = ()) -> str:
    """Lay texts out as an HTML table, below it a line each of what is `said`; everything is escaped.

    A cell of the column ``status`` or ``verdict`` is coloured. A table that is wider than the page scrolls in a box.
    """
    parts = [BOX, "<table><thead><tr>", *(f"<th>{html(head)}</th>" for head in heads), "</tr></thead><tbody>"]
    for row in rows[:SHOWN]:
        cells = zip(heads, row, strict=True)
        parts += ["<tr>", *(_cell(head, text) for head, text in cells), "</tr>"]
    parts.append("</tbody></table></div>")
    more = [f"{counted(len(rows) - SHOWN, 'more row')}: .frame() has all"] if len(rows) > SHOWN else []
    return "".join(parts + [f"<div>{html(line)}</div>" for line in (*more, *said)])


def _cell(head: str, text: str) -> str:
    if text and head in ("status", "verdict"):
        return f'<td style="color: {COLOURS.get(text, BAD)}">{html(text)}</td>'
    return f"<td>{html(text)}</td>"


def interval(value: float | None, lo: float | None, hi: float | None, digits: int = 3) -> str:
    """Write a number with its 95% interval: ``3.975 [3.880, 4.071]``; a dash where there is no number."""
    if value is None:
        return "–"
    if lo is None or hi is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{lo:.{digits}f}, {hi:.{digits}f}]"


def scaled(value: float | None, factor: float = 1.0, digits: int = 1) -> str:
    """Write a number times a factor, a dash where there is none."""
    return "–" if value is None else f"{value * factor:.{digits}f}"
