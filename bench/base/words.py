"""English that depends on a number, and the lines of what others say; each said once."""

from __future__ import annotations

import re
from collections.abc import Sequence


def plural(thing: str, n: float) -> str:
    """Return the name of a thing, or of several: `thing` for 1, else with an s as English has it."""
    if n == 1:
        return thing
    if re.search(r"(ch|sh|s|x)$", thing):
        return f"{thing}es"
    return f"{thing[:-1]}ies" if re.search(r"[^aeiou]y$", thing) else f"{thing}s"


def counted(n: float, thing: str) -> str:
    """Write how many there are of a thing: ``1 launch``, ``2 launches``, ``1,200 rows``."""
    return f"{n:,} {plural(thing, n)}"


def verb(n: float, one: str, several: str) -> str:
    """Return the word that goes with so many: ``is`` or ``are``."""
    return one if n == 1 else several


def listed(names: Sequence[str], most: int | None = None, between: str = ", ") -> str:
    """Write names in a row, each of them once; of more than `most` the first, and how many more there are."""
    distinct = list(dict.fromkeys(names))
    more = "" if most is None or len(distinct) <= most else f" and {len(distinct) - most} more"
    return between.join(distinct[:most]) + more


def lines_of(said: str) -> list[str]:
    """Return the lines that say anything, stripped."""
    return [line.strip() for line in said.splitlines() if line.strip()]


def last_line(said: str, otherwise: str = "") -> str:
    """Return the last line that says something, or what stands for it where there is none."""
    return (lines_of(said) or [otherwise])[-1]


def size(number: int) -> str:
    """Write bytes in the unit in which they are neither thousands nor a fraction: ``1.5 MiB``."""
    units = ("B", "KiB", "MiB", "GiB")
    power = min(max(number.bit_length() - 1, 0) // 10, len(units) - 1)
    return f"{number / 2 ** (10 * power):.4g} {units[power]}"
