"""What `bench ab` says in a comment under a change."""

from __future__ import annotations

from collections.abc import Sequence

from bench.base.escape import markdown as escaped
from bench.plan.protocol import LATENCY
from bench.report.text.compare import MARKS
from bench.report.text.print import markdown_table
from bench.stats.verdict import Verdict


def markdown(
    names: Sequence[str],
    figures: Sequence[float],
    verdict: Verdict,
    confirmed: bool | None,
    caution: Sequence[str] = (),
    mode: str = LATENCY,
) -> str:
    """Lay the verdict on B against A out in Markdown: what was decided, both sides, and what to think of it.

    `names` and `figures` (ms, in mode throughput samples/s) are those of A and B. `confirmed` says what fresh pairs
    found where the first ones said slower, and is None where none were asked for. `caution` says what to think of it, a
    line each.
    """
    change, lo, hi = (f"{ratio - 1:+.1%}" for ratio in (verdict.ratio, verdict.lo, verdict.hi))
    title, unit = ("Latency", "median ms") if mode == LATENCY else ("Time per sample", "samples/s")
    sides = [
        {"": side, unit: f"{figure:.4g}", "case": name} for side, figure, name in zip("AB", figures, names, strict=True)
    ]
    told = f"**B is {MARKS.get(verdict.verdict, '')}{verdict.verdict}**: {change}, 95% interval {lo} to {hi}"
    lines = [f"### {title}, B against A", "", f"{told}, {verdict.pairs} pairs of processes in turns", ""]
    lines += markdown_table(sides)
    if confirmed is not None:
        again = "confirmed it" if confirmed else "did not confirm it, and decide alone"
        lines += ["", escaped(f"The first pairs said slower; fresh ones {again}.")]
    for line in caution:
        lines += ["", escaped(line[0].upper() + line[1:] + ".")]
    return "\n".join(lines)
