"""The pages of findings: the answer first, then a page per paper in the order of its own tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from bench.base.escape import markdown, markdown_cell, plain
from bench.findings.catalog import catalog
from bench.findings.conditions import KINDS
from bench.findings.evaluate import Result, distinct
from bench.findings.own import PAIRS
from bench.findings.store import Evidence
from bench.findings.verdict import VERDICTS
from bench.report.elsewhere import summary
from bench.report.text.answer import Machine, answer, cpu_of
from bench.report.text.machines import between, pair_tables
from bench.report.text.papers import (
    effect_cell,
    is_ours,
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


def front(results: Sequence[Result], machines: Sequence[Machine], together: Sequence[Result]) -> str:
    """Return ``docs/findings.md``: the answer, two pictures, and where to read more.

    `results` are those of all machines, each naming its own where there are several. `together` are the headlines of
    the core set, judged so that all of them of a machine hold at once.
    """
    lines = ["# Do FLOPs tell the speed?", "", *answer(results, machines), ""]
    lines += [
        "![Measured over published effects on logarithmic axes, by the device they were published on: few marks lie on "
        "the diagonal.](img/findings-effects.svg)",
        "",
        "*Effects of published claims: here, over the published. Each is turned so that the published one is above 1; "
        "on the diagonal it is as large here, at 1 there is none, below 1 it goes the other way. One mark per "
        f"measurement and device, with the interval of another run{_filled(machines)}.*",
        "",
        "![Ten pairs of networks of equal MACs: the second takes up to several times as long as the first; bars show "
        "what the time is spent on.](img/findings-pairs.svg)",
        "",
        f"*Ten pairs of networks within 10% MACs{_drawn(machines)}. Bars: time in ONNX Runtime, split by what it is "
        "spent on; marks: the second network's time, the first one's taken as 1, a line for each runtime.*",
        "",
        "Why a guideline fails here, with an experiment per explanation: [findings-why.md](findings-why.md).",
        "",
        "## Ten pairs of equal MACs",
        "",
        *pair_tables({m.name: m.pairs for m in machines}),
        "",
        *between(results),
        *summary(results, link),
        "## What became of the claims",
        "",
        *(line for m in machines for line in (_totals_of(results, m, len(machines)), "")),
        *by_device(results),
        "",
        *by_page(results),
        "",
        "## The core set, all at once",
        "",
        *_together(together),
        "",
        *(line for m in machines for line in (machine(m.evidence, m.file), "")),
        "How an effect is measured and graded, and what this evidence cannot tell: "
        "[findings-method.md](findings-method.md).",
    ]
    return "\n".join(lines) + "\n"


def _filled(machines: Sequence[Machine]) -> str:
    if len(machines) < 2:
        return ""
    return f"; filled: {machines[0].name}, hollow: {', '.join(m.name for m in machines[1:])}"


def _drawn(machines: Sequence[Machine]) -> str:
    return f" on {drawn(machines).name}" if len(machines) > 1 else ""


def drawn(machines: Sequence[Machine]) -> Machine:
    """Return the machine whose pairs are drawn: the one that knows most of what their time is spent on."""
    return max(machines, key=lambda m: (sum(len(pair.splits) for pair in m.pairs), len(m.pairs)))


def _totals_of(results: Sequence[Result], m: Machine, of: int) -> str:
    if of == 1:
        return " ".join(totals(results))
    return f"**{m.name}**: {' '.join(totals([r for r in results if r.machine in ('', m.name)]))}"


def paper(title: str, results: Sequence[Result], machines: Sequence[Machine]) -> str:
    """Return the page of one paper."""
    mine = [r for r in results if page_of(r.finding) == title]
    lines = [f"# {title}", "", *(line for m in machines for line in (machine(m.evidence, m.file), ""))]
    lines += ["Verdicts: [findings-method.md](../findings-method.md); all papers: [findings.md](../findings.md).", "",
               *totals(mine), "", *sections(title, results, "##", elsewhere=True)]  # fmt: skip
    return "\n".join(lines) + "\n"


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
        f"Measured on {cpu_of(evidence)}, {markdown(str(told['cores']))} cores{virtual}, {markdown(str(told['os']))}; "
        f"fp32, one thread unless it says two; {', '.join(versions)}; {len(evidence.replicates)} replicates, begun "
        f"{evidence.header['started_at'][:10]}; evidence: `{plain(name)}`."
    )


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
    """Return a table of verdicts by the class of device that an effect was published on, and by machine."""
    once = [r for r in distinct(results) if r.backend and not is_ours(r) and not is_varied(r)]
    present = [v for v in VERDICTS if any(r.verdict == v for r in once)]
    if not once:
        return []
    machines = list(dict.fromkeys(r.machine for r in once))
    here = " here |" if len(machines) > 1 else ""
    lines = [
        f"| published on |{here} effects | {' | '.join(present)} |",
        f"| --- |{' --- |' if here else ''} ---: |{' ---: |' * len(present)}",
    ]
    for kind in (*KINDS, UNTOLD):
        for name in machines:
            mine = [r for r in once if ((r.there.kind if r.there else "") or UNTOLD) == kind and r.machine == name]
            if mine:
                counts = Counter(r.verdict for r in mine)
                cells = " | ".join(str(counts[v] or "") for v in present)
                lines.append(f"| {kind} |{f' {name} |' if here else ''} {len(mine)} | {cells} |")
    return lines


def by_page(results: Sequence[Result]) -> list[str]:
    """Return a table of the papers' pages with their headlines' verdicts."""
    where = ", of every machine" if any(r.machine for r in results) else ""
    lines = [f"| paper | claims tested | effects | verdicts of the headlines{where} |", "| --- | ---: | ---: | --- |"]
    for title in titles():
        mine = [r for r in results if page_of(r.finding) == title and r.found is not None]
        ids = {r.finding.id for r in mine}
        heads = verdict_counts([r for r in mine if r.headline])
        lines.append(f"| [{title}](findings/{slug(title)}.md) | {len(ids)} | {len(distinct(mine))} | {heads} |")
    return lines


def _together(results: Sequence[Result]) -> list[str]:
    """Return the headlines of the core set, judged at a family-wise level."""
    shown = [r for r in results if r.headline and r.found is not None and r.experiment]
    lines = [
        f"Headlines of G1 to G4, Table 8, PP-LCNet and the pairs, {len(shown)} effects, with intervals so wide that "
        f"all{' of a machine' if any(r.machine for r in shown) else ''} hold together with 95% (Bonferroni):",
        "",
        "| finding | experiment | runtime | effect here | published | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in shown:
        assert r.experiment is not None
        cells = (
            link(r),
            markdown_cell(r.experiment.name),
            markdown_cell(r.where),
            effect_cell(r),
        )
        lines.append(f"| {' | '.join(cells)} | {published_cell(r)} | {r.verdict} |")
    return lines


def link(r: Result) -> str:
    """Return a link from the front page to where a finding stands."""
    return f"[{r.finding.id}](findings/{slug(page_of(r.finding))}.md#{r.finding.id.lower()})"


def pairs_of(results: Iterable[Result]) -> list[Result]:
    """Return the results of the ten pairs."""
    return [r for r in results if r.finding.id == PAIRS]
