"""Runtimes and precisions in tables: Markdown of rows of the suite ``precisions``, for ``docs/runtimes.md``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.findings.precisions import (
    INT8,
    ORDER,
    Change,
    changes,
    orders,
    papers,
    settings_of,
    swaps,
    verdict,
)
from bench.findings.ranks import Reordering
from bench.findings.verdict import INCONCLUSIVE, NONE, OPPOSITE
from bench.rows.schema import Row

LOW = ("bf16", "fp16", "int8")
SHOWN = 6  # swaps and papers


def section(rows: Sequence[Row], name: str) -> str:
    """Return the part of the page that follows from rows; `name` is the file that they are in."""
    settings = settings_of(rows)
    runtimes = list(dict.fromkeys(runtime for runtime, _ in settings))
    networks = list(dict.fromkeys(row.model for row in rows))
    cpu = next(iter(row.cpu for row in rows if row.cpu), "an unknown CPU")
    lines = [f"Measured on {cpu}, one thread (`{name}`). fp32 in ms; the others over the same runtime's fp32.", ""]
    heads = [
        (runtime, precision) for runtime in runtimes for precision in ("fp32", *LOW) if (runtime, precision) in settings
    ]
    lines += ["| network | " + " | ".join(f"{r} {p}" for r, p in heads) + " |", "| --- " * (len(heads) + 1) + "|"]
    for network in networks:
        lines.append(f"| {network} | " + " | ".join(_cell(settings, network, *head) for head in heads) + " |")
    lines += ["", *_int8(rows, networks), "", *_faster(rows), "", *_order(rows), "", *_papers(rows), *_rest(rows)]
    return "\n".join(lines).rstrip() + "\n"


def _cell(settings: dict[tuple[str, str], dict[str, Row]], network: str, runtime: str, precision: str) -> str:
    row = settings[runtime, precision].get(network)
    if row is None or row.latency_ms is None:
        return ""
    if precision == "fp32":
        return f"{row.latency_ms:.2f}"
    plain = settings.get((runtime, "fp32"), {}).get(network)
    return f"{row.latency_ms / plain.latency_ms:.2f}" if plain is not None and plain.latency_ms else ""


def _int8(rows: Sequence[Row], networks: Sequence[str]) -> list[str]:
    """Return the table of what of a network in int8 ran in int8."""
    settings = {runtime: found for (runtime, ran), found in settings_of(rows).items() if ran == "int8"}
    if not settings:
        return []
    lines = [
        "What ran of it in int8: share of the MACs, operators left that only quantise or dequantise, the error against",
        "the same quantised network in its reference implementation, and in brackets what quantisation itself costs",
        "(against fp32, the worst of several inputs).",
        "",
        "| network | " + " | ".join(settings) + " |",
        "| --- " * (len(settings) + 1) + "|",
    ]
    for network in networks:
        cells = [_ran(found[network]) if network in found else "" for found in settings.values()]
        lines.append(f"| {network} | " + " | ".join(cells) + " |")
    return lines


def _ran(row: Row) -> str:
    macs = (row.macs_int8 or 0) + (row.macs_float or 0)
    share = f"{(row.macs_int8 or 0) / macs:.0%}" if macs else "?"
    left = "?" if row.quantize_ops is None else row.quantize_ops
    cost = "?" if row.quantization_rel_l2 is None else f"{row.quantization_rel_l2:.2g}"
    error = "?" if row.parity_rel_l2 is None else f"{row.parity_rel_l2:.1g}"
    return f"{share}, {left}, {error} ({cost})"


def _faster(rows: Sequence[Row]) -> list[str]:
    """Return what becomes of the claim that int8 is faster, and the same of other precisions."""
    lines = [
        f'**"{INT8[0].upper()}{INT8[1:]}".** Networks that it makes faster, by runtime:',
        "",
    ]
    for precision in LOW:
        for runtime in dict.fromkeys(change.runtime for change in changes(rows, precision)):
            found = [change for change in changes(rows, precision) if change.runtime == runtime]
            lines.append(f"- {runtime}, {precision}: {_said(found)}")
    return lines if len(lines) > 2 else []


def _said(found: Sequence[Change]) -> str:
    slower = [change for change in found if change.grade == OPPOSITE]
    same = [change for change in found if change.grade == NONE]
    open_ = [change for change in found if change.grade == INCONCLUSIVE]
    faster = len(found) - len(slower) - len(same) - len(open_)
    parts = [f"{verdict(found)}; {faster} of {len(found)} faster"]
    for label, some in (("slower", slower), ("not faster", same), ("open", open_)):
        if some:
            parts.append(f"{label}: {', '.join(map(_change, sorted(some, key=lambda c: -c.effect.log)))}")
    return "; ".join(parts)


def _change(change: Change) -> str:
    ratio, lo, hi = change.effect.ratios
    return f"{change.network} {ratio:.2f} ({lo:.2f} to {hi:.2f})"


def _order(rows: Sequence[Row]) -> list[str]:
    """Return what becomes of the claim that networks keep their order."""
    found, turned = orders(rows), swaps(rows)
    if not found:
        return []
    lines = [
        f'**"{ORDER[0].upper()}{ORDER[1:]}".** '
        + _span("between runtimes in one precision", _across(found, same_runtime=False))
    ]
    lines.append(_span("between precisions of one runtime", _across(found, same_runtime=True)))
    if turned:
        lines += ["Pairs that change places beyond the intervals of all four rows, the furthest apart:", ""]
    for swap in turned[:SHOWN]:
        a, b = (f"{runtime} in {precision}" for runtime, precision in (swap.a, swap.b))
        lines.append(
            f"- {swap.second} takes {swap.ratios[0]:.2f} of {swap.first}'s time on {a}, {swap.ratios[1]:.2f} on {b}"
        )
    return lines


def _across(found: Iterable[Reordering], same_runtime: bool) -> list[Reordering]:
    return [one for one in found if (one.a.partition(" in ")[0] == one.b.partition(" in ")[0]) is same_runtime]


def _span(what: str, found: Sequence[Reordering]) -> str:
    values = [(c.value, one) for one in found for c in one.correlations if c.name == "Kendall"]
    if not values:
        return ""
    low, high = min(values, key=lambda v: v[0]), max(values, key=lambda v: v[0])
    return (
        f"Kendall's tau {what}: from {low[0]:.2f} ({low[1].a} and {low[1].b}) to {high[0]:.2f}, "
        f"median {sorted(v for v, _ in values)[len(values) // 2]:.2f}, {len(values)} comparisons."
    )


def _papers(rows: Sequence[Row]) -> list[str]:
    found = [one for one in papers(rows) if one.correlations and "lite" in one.b.lower()]
    if not found:
        return []
    lines = ["The order of LiteRT's fp32 here against that of the papers' TF-Lite figures:", ""]
    for one in sorted(found, key=lambda r: -r.networks)[:SHOWN]:
        tau = next(c.value for c in one.correlations if c.name == "Kendall")
        lines.append(f"- {one.b}: Kendall's tau {tau:.2f} over {one.networks} networks, {one.moved} of them elsewhere")
    return [*lines, ""]


def _rest(rows: Sequence[Row]) -> list[str]:
    """Say of each setting which networks have no row that stands, and why."""
    said: dict[str, list[str]] = {}
    for row in rows:
        if row.status not in ("ok", "noisy"):
            why = (row.error or "").partition(" (")[0]
            said.setdefault(f"{row.backend}: {row.status}, {why[:100]}", []).append(row.model)
    return (
        ["Without a row that stands:", "", *(f"- {what}: {', '.join(models)}" for what, models in said.items())]
        if said
        else []
    )
