"""The quantitative claims of the papers, from ``claims.csv``: what was said, where, of which device."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

from bench.base.errors import UnknownName
from bench.papers.tables import read


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim in our words. `value` and `unit` are as printed; `check` is what the paper's own tables say to it.

    `verified` is how it was read: ``text`` in the paper, ``figure`` off a plot, ``derived`` by arithmetic on the text.
    `headline` names the experiment that speaks for it, where there are several: the paper's own, chosen before anything
    was measured.
    """

    id: str
    paper: str
    location: str
    claim: str
    quantity: str
    value: str
    unit: str
    hardware: str
    check: str
    source: str
    verified: str
    headline: str


COLUMNS = tuple(f.name for f in fields(Claim))


@cache
def claims() -> dict[str, Claim]:
    """Return every claim by its id, in the file's order; TableError where a line does not read."""
    table = files("bench.papers").joinpath("claims.csv")
    found = [Claim(*(row.text(c) for c in COLUMNS)) for row in read(table, COLUMNS)]
    return {claim.id: claim for claim in found}


def claim(id: str) -> Claim:
    """Return the claim of that id; UnknownName if there is none."""
    if id not in claims():
        raise UnknownName("claim", id, claims(), "bench findings list")
    return claims()[id]
