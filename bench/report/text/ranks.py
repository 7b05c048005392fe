"""The analysis of rows as tables, CSV or JSON."""

from __future__ import annotations

from dataclasses import asdict

import click

from bench.base.errors import clip
from bench.base.words import counted, verb
from bench.findings.ranks import Analysis, Inversion
from bench.report.text.print import print_json, print_records
from bench.stats.ranks import Correlation

MOST_TURNS = 10  # pairs that are named


def print_rows(found: Analysis, top: int, format: str) -> None:
    """Print correlations, inversions and reorderings; CSV has the inversions, JSON everything."""
    if format == "json":
        print_json(record(found))
        return
    inversions = [inversion_record(one) for one in found.inversions]
    if format == "csv":
        print_records(inversions, "csv")
        return
    click.echo("How well each count predicts the order of latency (rank correlation, 95% interval):")
    print_records([{"setting": p.setting, "by": p.by} | _cells(p.correlations) for p in found.proxies], "table")
    certain = sum(one.certain for one in found.inversions)
    click.echo(
        f"\nInverted (no more MACs, yet slower): {len(found.inversions)} of {counted(found.near, 'pair')} within 10% "
        f"MACs, {certain} of them beyond doubt (95%)."
    )
    if top and inversions:
        print_records(inversions[:top], "table")
    if top and found.extremes:
        pairs = counted(len(found.extremes), "pair")
        click.echo(f"\nFurther apart in MACs, and yet inverted beyond doubt ({pairs}, furthest first):")
        print_records([inversion_record(one) for one in found.extremes[:top]], "table")
    if found.reorderings:
        click.echo("\nHow far the order by latency is the same:")
        print_records(
            [
                {"a": r.a, "b": r.b, "networks": r.networks, "moved": r.moved} | _cells(r.correlations)
                for r in found.reorderings
            ],
            "table",
        )
    for line in sustained(found):
        click.echo(line)
    for note in found.notes:
        click.echo(note, err=True)


def sustained(found: Analysis) -> list[str]:
    """Say of every setting that was kept going whether the order of its networks changed."""
    lines = []
    for one in found.sustained:
        sure = [turn for turn in one.turns if turn.certain]
        open_ = len(one.turns) - len(sure)
        head = f"\nKept going ({clip(one.setting, 80)}): of {counted(one.networks, 'network')} "
        certain = f"{counted(len(sure), 'pair')} {verb(len(sure), 'changes', 'change')}" if sure else "no pair changes"
        perhaps = f" places beyond doubt{f', {open_} perhaps' if open_ else ''}"
        lines.append(f"{head}{certain}{perhaps}, from the first minute to the settled state.")
        lines += [
            f"  {clip(turn.faster, 60)} takes {turn.early:.2f} times as long as {clip(turn.slower, 60)} at first, "
            f"{turn.settled:.2f} times once settled{'' if turn.certain else ' (perhaps)'}"
            for turn in (*sure, *(turn for turn in one.turns if not turn.certain))[:MOST_TURNS]
        ]
    return lines


def inversion_record(one: Inversion) -> dict[str, object]:
    """Return an inversion as plain data."""
    return {
        "setting": one.setting,
        "slower": one.slow.label,
        "faster": one.fast.label,
        "slower_m_macs": round(one.slow.macs / 1e6, 1),
        "faster_m_macs": round(one.fast.macs / 1e6, 1),
        "ratio": round(one.ratio, 3),
        "lo": round(one.lo, 3),
        "hi": round(one.hi, 3),
        "certain": one.certain,
    }


def record(found: Analysis) -> dict[str, object]:
    """Return everything as plain data."""
    return {
        "predictors": [
            {"setting": p.setting, "by": p.by, "correlations": [asdict(c) for c in p.correlations]}
            for p in found.proxies
        ],
        "pairs_within_10_percent": found.near,
        "inversions": [inversion_record(one) for one in found.inversions],
        "extremes": [inversion_record(one) for one in found.extremes],
        "reorderings": [
            {"a": r.a, "b": r.b, "networks": r.networks, "moved": r.moved}
            | {"correlations": [asdict(c) for c in r.correlations]}
            for r in found.reorderings
        ],
        "sustained": [asdict(one) for one in found.sustained],
        "notes": list(found.notes),
    }


def _cells(correlations: tuple[Correlation, ...]) -> dict[str, str]:
    cells = dict.fromkeys(("Kendall", "Spearman"), "")
    for one in correlations:
        interval = "" if one.lo is None or one.hi is None else f" ({one.lo:.2f} to {one.hi:.2f})"
        cells[one.name] = f"{one.value:.2f}{interval}"
    return cells
