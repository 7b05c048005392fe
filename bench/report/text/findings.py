"""The pages of findings: the answer first, then a page per paper in the order of its own tables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from bench.base.escape import markdown, markdown_cell, plain
from bench.findings.catalog import catalog
from bench.findings.conditions import KINDS
from bench.findings.evaluate import Result, distinct
from bench.findings.family import Expected
from bench.findings.own import PAIRS
from bench.findings.store import Evidence
from bench.findings.verdict import INCONCLUSIVE, STAYS, TRANSFERS, VERDICTS
from bench.report.causes import BETWEEN, CAUSES, Pair
from bench.report.text.papers import (
    effect_cell,
    is_ours,
    is_timed,
    is_varied,
    page_of,
    published_cell,
    sections,
    slug,
    verdict_counts,
)

UNTOLD = "not told"


def titles() -> list[str]:
    """Return the titles of all pages, in the catalogue's order."""
    return list(dict.fromkeys(page_of(finding) for finding in catalog().values()))


def page(results: Sequence[Result], evidence: Evidence, name: str = "findings.jsonl") -> str:
    """Return all of it as one page, for evidence of one's own."""
    parts = ["# Findings", "", machine(evidence, name), "", *totals(results), "", *by_device(results)]
    for title in titles():
        if any(page_of(r.finding) == title for r in results):
            parts += ["", f"## {title}", "", *sections(title, results, "###")]
    missing = [f.id for f in catalog().values() if f.runnable and all(r.finding.id != f.id for r in results)]
    if missing:
        parts += ["", f"Not measured in this run, though `bench findings run` can: {', '.join(missing)}."]
    return "\n".join(parts) + "\n"


def front(
    results: Sequence[Result],
    evidence: Evidence,
    name: str,
    pairs: Sequence[Pair],
    together: Sequence[Result],
    chances: Expected,
) -> str:
    """Return ``docs/findings.md``: the answer, two pictures, and where to read more.

    `together` are the headlines of the core set, judged so that all of them hold at once.
    """
    lines = ["# Do FLOPs tell the speed?", "", *answer(results, evidence, pairs, chances), ""]
    lines += [
        "![Measured over published effects on logarithmic axes, by the device they were published on: few marks lie on "
        "the diagonal.](img/findings-effects.svg)",
        "",
        "*Effects of published claims: here, over the published. Each is turned so that the published one is above 1; "
        "on the diagonal it is as large here, at 1 there is none, below 1 it goes the other way. One mark per "
        "measurement and device, with the interval of another run.*",
        "",
        "![Ten pairs of networks of equal MACs: the second takes up to several times as long as the first; bars show "
        "what the time is spent on.](img/findings-pairs.svg)",
        "",
        "*Ten pairs of networks within 10% MACs. Bars: time in ONNX Runtime, split by kernels timed alone; marks: the "
        "second network's time, the first one's taken as 1, in each runtime.*",
        "",
        "## Ten pairs of equal MACs",
        "",
        *pair_table(pairs),
        "",
        "## What became of the claims",
        "",
        *totals(results),
        "",
        *by_device(results),
        "",
        *by_page(results),
        "",
        "## The core set, all at once",
        "",
        *_together(together),
        "",
        machine(evidence, name),
        "",
        "How an effect is measured and graded, and what this evidence cannot tell: "
        "[findings-method.md](findings-method.md).",
    ]
    return "\n".join(lines) + "\n"


def paper(title: str, results: Sequence[Result], evidence: Evidence, name: str) -> str:
    """Return the page of one paper."""
    mine = [r for r in results if page_of(r.finding) == title]
    lines = [f"# {title}", "", machine(evidence, name), ""]
    lines += ["Verdicts: [findings-method.md](../findings-method.md); all papers: [findings.md](../findings.md).", "",
               *totals(mine), "", *sections(title, results, "##")]  # fmt: skip
    return "\n".join(lines) + "\n"


