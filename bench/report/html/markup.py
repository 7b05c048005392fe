"""HTML as text: everything that comes from a file or a model passes through `text`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.base.escape import html

MOST_ROWS = 1000  # of a table; a person who wants all of them has the CSV
PAGE_ROWS = 25  # of a table at once


@dataclass(frozen=True)
class HtmlTable:
    """Rows under a head; `numbers` are the columns that are aligned right.

    `on` are each row's subjects for the filter, `groups` what the view's select picks rows by.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    numbers: frozenset[int] = frozenset()
    on: Sequence[Sequence[int]] = ()
    groups: Sequence[str] = ()


def text(value: object) -> str:
    """Escape a value for text and attributes; None is empty."""
    return "" if value is None else html(str(value))


def code(sentence: str) -> str:
    """Escape a sentence, and set what stands between backticks as code."""
    parts = text(sentence).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def table(data: HtmlTable, caption: str) -> str:
    """Write a table in a box of its own that scrolls; beyond `MOST_ROWS` the caption says how many are left out.

    The page's script shows `PAGE_ROWS` at once; without it, and in print, they are all there.
    """
    shown = _shown(data)
    left = len(data.rows) - len(shown)
    told = f"{caption} The first {len(shown)} of {len(data.rows)} rows." if left > 0 else caption
    head = "".join(f'<th scope="col"{_number(data, i)}>{text(name)}</th>' for i, name in enumerate(data.head))
    rows = []
    for place in shown:
        row = data.rows[place]
        on = f' data-on="{" ".join(map(str, data.on[place]))}"' if data.on else ""
        on += f' data-group="{text(data.groups[place])}"' if data.groups else ""
        cells = "".join(f"<td{_number(data, i)}>{text(cell)}</td>" for i, cell in enumerate(row))
        rows.append(f"<tr{on}>{cells}</tr>")
    # A box that scrolls must be reachable by keyboard.
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{text(caption)}"><table>'
        f"<caption>{text(told)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f"{_pages(caption) if len(rows) > PAGE_ROWS else ''}"
    )


def _shown(data: HtmlTable) -> list[int]:
    """Return the rows that are written: `MOST_ROWS`, or so many of each group."""
    if not data.groups:
        return list(range(min(len(data.rows), MOST_ROWS)))
    counts: Counter[str] = Counter()
    found = []
    for place, group in enumerate(data.groups):
        counts[group] += 1
        if counts[group] <= MOST_ROWS:
            found.append(place)
    return found


def _pages(caption: str) -> str:
    return (
        f'<nav class="pages" aria-label="Pages: {text(caption)}" data-rows="{PAGE_ROWS}" hidden>'
        '<button type="button" data-step="-1">Previous</button><output></output>'
        '<button type="button" data-step="1">Next</button></nav>'
    )


def save(id: str, title: str) -> str:
    """Write the buttons that save a chart as it is shown."""
    buttons = "".join(
        f'<button type="button" data-save="{kind}" data-of="{id}">{kind.upper()}</button>'
        for kind in ("svg", "png", "csv")
    )
    return f'<div class="save" role="group" aria-label="Save {text(title)}"><span>Save as</span>{buttons}</div>'


def _number(data: HtmlTable, column: int) -> str:
    return ' class="n"' if column in data.numbers else ""


def details(summary: str, body: str, open_: bool = False) -> str:
    """Write something that opens."""
    return f'<details class="more"{" open" if open_ else ""}><summary>{text(summary)}</summary>{body}</details>'


def select(id: str, label: str, groups: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> str:
    """Write a select with groups of (value, text); empty groups are left out."""
    options = []
    for name, entries in groups:
        inner = "".join(f'<option value="{text(value)}">{text(told)}</option>' for value, told in entries)
        if inner:
            options.append(f'<optgroup label="{text(name)}">{inner}</optgroup>' if name else inner)
    return (
        f'<div class="pick"><label for="pick-{id}">{text(label)}</label>'
        f'<select id="pick-{id}" data-chart="{id}">{"".join(options)}</select></div>'
    )
