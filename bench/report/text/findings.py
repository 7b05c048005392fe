"""The pages of findings: the answer first, then a page per paper in the order of its own tables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.base.escape import markdown, markdown_cell, plain
from bench.findings.catalog import catalog
from bench.findings.conditions import KINDS
from bench.findings.evaluate import Result, distinct
from bench.findings.family import Expected
from bench.findings.own import PAIRS
from bench.findings.store import Evidence
from bench.findings.verdict import INCONCLUSIVE, STAYS, TRANSFERS, VERDICTS
from bench.report.causes import Pair
from bench.report.elsewhere import summary
from bench.report.text.machines import agree_words, between, pair_tables
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


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with its evidence: what it is called, the file, its pairs of equal MACs, and what another run may do.

    `chances` are of its distinct verdicts.
    """

    name: str
    file: str
    evidence: Evidence
    pairs: Sequence[Pair]
    chances: Expected


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
        "measurement and device, with the interval of another run.*",
        "",
        "![Ten pairs of networks of equal MACs: the second takes up to several times as long as the first; bars show "
        "what the time is spent on.](img/findings-pairs.svg)",
        "",
        f"*Ten pairs of networks within 10% MACs{_drawn(machines)}. Bars: time in ONNX Runtime, split by what it is "
        "spent on; marks: the second network's time, the first one's taken as 1, in each runtime.*",
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


def answer(results: Sequence[Result], machines: Sequence[Machine]) -> list[str]:
    """Say the main result in five sentences, from what was measured."""
    once = [r for r in distinct(results) if is_timed(r)]
    published = [r for r in once if not is_ours(r) and not is_varied(r)]
    claims = len({r.finding.id for r in results if r.found is not None and not is_ours(r)})
    several = len(machines) > 1
    parts = []
    for m in machines:
        mine = [r for r in results if r.backend and r.machine in ("", m.name)]
        measured = len({r.measurement for r in mine if r.found is not None})
        runtimes = _and(list(dict.fromkeys(r.backend for r in mine)))
        parts.append(f"{measured} measurements on one core of {_cpu(m.evidence)} in {runtimes}")
    told = [
        f"{_and(parts)}, fp32, against what papers print in {claims} claims and tables: FLOPs do not tell the speed."
    ]
    told += _pair_sentence(machines)
    counts = Counter(r.verdict for r in published)
    holds = sum(n for verdict, n in counts.items() if verdict.startswith(TRANSFERS))
    told.append(
        f"Of {len(published)} published effects on time{', counted once per machine,' if several else ','} "
        f"{sum(r.like for r in published) or 'none'} of which was measured under the conditions of "
        f"{'these machines' if several else 'this machine'}, the direction transfers for {holds}, the size for "
        f"{counts[TRANSFERS]}; {counts[STAYS]} do not transfer and {counts[INCONCLUSIVE]} are open."
    )
    told += _guideline(results)
    verdicts, reworded, contrary = (
        sum(getattr(m.chances, name) for m in machines) for name in ("verdicts", "reworded", "contrary")
    )
    again = f"of {verdicts} verdicts another run {'there' if several else 'on it'} would word {reworded:.0f} otherwise"
    again += f" and turn {contrary:.0f} into the contrary"
    if several:
        told.append(f"These are shared virtual machines: {again}; {agree_words(results)}.")
    else:
        told.append(f"This is one shared virtual machine: {again}, and another machine more.")
    return [" ".join(told)]


def _pair_sentence(machines: Sequence[Machine]) -> list[str]:
    """Say how many pairs differ in every runtime, on every machine that has them, and by how much the worst does."""
    ratios: dict[tuple[str, str], list[float]] = {}
    differ: dict[tuple[str, str], bool] = {}
    for pair in (pair for m in machines for pair in m.pairs):
        key = (pair.a, pair.b)
        ratios.setdefault(key, []).extend(effect.log for effect in pair.ratios.values())
        off = all(e.lo > math.log(1.1) or e.hi < -math.log(1.1) for e in pair.ratios.values())
        differ[key] = differ.get(key, True) and off
    if not ratios:
        return []
    worst = max(ratios, key=lambda key: max(map(abs, ratios[key])))
    times = sorted(math.exp(log) for log in ratios[worst])
    span = f"{times[0]:.2g} to {times[-1]:.2g}" if len(times) > 2 else _and([f"{t:.2g}" for t in reversed(times)])
    machine = " on every machine" if len(machines) > 1 else ""
    return [
        f"Of {len(ratios)} pairs of networks within 10% MACs {sum(differ.values())} differ by more than 10% in time in "
        f"every runtime{machine}; `{worst[1]}` takes {span} times as long as `{worst[0]}`."
    ]


def _guideline(results: Sequence[Result]) -> list[str]:
    g1 = [r for r in results if r.finding.id == "G1" and r.experiment and r.found]
    head = [r for r in g1 if r.headline]
    if not head or head[0].experiment is None:
        return []
    name = head[0].experiment.name
    aligned = [r for r in g1 if r.experiment and r.experiment.name == f"{name}, aligned"]
    here, left = (sorted(math.exp(r.found.log) for r in rs if r.found) for rs in (head, aligned))
    return [
        f"ShuffleNet V2's guideline G1, 1x1 convolutions of 1:12 channels, cost {head[0].experiment.printed:.2f} times "
        f"the time on its GPU and {_span(here)} here, of which with channels in blocks of 16 {_span(left)} remain: the "
        "rest is padding and layout."
    ]


def _span(values: Sequence[float]) -> str:
    told = [f"{value:.2f}" for value in values]
    return f"{told[0]} to {told[-1]}" if len(told) > 2 else _and(list(reversed(told)))


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


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
    lines = ["| paper | claims tested | effects | verdicts of the headlines |", "| --- | ---: | ---: | --- |"]
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
