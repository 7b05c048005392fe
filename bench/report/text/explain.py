"""An explanation as sections: where the time of one network goes, or what two differ by, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.base.words import counted
from bench.graph.classes import OpClass
from bench.profiling.difference import Check, Part, split
from bench.profiling.network import ProfiledNetwork, ProfiledOperator, total_ms
from bench.profiling.reasons import Statement, told
from bench.profiling.roofs import Roof
from bench.report.text.print import plus_minus
from bench.report.text.profile import warnings
from bench.report.text.sections import Section, TextTable

LEAST_ROW = 0.01  # classes below this share of the latency stand together in one row
# Where the parts and the measurement apart do not agree there is no difference to give reasons for.
NO_REASONS = "no reasons: {}; free the machine (`bench doctor`) and profile again with more --launches and --pairs"
UNCHECKED = "the difference was not measured apart, so its reasons are unchecked: `bench profile A --vs B` does"
LEAST_PART = 0.015  # of two networks: those whose difference is below this share of the slower one's latency


def explain_one(
    network: ProfiledNetwork, roof: Roof, statements: Sequence[Statement], most: int, top: int
) -> list[Section]:
    """Lay out one network: where the time goes, why, and the operators farthest above their floor."""
    lines = (
        f"{title(network)}: {_latency(network)}, {network.macs / 1e6:.1f} M MACs, "
        f"{network.macs / network.latency_ms / 1e6:.1f} GMAC/s",
        *roof_lines(network.operators, roof),
        *_floor_line(network, roof),
        *_warnings(network),
    )
    head = "why: ms beyond the MACs at the peak (reasons overlap)"
    return [
        Section(lines),
        Section(table=classes(network, roof)),
        *([Section((head,), statements=_said(network, statements, most))] if statements and most else []),
        *([Section(table=worst(network, roof, statements, top))] if top and roof.known else []),
    ]


def _floor_line(network: ProfiledNetwork, roof: Roof) -> list[str]:
    """Say what the operators would take at their floor, unless the roofs are not of operators as small as these."""
    floor_ms = sum(roof.floor_us(op) for op in network.operators) / 1e3
    if not roof.known or floor_ms > network.latency_ms:
        return (
            ["the roofs are below what operators as small as these reach: no floor of the whole"] if roof.known else []
        )
    share = f"{floor_ms / network.latency_ms:.0%} of the latency"
    return [f"all {counted(len(network.operators), 'operator')} at their floor: {floor_ms:.2f} ms, {share}"]


def _warnings(network: ProfiledNetwork, name: str = "") -> list[str]:
    """Say what of the profile is not to be trusted, where that is more than a hundredth of the latency."""
    found = warnings(network.operators, network.residual_ms, network.latency_ms, LEAST_ROW)
    return [f"{name}{line}" for line in found]


def explain_two(
    a: ProfiledNetwork,
    b: ProfiledNetwork,
    roof: Roof,
    reasons: Sequence[Sequence[Statement]],
    checked: Check | None,
    most: int,
) -> list[Section]:
    """Lay out two networks: the difference by class, which adds up, and the reasons that differ most."""
    parts = split(a, b)
    difference = a.latency_ms - b.latency_ms
    faster = b if difference > 0 else a
    names = _names(a, b)
    lines = [
        f"A {title(a)}: {_latency(a)}, {a.macs / 1e6:.1f} M MACs",
        f"B {title(b)}: {_latency(b)}, {b.macs / 1e6:.1f} M MACs",
        f"A - B = {difference:+.3f} ms: {names[faster is b]} is {_ratio(a, b):.2f} times as fast, "
        f"with {faster.macs / (a if faster is b else b).macs:.2f} times the MACs",
    ]
    fault = ""
    if checked is not None:
        lines.append(told_check(checked, difference))
        fault = checked.fault(a, b)
    lines += roof_lines([*a.operators, *b.operators], roof)
    lines += [*_warnings(a, "A: "), *_warnings(b, "B: ")]
    why = Section((NO_REASONS.format(fault),)) if fault else _against(a, b, reasons, most)
    if why.statements and checked is None:
        why = Section((UNCHECKED, *why.lines), statements=why.statements)
    shown = [why] if most and (why.statements or fault) else []
    return [Section(tuple(lines)), Section(table=_parts(parts, a, b)), *shown]


def told_check(checked: Check, difference_ms: float) -> str:
    """Say what the independent measurement found, and how far the sum of the parts is from it."""
    off = (difference_ms - checked.difference_ms) / abs(checked.difference_ms) if checked.difference_ms else 0.0
    return (
        f"measured apart: A - B = {checked.difference_ms:+.3f} ms, the median difference of "
        f"{counted(checked.pairs, 'unprofiled pair')} (standard error {checked.error_ms:.3f}; "
        f"by itself A {checked.a_ms:.3f}, B {checked.b_ms:.3f} ms); the sum of the parts is {off:+.1%} off"
    )


def title(network: ProfiledNetwork) -> str:
    """Name the network and what ran it."""
    threads = counted(network.threads, "thread")
    return f"{network.model} on {network.backend} ({network.version}, {network.precision}, {threads})"


def roof_lines(operators: Sequence[ProfiledOperator], roof: Roof) -> tuple[str, ...]:
    """Say what operators are held against, or that there is nothing."""
    if not roof.known:
        return (f"no roofs: {roof.origin}; `bench roofline` measures them",)
    moving = [op for op in operators if op.moved_bytes]
    rates = [roof.bandwidth_gb_per_s(op.moved_bytes) for op in moving]
    bandwidth = f"{min(rates):.0f}" if rates else "?"
    if rates and f"{max(rates):.0f}" != bandwidth:
        bandwidth += f" to {max(rates):.0f}"
    return (f"roofs: {roof.peak_gmacs_per_s:.1f} GMAC/s, {bandwidth} GB/s ({roof.origin})",)


def classes(network: ProfiledNetwork, roof: Roof) -> TextTable:
    """Lay out time, floor and rate per class, largest first, then what is small together and the residual."""
    rows, small = [], []
    by_class = {c: [op for op in network.operators if op.op_class is c] for c in OpClass}
    for op_class, ops in sorted(by_class.items(), key=lambda item: -total_ms(item[1])):
        if ops and total_ms(ops) < LEAST_ROW * network.latency_ms:
            small += ops
        elif ops:
            rows.append(_class_row(str(op_class), ops, network, roof))
    if small:
        rows.append(_class_row(counted(len({op.op_class for op in small}), "other"), small, network, roof))
    share = f"{network.residual_ms / network.latency_ms:.1%}"
    rows.append(("residual", "", f"{network.residual_ms:.3f}", share, "", "", "", "", ""))
    head = ("where the time goes", "ops", "ms", "share", "floor", "x floor", "M MACs", "GMAC/s", "MACs/byte")
    return TextTable(head, tuple(rows))


def _class_row(name: str, ops: Sequence[ProfiledOperator], network: ProfiledNetwork, roof: Roof) -> tuple[str, ...]:
    """Lay out operators together; rate and floor are empty where most of their time cannot be told precisely."""
    ms, macs, floor_ms = total_ms(ops), sum(op.macs for op in ops), sum(roof.floor_us(op) for op in ops) / 1e3
    moved = sum(op.moved_bytes for op in ops)
    told = total_ms(op for op in ops if op.precise) > ms / 2
    return (
        name,
        str(len(ops)),
        f"{ms:.3f}",
        f"{ms / network.latency_ms:.1%}",
        f"{floor_ms:.3f}" if told and roof.known else "",
        f"{ms / floor_ms:.1f}" if told and floor_ms else "",
        f"{macs / 1e6:.1f}" if macs else "",
        f"{macs / ms / 1e6:.1f}" if told and macs else "",
        f"{macs / moved:.2g}" if macs and moved else "",
    )


def worst(network: ProfiledNetwork, roof: Roof, statements: Sequence[Statement], top: int) -> TextTable:
    """Lay out the operators that lie farthest above their floor, each with the tags of what was said of it."""
    precise = network.where(lambda op: op.precise)
    precise.sort(key=lambda i: roof.floor_us(network.operators[i]) - network.operators[i].time_us)
    rows = []
    for i in precise[:top]:
        op, floor_us = network.operators[i], roof.floor_us(network.operators[i])
        tags = dict.fromkeys(s.tag for s in statements if i in s.operators)
        name = op.sources[0] if op.sources else op.name
        rows.append(
            (
                name if len(name) <= 22 else f"{name[:21]}…",
                told(op),
                f"{op.time_us:.1f}",
                f"{floor_us:.1f}",
                f"{op.macs / op.time_us / 1e3:.1f}" if op.macs else "",
                ", ".join(tags),
            )
        )
    return TextTable(("farthest above its floor", "what", "µs", "floor", "GMAC/s", "why"), tuple(rows), ("what", "why"))


def _said(network: ProfiledNetwork, statements: Sequence[Statement], most: int) -> tuple[tuple[str, str], ...]:
    said = [(f"{s.ms:.2f} ms {s.ms / network.latency_ms:5.1%}", s.text) for s in statements[:most]]
    left = statements[most:]
    if left:
        said.append(("", f"{len(left)} smaller: {', '.join(s.key for s in left)} (--reasons {len(statements)})"))
    return tuple(said)


def _parts(parts: Sequence[Part], a: ProfiledNetwork, b: ProfiledNetwork) -> TextTable:
    """Lay out the parts; classes that hardly differ stand in one row."""
    least = LEAST_PART * max(a.latency_ms, b.latency_ms)
    large = [p for p in parts[:-1] if abs(p.difference_ms) >= least]
    small = [p for p in parts[:-1] if abs(p.difference_ms) < least]
    rows = [_part_row(p.name, [p]) for p in large]
    if small:
        rows.append(_part_row(counted(len(small), "other"), small))
    rows.append(_part_row(parts[-1].name, parts[-1:]))
    rows.append(_part_row("latency", parts))
    head = ("A - B by class", "A ms", "B ms", "A - B", "A ops", "B ops", "A M MACs", "B M MACs", "A GMAC/s", "B GMAC/s")
    return TextTable(head, tuple(rows))


def _part_row(name: str, parts: Sequence[Part]) -> tuple[str, ...]:
    a_ms, b_ms = math.fsum(p.a_ms for p in parts), math.fsum(p.b_ms for p in parts)
    a_macs, b_macs = sum(p.a_macs for p in parts), sum(p.b_macs for p in parts)
    counts = sum(p.a_operators for p in parts), sum(p.b_operators for p in parts)
    return (
        name,
        f"{a_ms:.3f}",
        f"{b_ms:.3f}",
        f"{a_ms - b_ms:+.3f}",
        *(str(n) if n else "" for n in counts),
        *(f"{macs / 1e6:.1f}" if macs else "" for macs in (a_macs, b_macs)),
        *(f"{macs / ms / 1e6:.1f}" if macs and ms > 0 else "" for macs, ms in ((a_macs, a_ms), (b_macs, b_ms))),
    )


def _against(a: ProfiledNetwork, b: ProfiledNetwork, reasons: Sequence[Sequence[Statement]], most: int) -> Section:
    """Say what was found, what differs most first: of the network with more at stake, and how much of the other."""
    keys = dict.fromkeys(s.key for found in reasons for s in found)
    said = []
    for key in keys:
        mine = [next((s for s in found if s.key == key), None) for found in reasons]
        ms = [s.ms if s else 0.0 for s in mine]
        side = 0 if abs(ms[0]) >= abs(ms[1]) else 1
        statement, rest = mine[side], ms[1 - side]
        if statement is None or abs(ms[0] - ms[1]) < LEAST_ROW * max(a.latency_ms, b.latency_ms):
            continue
        beside = f"{'BA'[side]}: {rest:.2f} ms" if mine[1 - side] else f"{'BA'[side]}: none"
        said.append((ms[0] - ms[1], f"{'AB'[side]}: {statement.text} [{beside}]"))
    said.sort(key=lambda item: -abs(item[0]))
    head = "why: A - B of the ms beyond the MACs at the peak (reasons overlap)"
    return Section((head,), statements=tuple((f"{difference:+.2f} ms", text) for difference, text in said[:most]))


def _names(a: ProfiledNetwork, b: ProfiledNetwork) -> tuple[str, str]:
    return (a.model, b.model) if a.model != b.model else ("A", "B")


def _latency(network: ProfiledNetwork) -> str:
    """Write the latency with half its 95% interval."""
    error = f" {plus_minus(network.error_ms / network.latency_ms)}" if network.error_ms is not None else ""
    return f"{network.latency_ms:.3f} ms{error}"


def _ratio(a: ProfiledNetwork, b: ProfiledNetwork) -> float:
    return max(a.latency_ms, b.latency_ms) / min(a.latency_ms, b.latency_ms)
