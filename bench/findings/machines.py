"""The evidence of several machines side by side: where do they agree?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.findings.evaluate import Result
from bench.findings.finding import Finding
from bench.findings.store import Evidence
from bench.findings.table import judged
from bench.findings.verdict import MARGIN
from bench.stats.ratio import Effect

SAME, DIRECTION, NEITHER, TURNED = "agree", "same direction", "differ", "turned round"


@dataclass(frozen=True, slots=True)
class SideBySide:
    """A record per effect that at least two machines have, and what became of all of them in a sentence."""

    records: list[dict[str, Any]]
    summary: str


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
    return SideBySide(records, f"{len(records)} effects on several machines: {told or 'none'}")


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
    """Name machines by their microarchitecture, and by their files where that is the same."""
    told = {path: str(one.header.get("environment", {}).get("microarchitecture") or path.stem)
            for path, one in evidence.items()}  # fmt: skip
    counts = Counter(told.values())
    places = {path: f"{path.parent.name}/{path.stem}" for path in evidence}
    return {path: name if counts[name] == 1 else f"{name}, {places[path]}" for path, name in told.items()}
