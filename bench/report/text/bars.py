"""Bars of text: a value with its interval on a common scale that begins at zero."""

from __future__ import annotations

import math

EIGHTHS = " ▏▎▍▌▋▊▉"
FULL = "█"
# Where the output cannot say them.
ASCII = str.maketrans({"█": "#", "▏": " ", "▎": " ", "▍": "-", "▌": "-", "▋": "=", "▊": "=", "▉": "#"}
                      | {"├": "[", "─": "-", "┤": "]", "±": "~", "…": "~", "×": "x"}
                      | dict(zip("▁▂▃▄▅▆▇", "_.-:=+*", strict=True)))  # fmt: skip


def bar(value: float, lo: float, hi: float, most: float, width: int) -> str:
    """Draw a bar of at most `width` characters; `most` is the value that fills it.

    Where the interval from `lo` to `hi` is wider than a character it is drawn, from end to end, as ├──┤ at the bar's
    end; where it is not, the bar ends at the value, to an eighth of a character.
    """
    if not (math.isfinite(value) and most > 0) or width < 1:
        return ""
    scale = width / most
    if math.isfinite(lo) and math.isfinite(hi) and (hi - lo) * scale >= 1.5:
        start = min(math.floor(lo * scale), width - 2)
        end = min(max(math.ceil(hi * scale), start + 2), width)
        return FULL * start + "├" + "─" * (end - start - 2) + "┤"
    eighths = min(round(value * scale * 8), width * 8)
    return FULL * (eighths // 8) + EIGHTHS[eighths % 8].strip()
