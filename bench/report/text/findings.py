"""``docs/findings.md``: the verdicts of a committed run, with a paragraph for each finding that was run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from bench.base.escape import markdown, markdown_cell, plain
from bench.findings.catalog import catalog
from bench.findings.evaluate import Result
from bench.findings.store import Evidence
from bench.findings.verdict import INCONCLUSIVE, NOT_REPRODUCED, OPPOSITE, REPRODUCED, VERDICTS

CHANNELS = {"paper": "the paper's", "both": "the paper's, aligned"}
HEAD = """# Findings

What papers claim of speed and FLOPs, tested on one machine. Written by `bench findings show --page` from the evidence
below; how a verdict follows from an interval: [method.md](method.md#findings). Accuracy is quoted, never tested:
nothing is trained here.
"""


def page(results: Sequence[Result], evidence: Evidence, name: str = "findings.jsonl") -> str:
    """Return the page: the machine, a table of verdicts, a paragraph per finding, and what cannot be tested.

    The first table has a line per finding and backend with its first experiment; all of them stand with the paragraph.
    """
    runs = [r for r in results if r.experiment is not None and r.found is not None]
    by_finding: dict[str, list[Result]] = {}
    for result in runs:
        by_finding.setdefault(result.finding.id, []).append(result)
    parts = [HEAD, *_environment(evidence, name), "", *_totals(runs, by_finding), "", *_verdicts(by_finding)]
    for mine in by_finding.values():
        parts += ["", *_paragraph(mine)]
        if len(mine) > 1:
            parts += ["", *_experiments(mine)]
    parts += ["", *_rest(by_finding)]
    return "\n".join(parts) + "\n"


def _environment(evidence: Evidence, name: str) -> list[str]:
    machine = evidence.header["environment"]
    versions = sorted(
        {
            markdown(f"{side['inspected']['effective']['version']} ({replicate['backend']})")
            for replicate in evidence.replicates
            for side in replicate["sides"].values()
            if "inspected" in side
        }
    )
    known = {key: markdown(str(machine[key])) for key in ("cpu", "microarchitecture", "cores", "os")}
    where = f"{known['cpu']} ({known['microarchitecture']}), {known['cores']} cores"
    virtual = ", virtual machine" if machine["hypervisor"] else ""
    return [
        f"Measured on {where}{virtual}, {known['os']}; fp32; {', '.join(versions)}; "
        f"{len(evidence.replicates)} replicates, begun {evidence.header['started_at'][:10]}; evidence: `{plain(name)}`."
    ]


def _totals(runs: Sequence[Result], by_finding: dict[str, list[Result]]) -> list[str]:
    counts = {verdict: sum(r.verdict == verdict for r in runs) for verdict in VERDICTS}
    told = ", ".join(f"{n} {verdict}" for verdict, n in counts.items() if n)
    return [f"Findings: {len(by_finding)}. Effects: {len(runs)}; {told or 'none'}."]


def _verdicts(by_finding: dict[str, list[Result]]) -> list[str]:
    lines = [
        "| finding | backend | first experiment | effect here | published | verdict | all experiments |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for id, mine in by_finding.items():
        for backend in dict.fromkeys(r.backend for r in mine):
            here = [r for r in mine if r.backend == backend]
            first = here[0]
            told = _counts(here) if len(here) > 1 else ""
            cells = (
                f"[{id}](#{id.lower()})",
                markdown_cell(backend),
                _name(first),
                _effect(first),
                _published(first),
                first.verdict,
            )
            lines.append(f"| {' | '.join(cells)} | {told} |")
    return lines


def _experiments(mine: Sequence[Result]) -> list[str]:
    lines = [
        "| experiment | channels | backend | effect here | published | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in mine:
        assert r.experiment is not None
        channels = CHANNELS.get(r.experiment.channels, r.experiment.channels)
        lines.append(
            f"| {_name(r)} | {channels} | {markdown_cell(r.backend)} | {_effect(r)} | {_published(r)} | {r.verdict} |"
        )
    return lines


def _name(result: Result) -> str:
    assert result.experiment is not None
    return markdown_cell(result.experiment.name)


def _published(result: Result) -> str:
    assert result.experiment is not None
    if result.experiment.published is None:
        return ""
    on = f" ({result.experiment.device})" if result.experiment.device else ""
    return f"{result.experiment.published:.3g}{on}"


def _counts(results: Sequence[Result]) -> str:
    counts = {v: sum(r.verdict == v for r in results) for v in (REPRODUCED, NOT_REPRODUCED, OPPOSITE, INCONCLUSIVE)}
    return ", ".join(f"{n} {v}" for v, n in counts.items() if n)


def _effect(result: Result) -> str:
    assert result.found is not None
    ratio, lo, hi = result.found.ratios
    return f"{ratio:.3g}" if result.found.n == 0 else f"{ratio:.3g} ({lo:.3g} to {hi:.3g})"


def _paragraph(mine: Sequence[Result]) -> list[str]:
    finding = mine[0].finding
    text = [f"## {finding.id}", "", f"{finding.claim[:1].upper()}{finding.claim[1:]} ({finding.source})."]
    for backend in dict.fromkeys(r.backend for r in mine):
        here = [r for r in mine if r.backend == backend]
        head = here[0]
        assert head.experiment is not None
        told = _counts(here)
        where = f"On {backend}" if backend else "Counted"
        sentence = f"{where}: {head.experiment.name}: {_effect(head)}, {head.verdict}"
        text.append(f"{sentence}; of {len(here)} effects {told}." if len(here) > 1 else f"{sentence}.")
        text += list(split(here))
    if finding.note:
        text.append(finding.note)
    return [*text[:2], " ".join(text[2:])]


def split(results: Iterable[Result]) -> Iterable[str]:
    """Say of each experiment done with both sets of channels how much of the effect is padding and layout.

    The effect with the paper's channels is that with aligned channels times what padding and layout cost.
    """
    results = list(results)
    aligned = {
        r.experiment.name.removesuffix(", aligned"): r
        for r in results
        if r.experiment and r.experiment.channels == "aligned"
    }
    parts = []
    for r in results:
        if r.experiment is None or r.found is None or r.experiment.channels != "paper":
            continue
        other = aligned.get(r.experiment.name)
        if other is None or other.found is None or other.experiment is None or other.experiment.b == r.experiment.b:
            continue
        whole, left = r.found.log, other.found.log
        parts.append((abs(whole), math.exp(whole), math.exp(left), r))
    if not parts:
        return []
    _, whole, left, r = max(parts, key=lambda part: part[0])
    assert r.experiment is not None
    computed = "" if r.padding is None else f" (padding makes the runtime compute {r.padding:.2f} times the MACs)"
    if r.padding is not None and r.padding < 1.005:
        computed = " (the runtime pads nothing here: the cost is that of another layout)"
    return [
        f"Largest effect with the paper's channels ({r.experiment.name}): {whole:.2f}; with aligned channels "
        f"{left:.2f} remain, the other factor of {whole / left:.2f} is padding and layout{computed}."
    ]


def _rest(by_finding: dict[str, list[Result]]) -> list[str]:
    without = [f for f in catalog().values() if not f.runnable]
    missing = [f for f in catalog().values() if f.runnable and f.id not in by_finding]
    lines = ["## Not testable here", "", "| finding | claim | reason |", "| --- | --- | --- |"]
    lines += [f"| {f.id} | {markdown_cell(f.claim)} | {markdown_cell(f.reason)} |" for f in without]
    if missing:
        ids = ", ".join(f.id for f in missing)
        lines += ["", f"Not measured in this run, though `bench findings run` can: {ids}."]
    return lines
