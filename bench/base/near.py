"""Which of the names that there are may be meant: the one rule for models, backends, columns, options, commands."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

MOST = 3
ALIKE = 0.66  # difflib's ratio: a swap in three letters is as near as that, `tensorrt` and `litert` are at 0.57
BEGINNING = 3  # letters of a name that was cut short


def near(name: str, names: Iterable[str]) -> list[str]:
    """Return those of `names` that `name` may be a slip of, or begins, the nearest first, `MOST` of them.

    Case and leading dashes are nothing.
    """
    typed = _bare(name)
    found = []
    for one in sorted(names):
        other = _bare(one)
        ratio = SequenceMatcher(None, typed, other).ratio()
        short, long = sorted((typed, other), key=len)
        if ratio >= ALIKE or (len(short) >= BEGINNING and long.startswith(short)):
            found.append((-ratio, one))
    return [one for _, one in sorted(found)[:MOST]]


def _bare(name: str) -> str:
    return name.lower().lstrip("-")
