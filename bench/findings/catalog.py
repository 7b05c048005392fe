"""Every finding, by its id: the guidelines first, then paper by paper in the order of ``claims.csv``, then our own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache

from bench.base.errors import UnknownName
from bench.findings import conditions, ghostnet, guidelines, mobilenet, others, own, pplcnet, shufflenetv1, shufflenetv2
from bench.findings.finding import TIME, Experiment, Finding

MODULES = (guidelines, shufflenetv1, shufflenetv2, mobilenet, ghostnet, pplcnet, others, own)


GUIDELINES = ("G1", "G2", "G3", "G4")


@cache
def catalog() -> dict[str, Finding]:
    """Return all findings."""
    found = [finding for module in MODULES for finding in module.findings()]
    return {finding.id: finding for finding in found}


def suite(name: str, ids: Sequence[str] = ()) -> list[Finding]:
    """Return the findings of a suite (of `ids` only, where some are named), with its experiments alone.

    ``quick`` is one experiment or two of each of G1 to G4; ``core`` is what is measured on every machine: G1 to G4 with
    the paper's channels and aligned ones, Table 8 at batch 1, PP-LCNet, and ten pairs of equal MACs.
    """
    found = []
    for finding in select(ids or (GUIDELINES if name == "quick" else ())):
        wanted = _quick if name == "quick" else _core(finding)
        if (kept := finding.only(wanted)) is not None:
            found.append(kept)
    return found


def threaded(findings: Iterable[Finding], threads: int) -> list[Finding]:
    """Return the findings with their experiments that were published on several threads, on so many here."""
    found = []
    for finding in findings:
        if (several := finding.only(_on_several)) is not None:
            moved = tuple(e.on(threads) for e in several.experiments)
            names = dict(zip((e.name for e in several.experiments), moved, strict=True))
            found.append(replace(several, experiments=moved, headline=names[several.headline].name))
    return found


def _on_several(experiment: Experiment) -> bool:
    told = conditions.PUBLISHED.get(experiment.device, conditions.Conditions()).threads
    return experiment.quantity == TIME and told not in ("", "1")


def _quick(experiment: Experiment) -> bool:
    return experiment.quick


def _core(finding: Finding) -> Callable[[Experiment], bool]:
    whole = finding.id == own.PAIRS or finding.id.startswith("LC-")
    part = finding.id in GUIDELINES or finding.id.startswith("T8-")
    return lambda experiment: whole or (part and experiment.core)


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
