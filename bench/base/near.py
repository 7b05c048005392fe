"""Which of the names that there are may be meant: the one rule for models, backends, columns, options, commands."""

from __future__ import annotations

from collections.abc import Iterable

MOST = 3
LONG = 6  # a name from so many letters on may have two slips
BEGINNING = 3, 4  # letters that tell a name which was cut short, and one whose end is another


def near(name: str, names: Iterable[str]) -> list[str]:
    """Return those of `names` that `name` may be a slip of, the nearest first, `MOST` of them.

    A slip is a letter left out, added, changed or swapped with the next: one, or two from `LONG` letters on. Or one of
    the two begins the other, or they share all but two letters of what was typed. Case and leading dashes are nothing.
    """
    typed = _bare(name)
    found = []
    for one in sorted(names):
        other = _bare(one)
        begin = len(_begin(typed, other))
        whole = begin == min(len(typed), len(other)) and begin >= BEGINNING[0]
        slips = _slips(typed, other) if abs(len(typed) - len(other)) <= 2 else max(len(typed), len(other))
        allowed = min(2 if len(typed) >= LONG else 1, len(typed) - 1)
        if slips <= allowed or whole or begin >= max(BEGINNING[1], len(typed) - 2):
            found.append((slips, -begin, one))
    return [one for *_, one in sorted(found)[:MOST]]


def _bare(name: str) -> str:
    return name.lower().lstrip("-")


def _begin(a: str, b: str) -> str:
    """Return what both begin with."""
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a[:same]


def _slips(a: str, b: str) -> int:
    """Return the distance of optimal string alignment: Levenshtein's, with a swap of neighbours as one."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            least = min(last[j] + 1, row[-1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                least = min(least, before[j - 2] + 1)
            row.append(least)
        before, last = last, row
    return last[-1]