def answer(results: Sequence[Result], evidence: Evidence, pairs: Sequence[Pair], chances: Expected) -> list[str]:
    """Say the main result in five sentences, from what was measured."""
    once = [r for r in distinct(results) if is_timed(r)]
    measured = len({r.measurement for r in results if r.found is not None and r.backend})
    published = [r for r in once if not is_ours(r) and not is_varied(r)]
    claims = len({r.finding.id for r in results if r.found is not None and not is_ours(r)})
    backends = list(dict.fromkeys(r.backend for r in results if r.backend))
    told = [
        f"{measured} measurements on one core of {_cpu(evidence)} in {' and '.join(backends)}, fp32, against what "
        f"papers print in {claims} claims and tables: FLOPs do not tell the speed."
    ]
    if pairs:
        worst = max(pairs, key=lambda pair: max(abs(e.log) for e in pair.ratios.values()))
        off = sum(all(e.lo > math.log(1.1) or e.hi < -math.log(1.1) for e in pair.ratios.values()) for pair in pairs)
        told.append(
            f"Of {len(pairs)} pairs of networks within 10% MACs {off} differ by more than 10% in time in every "
            f"runtime; `{worst.b}` takes {_and(f'{math.exp(e.log):.2g}' for e in worst.ratios.values())} times as long "
            f"as `{worst.a}`."
        )
    counts = Counter(r.verdict for r in published)
    holds = sum(n for verdict, n in counts.items() if verdict.startswith(TRANSFERS))
    told.append(
        f"Of {len(published)} published effects on time, {sum(r.like for r in published) or 'none'} of which was "
        f"measured under the conditions of this machine, the direction transfers for {holds}, the size for "
        f"{counts[TRANSFERS]}; "
        f"{counts[STAYS]} do not transfer and {counts[INCONCLUSIVE]} are open."
    )
    told += _guideline(results)
    told.append(
        f"This is one shared virtual machine: of {chances.verdicts} verdicts another run on it would word "
        f"{chances.reworded:.0f} otherwise and turn {chances.contrary:.0f} into the contrary, and another machine more."
    )
    return [" ".join(told)]


def _guideline(results: Sequence[Result]) -> list[str]:
    g1 = [r for r in results if r.finding.id == "G1" and r.experiment and r.found]
    head = [r for r in g1 if r.headline]
    if not head or head[0].experiment is None:
        return []
    name = head[0].experiment.name
    aligned = [r for r in g1 if r.experiment and r.experiment.name == f"{name}, aligned"]
    here, left = ([f"{math.exp(r.found.log):.2f}" for r in rs if r.found] for rs in (head, aligned))
    return [
        f"ShuffleNet V2's guideline G1, 1x1 convolutions of 1:12 channels, cost {head[0].experiment.printed:.2f} times "
        f"the time on its GPU and {_and(here)} here, of which with channels in blocks of 16 {_and(left)} remain: the "
        "rest is padding and layout."
    ]


def _and(words: Iterable[str]) -> str:
    return " and ".join(words)


def machine(evidence: Evidence, name: str) -> str:
    """Say where, with what, and how often it was measured."""
    told = evidence.header["environment"]
    versions = sorted(
        {
            markdown(f"{replicate['backend']} {side['inspected']['effective']['version']}")
            for replicate in evidence.replicates
            for side in replicate["sides"].values()
            if "inspected" in side
        }
    )
    virtual = ", virtual machine" if told["hypervisor"] else ""
    return (
        f"Measured on {_cpu(evidence)}, {markdown(str(told['cores']))} cores{virtual}, {markdown(str(told['os']))}; "
        f"fp32, one thread unless it says two; {', '.join(versions)}; {len(evidence.replicates)} replicates, begun "
        f"{evidence.header['started_at'][:10]}; evidence: `{plain(name)}`."
    )


def _cpu(evidence: Evidence) -> str:
    told = evidence.header["environment"]
    return f"{markdown(str(told['cpu']))} ({markdown(str(told['microarchitecture']))})"


def totals(results: Sequence[Result]) -> list[str]:
    """Count what was measured, counted, and how it was judged; each measurement against each figure once."""
    once = distinct(results)
    counted = [r for r in once if not r.backend]
    measured = len({r.measurement for r in once if r.backend})
    timed = [r for r in once if r.backend and not is_ours(r)]
    own, varied = ([r for r in timed if is_varied(r) is v] for v in (False, True))
    ours = [r for r in once if r.backend and is_ours(r)]
    listed = sum(r.found is not None for r in results)
    lines = [f"{listed} effects are listed, from {measured} distinct measurements and {len(counted)} counts."]
    for what, rs in (
        ("Measured against published figures, each once", own),
        ("The same with aligned channels, larger maps or two threads", varied),
        ("Questions of our own", ours),
        ("Counted", counted),
    ):
        if rs:
            lines.append(f"{what}: {len(rs)}; {verdict_counts(rs)}.")
    return [" ".join(lines)]


