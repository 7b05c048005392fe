"""Names and errors that come from models, runtimes and files are data: one place that makes them harmless in print.

Whatever is not printable (Unicode's control, format, surrogate, private and unassigned characters, and separators other
than the space) shows as ``?``. So no name moves the cursor, recolours a terminal (ESC, and C1 controls), turns the
direction of the text around it (bidi overrides), or breaks a line.
"""

from __future__ import annotations

import html as _html
import json
import re
from collections.abc import Iterable

# What a spreadsheet takes for the beginning of a formula: OWASP, "CSV Injection".
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠].", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?", re.ASCII)
_BREAK = re.compile(r"[^\S ]+")
_MARKUP = re.compile(r"([\\`*_\[\]|~#!])")


def plain(text: str) -> str:
    """Return `text` with ``?`` for each character that is not printable: safe in a terminal, and on one line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def line(text: str) -> str:
    """Return `text` as a line of prose: breaks and tabs become a space, other unprintable characters ``?``."""
    return text if text.isprintable() else plain(_BREAK.sub(" ", text).strip())


def clip(text: str, width: int = 80) -> str:
    """Shorten text to `width` characters, printable ones alone, for a message of one line."""
    clean = plain(text)
    return clean if len(clean) <= width else clean[: width - 3] + "..."


def shortened(names: Iterable[str], width: int) -> dict[str, str]:
    """Shorten names to `width` characters so that none looks like another: both ends stay, else a number tells."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        short, number = _ends(plain(name), width), 1
        while short in taken:
            number += 1
            mark = f" ({number})"
            short = _ends(plain(name), width - len(mark)) + mark
        taken.add(short)
        found[name] = short
    return found


def _ends(text: str, width: int) -> str:
    tail = width // 2
    return text if len(text) <= width else f"{text[: width - 3 - tail]}...{text[-tail:]}"


def clip_middle(text: str, width: int) -> str:
    """Shorten text to `width` printable characters in its middle: names of networks differ at their ends."""
    return _ends(plain(text), width)


def html(text: str) -> str:
    """Escape text for the text of an HTML element, or for an attribute in quotes."""
    return _html.escape(plain(text), quote=True)


def script_json(value: object) -> str:
    """Write JSON that can stand inside ``<script>``: no tag, comment or line separator ends it; ASCII alone.

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def markdown(text: str) -> str:
    """Escape data for Markdown, in text or in a table's cell: no markup, no HTML, no link, no mention."""
    escaped = _MARKUP.sub(r"\\\1", plain(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("@", "&#64;").replace("://", "&#58;//")


def markdown_cell(text: str) -> str:
    """Keep a text of our own, whose markup is meant, within its cell of a Markdown table."""
    return plain(text).replace("|", "\\|").replace("<", "&lt;")


def csv_guard(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run as a formula; numbers such as -1.5 stay as they are.

    `csv_unguard` takes it off again, and returns every text as it was.
    """
    return f"'{text}" if _runs(text) else text


def csv_value(value: object) -> object:
    """Return what stands in a CSV for a value: texts on one line and guarded, None as an empty cell."""
    return "" if value is None else csv_guard(line(value)) if isinstance(value, str) else value


def csv_unguard(text: str) -> str:
    """Undo `csv_guard`."""
    return text[1:] if text.startswith("'") and _runs(text[1:]) else text


def _runs(text: str) -> bool:
    bare = text.lstrip("'")  # so that a text that has the apostrophe itself gets a second one
    return _FORMULA.match(bare) is not None and _NUMBER.fullmatch(bare) is None
