"""A paper's page: a section per finding, in the order of the paper's own tables, each runtime in columns of its own."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields

from bench.base.escape import markdown, markdown_cell
from bench.findings.catalog import catalog
from bench.findings.conditions import Conditions
from bench.findings.evaluate import Result
from bench.findings.finding import OURS, PRINTED, TIME, Finding
from bench.findings.machines import agreements
from bench.findings.verdict import VERDICTS
from bench.report.elsewhere import devices

Agreements = dict[tuple[str, str, str], str]
CHANNELS = {"paper": "the paper's", "both": "the paper's, aligned"}
# Claims that are quoted elsewhere stand on the page of the network they speak of.
PAGE_OF = {
    "tensorflow/models README": "MobileNet v3",
    "GhostNet authors": "GhostNet",
    "SqueezeNet repo": "SqueezeNet",
    "derived": "SqueezeNet",
    "timm (derived)": "timm and Keras",
    "Keras Applications (derived)": "timm and Keras",
    "isoflops": "Equal MACs",
}


def page_of(finding: Finding) -> str:
    """Return the title of the page that a finding stands on."""
    return PAGE_OF.get(finding.paper, finding.paper)


def slug(title: str) -> str:
    """Return the name of a page's file, without its ending."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def sections(title: str, results: Sequence[Result], level: str, elsewhere: bool = False) -> list[str]:
    """Return a section per finding of a page, then what of the paper cannot be tested here.

    With `elsewhere` each says on how many published devices its claims hold, too.
    """
    lines: list[str] = []
    agree = agreements(results)
    by_finding: dict[str, list[Result]] = {}
    for r in results:
        if page_of(r.finding) == title and r.experiment is not None and r.found is not None:
            by_finding.setdefault(r.finding.id, []).append(r)
    for mine in by_finding.values():
        lines += [
            f"{level} {mine[0].finding.id}",
            "",
            *_section(mine, agree),
            *(devices(mine) if elsewhere else ()),
            "",
        ]
    silent = [f for f in catalog().values() if page_of(f) == title and not f.runnable]
    failed = [r for r in results if page_of(r.finding) == title and r.experiment and r.found is None]
    if silent or failed:
        lines += [f"{level} Not testable here", "", "| finding | claim | reason |", "| --- | --- | --- |"]
        lines += [f"| {f.id} | {markdown_cell(f.claim)} | {markdown_cell(f.reason)} |" for f in silent]
        lines += [
            f"| {r.finding.id} | {markdown_cell(r.experiment.name)} in {markdown_cell(r.where)} "
            f"| {markdown_cell(r.reason)} |"
            for r in failed
            if r.experiment
        ]
        lines.append("")
    return lines[:-1]


def _section(mine: Sequence[Result], agree: Agreements) -> list[str]:
    finding = mine[0].finding
    text = [f"{finding.claim[:1].upper()}{finding.claim[1:]} ({finding.source})."]
    heads: dict[str, list[Result]] = {}
    for r in mine:
        if r.headline and r.experiment is not None:
            heads.setdefault(r.experiment.name, []).append(r)
    for name, rs in heads.items():
        said = [f"{effect_cell(r)}{f' in {r.where}' if r.where else ''}, {r.verdict}" for r in rs]
        text.append(f"Headline, {name}: {'; '.join(said)}.")
    text += list(split(mine))
    if finding.note:
        text.append(finding.note)
    lines = [" ".join(text)]
    groups: dict[tuple[str, str], list[Result]] = {}
    for r in mine:
        device = r.experiment.device if r.experiment else ""
        groups.setdefault((device, str(r.there) if r.there else ""), []).append(r)
    for (device, there), rs in groups.items():
        lines += ["", _conditions(device, there, rs), "", *_table(rs, agree)]
    odd = list(dict.fromkeys(r.replica for r in mine if r.replica))
    if odd:
        lines += ["", f"≈: an approximate replica, more than 5% off the printed MACs ({'; '.join(odd)})."]
    return lines


def _conditions(device: str, there: str, rs: Sequence[Result]) -> str:
    if not there:
        return "Counted, not measured."
    mine = [r.here for r in rs if r.here]
    joined = (" / ".join(dict.fromkeys(getattr(one, f.name) for one in mine)) for f in fields(Conditions))
    here = str(Conditions(*joined))
    if all(is_ours(r) for r in rs):
        return f"Here: {markdown(here)}. Nothing is published."
    return f"Here: {markdown(here)}. Published: {f'{markdown(device)}, ' if device else ''}{markdown(there)}."