def by_device(results: Sequence[Result]) -> list[str]:
    """Return a table of verdicts by the class of device that an effect was published on."""
    once = [r for r in distinct(results) if r.backend and not is_ours(r) and not is_varied(r)]
    present = [v for v in VERDICTS if any(r.verdict == v for r in once)]
    if not once:
        return []
    lines = [
        f"| published on | effects | {' | '.join(present)} |",
        f"| --- | ---: |{' ---: |' * len(present)}",
    ]
    for kind in (*KINDS, UNTOLD):
        mine = [r for r in once if ((r.there.kind if r.there else "") or UNTOLD) == kind]
        if mine:
            counts = Counter(r.verdict for r in mine)
            lines.append(f"| {kind} | {len(mine)} | {' | '.join(str(counts[v] or '') for v in present)} |")
    return lines


def by_page(results: Sequence[Result]) -> list[str]:
    """Return a table of the papers' pages with their headlines' verdicts."""
    lines = ["| paper | claims tested | effects | verdicts of the headlines |", "| --- | ---: | ---: | --- |"]
    for title in titles():
        mine = [r for r in results if page_of(r.finding) == title and r.found is not None]
        ids = {r.finding.id for r in mine}
        heads = verdict_counts([r for r in mine if r.headline])
        lines.append(f"| [{title}](findings/{slug(title)}.md) | {len(ids)} | {len(distinct(mine))} | {heads} |")
    return lines


def pair_table(pairs: Sequence[Pair]) -> list[str]:
    """Return latencies and ratios of the pairs, and the difference by cause, which adds up."""
    backends = list(dict.fromkeys(name for pair in pairs for name in pair.ratios))
    heads = [f"{name} ms | times" for name in backends]
    lines = [f"| networks | M MACs | {' | '.join(heads)} |", f"| --- | --- |{' --- | --- |' * len(backends)}"]
    for pair in pairs:
        cells = [f"`{pair.a}`, `{pair.b}`", f"{pair.macs[0]:.0f}, {pair.macs[1]:.0f}"]
        for name in backends:
            if name in pair.ratios:
                ratio, lo, hi = pair.ratios[name].ratios
                a, b = pair.ms[name]
                cells += [f"{a:.3g}, {b:.3g}", f"**{ratio:.2f}** ({lo:.2f} to {hi:.2f})"]
            else:
                cells += ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    split = [(pair, parts) for pair in pairs if (parts := pair.difference())]
    if split:
        shown = [cause for cause in CAUSES if any(abs(parts[cause]) >= 0.005 for _, parts in split)]
        lines += ["", "Where the difference goes, in times of the first network "
                  f"({split[0][0].split_on}); each line adds up to its last column:",
                  "", f"| networks | {' | '.join(shown)} | difference |",
                  f"| --- |{' ---: |' * (len(shown) + 1)}"]  # fmt: skip
        for pair, parts in split:
            figures = [f"{parts[cause]:+.2f}" for cause in shown]
            lines.append(f"| `{pair.a}`, `{pair.b}` | {' | '.join(figures)} | {math.fsum(parts.values()):+.2f} |")
        lines += ["", f"{BETWEEN.capitalize()} is what no kernel accounts for that was timed alone. Padding to blocks "
                  "of 16 channels is inside the convolutions. The other pairs' kernels were not timed."]  # fmt: skip
    return lines


def _together(results: Sequence[Result]) -> list[str]:
    """Return the headlines of the core set, judged at a family-wise level."""
    shown = [r for r in results if r.headline and r.found is not None and r.experiment]
    lines = [
        f"Headlines of G1 to G4, Table 8, PP-LCNet and the pairs, {len(shown)} effects, with intervals so wide that "
        "all hold together with 95% (Bonferroni):",
        "",
        "| finding | experiment | runtime | effect here | published | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in shown:
        assert r.experiment is not None
        where = f"findings/{slug(page_of(r.finding))}.md#{r.finding.id.lower()}"
        cells = (
            f"[{r.finding.id}]({where})",
            markdown_cell(r.experiment.name),
            markdown_cell(r.backend),
            effect_cell(r),
        )
        lines.append(f"| {' | '.join(cells)} | {published_cell(r)} | {r.verdict} |")
    return lines


def pairs_of(results: Iterable[Result]) -> list[Result]:
    """Return the results of the ten pairs."""
    return [r for r in results if r.finding.id == PAIRS]
