"""Every finding, by its id: the guidelines first, then paper by paper in the order of ``claims.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from bench.base.errors import UnknownName
from bench.findings import ghostnet, guidelines, mobilenet, others, pplcnet, shufflenetv1, shufflenetv2
from bench.findings.finding import Finding

MODULES = (guidelines, shufflenetv1, shufflenetv2, mobilenet, ghostnet, pplcnet, others)


@cache
def catalog() -> dict[str, Finding]:
    """Return all findings."""
    found = [finding for module in MODULES for finding in module.findings()]
    return {finding.id: finding for finding in found}


def select(ids: Sequence[str]) -> list[Finding]:
    """Return the findings of these ids, in their order; all of them where none is named.

    Raises:
        UnknownName: there is no such finding.
    """
    known = catalog()
    folded = {id.lower(): id for id in known}
    for id in ids:
        if id.lower() not in folded:
            raise UnknownName("finding", id, known, "bench findings list")
    return [known[name] for name in dict.fromkeys(folded[id.lower()] for id in ids)] if ids else list(known.values())