def _table(rs: Sequence[Result], agree: Agreements) -> list[str]:
    """Return a row per experiment, with effect and verdict of each runtime beside each other.

    Of several machines each runtime has a column, and the last one says of each runtime whether they agree.
    """
    columns = list(dict.fromkeys((r.backend, r.machine) for r in rs))
    several = len({machine for _, machine in columns}) > 1 or any(machine for _, machine in columns)
    channels = any(r.experiment and r.experiment.channels for r in rs)
    macs = any(r.macs and None not in r.macs for r in rs)
    head = ["experiment", *(["channels"] if channels else []), *(["M MACs, both"] if macs else []), "published"]
    if several:
        head += [f"{backend}, {machine}" for backend, machine in columns] + ["machines"]
    else:
        head += [cell for backend, _ in columns for cell in (backend or "counted", "verdict")]
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    rows: dict[str, dict[tuple[str, str], Result]] = {}
    for r in rs:
        if r.experiment is not None:
            rows.setdefault(r.experiment.name, {})[r.backend, r.machine] = r
    for name, found in rows.items():
        first = next(iter(found.values()))
        assert first.experiment is not None
        title = f"**{markdown_cell(name)}**" if first.headline else markdown_cell(name)
        cells = [f"{title}{' ≈' if first.replica else ''}"]
        if channels:
            cells.append(CHANNELS.get(first.experiment.channels, first.experiment.channels))
        if macs:
            cells.append(_macs(first))
        cells.append(published_cell(first))
        for column in columns:
            told = [effect_cell(found[column]), found[column].verdict] if column in found else ["", ""]
            cells += ["<br>".join(filter(None, told))] if several else told
        if several:
            words = {b: agree.get((first.finding.id, name, b), "") for b, _ in columns}
            cells.append("<br>".join(f"{b}: {word}" for b, word in words.items() if word))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _macs(r: Result) -> str:
    """Return the MACs of both sides, A first, and what the paper prints where that is another figure."""
    told = []
    for here, printed in zip(r.macs, r.printed_macs, strict=True):
        digits = "" if here is None else f"{here:.3g}" if here < 100 else f"{here:.0f}"
        off = printed is not None and here is not None and abs(printed / here - 1) > 0.01
        told.append(f"{digits} (printed {printed:g})" if off else digits)
    return ", ".join(told)


def published_cell(r: Result) -> str:
    """Return the published effect and where it comes from; a direction alone in a word."""
    e = r.experiment
    if e is None or e.origin == OURS:
        return ""
    if e.printed is None:
        return "slower" if e.direction > 0 else "faster"
    return f"{e.printed:.3g}" + ("" if e.origin == PRINTED else f", {e.origin}")


def effect_cell(r: Result) -> str:
    """Return an effect with its interval."""
    assert r.found is not None
    ratio, lo, hi = r.found.ratios
    return f"{ratio:.3g}" if r.found.n == 0 else f"{ratio:.3g} ({lo:.3g} to {hi:.3g})"


def verdict_counts(results: Sequence[Result]) -> str:
    """Count verdicts, in words."""
    counts = Counter(r.verdict for r in results)
    return ", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v])


def is_timed(r: Result) -> bool:
    """Tell whether it is about time."""
    return r.experiment is not None and r.experiment.quantity == TIME


def is_ours(r: Result) -> bool:
    """Tell whether nobody published anything of it."""
    return r.experiment is not None and r.experiment.origin == OURS


def is_varied(r: Result) -> bool:
    """Tell whether the experiment varies that of its paper."""
    return r.experiment is not None and r.experiment.varied


def split(results: Iterable[Result]) -> Iterable[str]:
    """Say of each experiment done with both sets of channels how much of the effect is padding and layout.

    The effect with the paper's channels is that with aligned channels times what padding and layout cost.
    """
    results = list(results)
    aligned = {
        (r.experiment.name.removesuffix(", aligned"), r.backend, r.machine): r
        for r in results
        if r.experiment and r.experiment.channels == "aligned"
    }
    parts = []
    for r in results:
        if r.experiment is None or r.found is None or r.experiment.channels != "paper":
            continue
        other = aligned.get((r.experiment.name, r.backend, r.machine))
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
    where = f" in {r.where}" if r.where else ""
    return [
        f"Largest effect with the paper's channels ({r.experiment.name}{where}): {whole:.2f}; with aligned channels "
        f"{left:.2f} remain, the other factor of {whole / left:.2f} is padding and layout{computed}."
    ]
