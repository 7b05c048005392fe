"""What the data say, in plain words: the sentence at the top, and what was put together to draw the rest."""

from __future__ import annotations

from collections import Counter

from bench.base.words import counted, verb
from bench.findings.evaluate import distinct
from bench.findings.finding import OURS
from bench.findings.verdict import VERDICTS
from bench.report.html.cases import MOST, CaseRow, usual
from bench.report.html.data import Data
from bench.report.html.pairs import MOST_DRAWN, MOST_INVERSIONS
from bench.rows import identity


def headline(data: Data) -> str:
    """Say the main result in a sentence or two, from what there is."""
    inverted = data.inverted
    if inverted.worst is not None:
        worst = inverted.worst
        where = f" ({worst.setting})" if inverted.settings > 1 else ""
        return (
            f"Of {counted(inverted.near, 'pair')} of networks within 10% MACs, {inverted.certain} "
            f"{verb(inverted.certain, 'is', 'are')} inverted beyond doubt: no more MACs, yet slower. The worst: "
            f"{worst.slow.model} takes {worst.ratio:.2f} times as long as {worst.fast.model}, "
            f"at {worst.slow.macs / 1e6:.0f} against {worst.fast.macs / 1e6:.0f} M MACs{where}."
        )
    measured = [row for row in data.cases.rows if row.measured]
    if measured:
        fastest = min(measured, key=lambda row: row.latency_ms or 0)
        pairs = (
            f" None of {counted(inverted.near, 'pair')} within 10% MACs is inverted beyond doubt."
            if inverted.near
            else ""
        )
        told = f"the fastest is {fastest.label} at {fastest.latency_ms:.3g} ms"
        return f"{counted(len(measured), 'case')} measured; {told}.{pairs}"
    effects = [r for r in distinct(data.findings) if r.experiment and r.experiment.origin != OURS]
    if effects:
        counts = Counter(r.verdict for r in effects)
        told = ", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v])
        return f"Of {counted(len(effects), 'effect')} that papers claim: {told}."
    if data.profiles:
        slowest = data.profiles[-1]
        name, _, _, ms, _ = slowest.parts[0]
        return f"{slowest.name} takes {slowest.latency_ms:.3g} ms, {ms / slowest.latency_ms:.0%} of it in {name}."
    return "No case here has a latency that may be believed."


def lead(data: Data) -> list[str]:
    """Say what was read, what is the same of all cases, and what was left out or put together."""
    shown = data.cases
    if not shown.rows:
        return []
    counts = Counter(row.status for row in shown.rows)
    statuses = ", ".join(f"{n} {status}" for status, n in counts.most_common())
    rows, runs = counted(shown.frame_rows, "row"), counted(data.runs.found, "run")
    said = f"{counted(shown.found, 'case')} from {rows} of {runs}"
    told = [f"{said}: {statuses}. {_same(shown.rows)}"]
    if common := usual(shown.rows):
        told.append(f"Where the name of a setting does not say otherwise: {', '.join(common)}.")
    if shown.found < shown.frame_rows:
        told.append("Of a case that was measured several times, charts show the newest row; history has them all.")
    if shown.sampled:
        told.append(
            f"{shown.found:,} cases are more than a page draws: these are {len(shown.rows):,} of them, evenly taken in "
            f"the order of MACs (at most {MOST:,}). Name fewer files to see all."
        )
    if data.inverted.found > MOST_DRAWN:
        kept = min(MOST_INVERSIONS, data.inverted.found)
        told.append(
            f"Of {data.inverted.found:,} inversions the {kept:,} largest are kept, "
            f"and the {MOST_DRAWN} largest that pass the filter are drawn."
        )
    if data.nights.left_out:
        told.append(f"{data.nights.left_out:,} series over the nights in which nothing moved are left out.")
    return told


def _same(rows: tuple[CaseRow, ...]) -> str:
    """Say what all cases have in common."""
    words = {"threads": "{} threads", "batch": "batch {}", "pace_ms": "paced every {} ms"}
    common = []
    for i, name in enumerate(identity.setting()):
        values = {row.setting[i] for row in rows}
        if name not in ("arch", "cpu_id", "mode") and len(values) == 1 and (value := values.pop()):
            told = words[name].format(value) if name in words else identity.told(name, value)
            common.append(counted(1, "thread") if told == "1 threads" else told)
    return f"All: {', '.join(common)}." if common else ""
