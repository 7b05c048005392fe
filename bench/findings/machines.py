"""The evidence of several machines side by side: where do they agree?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.base.escape import shortened
from bench.base.words import counted
from bench.findings.evaluate import Result
from bench.findings.finding import Finding
from bench.findings.store import Evidence
from bench.findings.table import judged
from bench.findings.verdict import MARGIN
from bench.stats.ratio import Effect

SAME, DIRECTION, NEITHER, TURNED = "agree", "same direction", "differ", "turned round"
LEVEL = re.compile(r"|x86_64(_v[0-9])?|aarch64|armv[0-9.]+a?|generic|unknown")  # instructions, and no machine
WIDEST = 20  # characters of a column's head
OTHERS = ("id", "experiment", "backend", "machines", "published", "machines agree")  # columns beside those of machines


@dataclass(frozen=True, slots=True)
class SideBySide:
    """A record per effect that at least two machines have, and what became of all of them in a sentence.

    `machines` says in a line each what is behind the names of the columns.
    """

    records: list[dict[str, Any]]
    summary: str
    machines: tuple[str, ...]


def side_by_side(evidence: Mapping[Path, Evidence], findings: Iterable[Finding]) -> SideBySide:
    """Hold the effects of machines against each other; OutputError where evidence does not read."""
    findings = list(findings)
    names = _names(evidence)
    found: dict[tuple[str, str, str], dict[str, Result]] = {}
    for path, one in evidence.items():
        for result in judged(findings, one):
            # What is counted is the same everywhere.
            if result.experiment is not None and result.found is not None and result.backend:
                key = (result.finding.id, result.experiment.name, result.backend)
                found.setdefault(key, {})[names[path]] = result
    records = []
    for (id, experiment, backend), mine in found.items():
        if len(mine) > 1:
            first = next(iter(mine.values()))
            record: dict[str, Any] = {"id": id, "experiment": experiment, "backend": backend, "machines": len(mine)}
            record["published"] = None if first.experiment is None else first.experiment.printed
            for name in names.values():
                effect = mine[name].found if name in mine else None
                ratios = effect.ratios if effect else (None, None, None)
                labels = (name, f"{name} lo", f"{name} hi")
                record |= {k: None if v is None else round(v, 4) for k, v in zip(labels, ratios, strict=True)}
            record["machines agree"] = agreement([result.found for result in mine.values() if result.found])
            records.append(record)
    counts = Counter(record["machines agree"] for record in records)
    told = ", ".join(f"{counts[word]} {word}" for word in (SAME, DIRECTION, NEITHER, TURNED) if counts[word])
    said = tuple(f"{name}: {_machine(evidence[path])}, {path}" for path, name in names.items())
    return SideBySide(records, f"{counted(len(records), 'effect')} on several machines: {told or 'none'}", said)


def labelled(results: Iterable[Result], machine: str) -> list[Result]:
    """Return results that name their machine, a measurement of one being another than that of the next.

    What was counted is the same everywhere, and names none.
    """
    return [
        replace(r, machine=machine, measurement=(*r.measurement, machine)) if r.backend else r for r in results
    ]  # fmt: skip


def agreements(results: Iterable[Result]) -> dict[tuple[str, str, str], str]:
    """Say of every effect that several machines have whether they agree, by finding, experiment and runtime."""
    found: dict[tuple[str, str, str], dict[str, Effect]] = {}
    for r in results:
        if r.experiment is not None and r.found is not None and r.machine:
            found.setdefault((r.finding.id, r.experiment.name, r.backend), {})[r.machine] = r.found
    return {key: agreement(list(effects.values())) for key, effects in found.items() if len(effects) > 1}


def agreement(effects: list[Effect]) -> str:
    """Tell whether effects agree: all intervals meet, all go one way, some go the other way, or neither is shown."""
    if max(e.lo for e in effects) <= min(e.hi for e in effects):
        return SAME
    if all(e.lo > MARGIN for e in effects) or all(e.hi < -MARGIN for e in effects):
        return DIRECTION
    return TURNED if any(e.lo > MARGIN for e in effects) and any(e.hi < -MARGIN for e in effects) else NEITHER


def texts(record: Mapping[str, Any]) -> dict[str, object]:
    """Return a record for a terminal: an effect and its interval in one cell."""
    names = [name.removesuffix(" lo") for name in record if name.endswith(" lo")]
    kept = {k: v for k, v in record.items() if not k.endswith((" lo", " hi")) and k != "machines"}
    kept["published"] = None if record["published"] is None else f"{record['published']:.3g}"
    for name in names:
        effect, lo, hi = (record[f"{name}{end}"] for end in ("", " lo", " hi"))
        kept[name] = None if effect is None else f"{effect:.3g} ({lo:.3g} to {hi:.3g})"
    return kept


def _names(evidence: Mapping[Path, Evidence]) -> dict[Path, str]:
    """Name machines so that a column's head can hold it: by their microarchitecture, where that is one of each.

    A level such as ``x86_64_v4``, which is all that some virtual machines tell, names none: then the file does, or the
    folder that it is in.
    """
    archs = {path: str(_told(one, "microarchitecture")) for path, one in evidence.items()}
    counts = Counter(archs.values())
    stems = {path: path.name.partition(".")[0] for path in evidence}
    folders = {path: path.absolute().parent.name for path in evidence}
    for files in (stems, folders, {path: f"{folders[path]}/{stems[path]}" for path in evidence}):
        if len(set(files.values())) == len(files):
            break
    named = {path: arch if counts[arch] == 1 and not LEVEL.fullmatch(arch) else files[path]
             for path, arch in archs.items()}  # fmt: skip
    if len(set(named.values()) - set(OTHERS)) < len(named):
        named = {path: f"machine {number}" for number, path in enumerate(evidence, 1)}
    short = shortened(named.values(), WIDEST)
    return {path: short[name] for path, name in named.items()}


def _machine(evidence: Evidence) -> str:
    """Say which machine measured, as far as the evidence tells."""
    arch, cores = _told(evidence, "microarchitecture"), _told(evidence, "cores")
    more = ", ".join(filter(None, (str(arch), counted(int(str(cores)), "core") if cores else "")))
    return f"{_told(evidence, 'cpu') or 'an unknown CPU'} ({more})" if more else "an unknown machine"


def _told(evidence: Evidence, what: str) -> object:
    return evidence.header.get("environment", {}).get(what) or ""
