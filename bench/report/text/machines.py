"""The ten pairs of equal MACs on every runtime and machine, and where machines agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from bench.base.escape import markdown_cell
from bench.findings.evaluate import Result, distinct
from bench.findings.machines import DIRECTION, NEITHER, SAME, TURNED, agreements
from bench.report.causes import BETWEEN, CAUSES, DISPATCH, PADDING, Pair
from bench.report.text.papers import effect_cell, page_of, published_cell, slug
from bench.stats.ratio import Effect

WORDS = (SAME, DIRECTION, NEITHER, TURNED)
MEANINGS = {
    SAME: "their intervals meet",
    DIRECTION: "another size, the same direction",
    NEITHER: "an effect on one alone",
    TURNED: "slower on one, faster on the other",
}
PHRASES = {SAME: "agree", DIRECTION: "go one way at another size", NEITHER: "show on one alone", TURNED: "turn round"}


def pair_tables(pairs: Mapping[str, Sequence[Pair]]) -> list[str]:
    """Return ratios of the pairs on every runtime of every machine, then latencies and causes machine by machine."""
    pairs = {name: mine for name, mine in pairs.items() if mine}
    several = len(pairs) > 1
    columns = [(name, backend) for name, mine in pairs.items() for backend in _runtimes(mine)]
    heads = [f"{backend}, {name}" if several else backend for name, backend in columns]
    known = {(name, pair.a, pair.b): pair for name, mine in pairs.items() for pair in mine}
    order = {(pair.a, pair.b): pair for mine in pairs.values() for pair in mine}
    lines = ["How many times as long the second network takes, with the interval of another run:", "",
             f"| networks | M MACs | {' | '.join(heads)} |", f"| --- | --- |{' --- |' * len(heads)}"]  # fmt: skip
    for (a, b), pair in order.items():
        there = [known.get((name, a, b)) for name, _ in columns]
        cells = [_ratio(p.ratios.get(backend)) if p else "" for p, (_, backend) in zip(there, columns, strict=True)]
        lines.append(f"| `{a}`, `{b}` | {pair.macs[0]:.0f}, {pair.macs[1]:.0f} | {' | '.join(cells)} |")
    for name, mine in pairs.items():
        lines += ["", f"### Latency{f' on {name}' if several else ''}", "", *_latencies(mine)]
        lines += ["", f"### Where the difference goes{f' on {name}' if several else ''}", "", *_differences(mine)]
    return lines


def _runtimes(pairs: Sequence[Pair]) -> list[str]:
    return list(dict.fromkeys(backend for pair in pairs for backend in pair.ratios))


def _ratio(effect: Effect | None) -> str:
    if effect is None:
        return ""
    ratio, lo, hi = effect.ratios
    return f"**{ratio:.2f}** ({lo:.2f} to {hi:.2f})"


def _latencies(pairs: Sequence[Pair]) -> list[str]:
    backends = _runtimes(pairs)
    lines = [f"| ms | {' | '.join(backends)} |", f"| --- |{' --- |' * len(backends)}"]
    for pair in pairs:
        cells = (f"{pair.ms[b][0]:.3g}, {pair.ms[b][1]:.3g}" if b in pair.ms else "" for b in backends)
        lines.append(f"| `{pair.a}`, `{pair.b}` | {' | '.join(cells)} |")
    return lines


def _differences(pairs: Sequence[Pair]) -> list[str]:
    split = [(pair, backend, parts) for pair in pairs for backend in pair.ratios if (parts := pair.difference(backend))]
    if not split:
        return ["Not told: nothing was profiled, and no kernels were timed."]
    shown = [cause for cause in CAUSES if any(abs(parts[cause]) >= 0.005 for _, _, parts in split)]
    lines = ["In times of the first network; the causes of each line add up to its difference, up to rounding.", "",
             f"| networks | runtime | difference | {' | '.join(shown)} |",
             f"| --- | --- |{' ---: |' * (len(shown) + 1)}"]  # fmt: skip
    for pair, backend, parts in split:
        figures = [f"{parts[cause]:+.2f}" for cause in shown]
        whole = math.fsum(parts.values())
        lines.append(f"| `{pair.a}`, `{pair.b}` | {backend} | {whole:+.2f} | {' | '.join(figures)} |")
    notes = []
    if BETWEEN in shown:
        notes.append(f"{BETWEEN.capitalize()} is what no kernel accounts for that was timed alone; padding to blocks "
                     "of 16 channels is inside the convolutions. A profile splits otherwise: they cannot be "
                     "compared term by term.")  # fmt: skip
    if DISPATCH in shown:
        notes.append(f"{DISPATCH.capitalize()} is what no operator of a profile accounts for, of either sign by error; "
                     "memory is inside the operators.")  # fmt: skip
    if PADDING in shown:
        notes.append(f"{PADDING.capitalize()} is a convolution's time times the part of its MACs that are of padding, "
                     "where a runtime tells it (ONNX Runtime).")  # fmt: skip
    untold = [b for b in _runtimes(pairs) if not any(backend == b for _, backend, _ in split)]
    if untold:
        notes.append(f"Not told: {', '.join(untold)}, of which no profile was taken.")
    missing = sum(not pair.splits for pair in pairs)
    if missing:
        notes.append(f"Of the other {missing} pairs the time was not split.")
    return [*lines, "", " ".join(notes)]


def agree_words(results: Sequence[Result]) -> str:
    """Say of how many effects machines agree."""
    counts = Counter(agreements(distinct(results)).values())
    told = ", ".join(f"{counts[word]} {PHRASES[word]}" for word in WORDS if counts[word])
    return f"of {sum(counts.values())} effects that several machines have, {told}" if counts else "no effect is on two"


def between(results: Sequence[Result]) -> list[str]:
    """Say where machines agree: counts, a picture, and every headline that differs; nothing of one machine alone."""
    found = agreements(distinct(results))
    if not found:
        return []
    counts = Counter(found.values())
    told = "; ".join(f"{counts[word]} {word} ({MEANINGS[word]})" for word in WORDS if counts[word])
    lines = ["## Machines side by side", "", f"{len(found)} effects were measured on several machines: {told}.", "",
             "![Effects on one machine over those on another, logarithmic: most marks lie along the diagonal.]"
             "(img/findings-machines.svg)", "",
             "*The same effect on both machines, with the interval of another run. On the diagonal they are equal; in "
             "the upper left and the lower right quarter one is slower where the other is faster.*", ""]  # fmt: skip
    heads: dict[tuple[str, str, str], list[Result]] = {}
    for r in results:
        key = (r.finding.id, r.experiment.name if r.experiment else "", r.backend)
        if r.headline and found.get(key, SAME) in (NEITHER, TURNED):
            heads.setdefault(key, []).append(r)
    machines = list(dict.fromkeys(r.machine for rs in heads.values() for r in rs))
    if heads:
        lines += ["Headlines that differ:", "",
                  f"| finding | experiment | runtime | published | {' | '.join(machines)} | machines |",
                  f"| --- | --- | --- | --- |{' --- |' * len(machines)} --- |"]  # fmt: skip
        for key, rs in heads.items():
            mine = {r.machine: effect_cell(r) for r in rs}
            first = rs[0]
            where = f"[{key[0]}](findings/{slug(page_of(first.finding))}.md#{key[0].lower()})"
            cells = [where, markdown_cell(key[1]), key[2], published_cell(first), *(mine.get(m, "") for m in machines)]
            lines.append(f"| {' | '.join([*cells, found[key]])} |")
        lines.append("")
    return lines
