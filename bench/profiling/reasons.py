"""Why operators take longer than their MACs would: statements that are made only where their condition holds.

A statement's `ms` is what is at stake: the time of its operators beyond what their MACs take at the peak, or at the
rate of their like without the fault. Statements may speak of the same operator (a depthwise convolution outside the
blocked layout), so their times do not add up; the split by class does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from bench.base.words import counted, verb
from bench.graph.classes import QUANTIZERS, OpClass
from bench.profiling import layout
from bench.profiling.network import ProfiledNetwork, total_ms
from bench.profiling.roofs import Roof
from bench.profiling.squeeze import gates
from bench.profiling.statement import Statement as Statement
from bench.profiling.statement import beyond_ms, intensity, named, rate_of
from bench.profiling.statement import told as told

LEAST_SHARE = 0.01  # of the latency: what takes less is not spoken of
SHORT_US = 10.0  # an operator that takes less, and mostly not for its work, is short
FAR = 3.0  # times its floor: where a short operator's time is not its work
UNEXPLAINED = 2.0  # times its floor: from here on an operator wants a reason
RESIDUAL_SHARE = 0.03
FLOATS = ("fp32", "fp16", "bf16")
COPIES = (OpClass.SHUFFLE, OpClass.SPLIT, OpClass.CONCAT, OpClass.TRANSPOSE, OpClass.PAD, OpClass.COPY)


def reasons(network: ProfiledNetwork, roof: Roof) -> list[Statement]:
    """Return every statement that holds, costliest first; without a roof what needs none."""
    if not roof.known:
        return residual(network, roof)
    found = [s for find in FINDERS for s in find(network, roof)]
    spoken_of = frozenset(i for s in found for i in s.operators)
    found += unexplained(network, roof, spoken_of)
    return sorted(found, key=lambda s: -abs(s.ms))


def outside_the_block(network: ProfiledNetwork, roof: Roof) -> list[Statement]:
    """Convolutions that run in plain NCHW beside blocked ones, and slower: per class, with the rule that they break."""
    convs = network.where(lambda op: op.op_class.family == "convolution" and len(op.shape_out) == 4)
    blocked = [i for i in convs if layout.blocked(network.operators[i])]
    found = []
    for op_class in OpClass:
        out = [i for i in convs if network.operators[i].op_class is op_class and i not in blocked]
        if not (out and blocked):
            continue
        plain = network.pick(out)
        inside = [op for op in network.pick(blocked) if op.op_class is op_class]
        ms, rate = total_ms(plain), rate_of(plain)
        if inside:
            lost_ms = ms * (1 - rate / rate_of(inside))
            beside = f"{rate:.1f} GMAC/s, those inside reach {rate_of(inside):.1f}"
        else:
            lost_ms = ms - sum(roof.floor_us(op) for op in plain) / 1e3
            beside = f"{rate:.1f} GMAC/s, the peak is {roof.peak_gmacs_per_s:.1f}"
        if lost_ms < LEAST_SHARE * network.latency_ms:
            continue
        why = layout.rules(plain, layout.block(network.pick(blocked)))
        text = f"{len(out)} {named(op_class, len(out))} outside the blocked layout ({why}): {beside}"
        figures = (("gmacs_per_s", rate), ("time_ms", ms))
        found.append(Statement(f"outside block {op_class}", "plain NCHW", lost_ms, text, frozenset(out), figures))
    return found


def reorders(network: ProfiledNetwork, roof: Roof) -> list[Statement]:
    """Operators that only change the layout, and what else wants which layout."""
    mine = network.of(OpClass.REORDER)
    ms = total_ms(network.pick(mine))
    if not mine or ms < LEAST_SHARE * network.latency_ms:
        return []
    moved = sum(op.moved_bytes for op in network.pick(mine)) / 1e6
    what = f"{len(mine)} {named('reorder', len(mine))} between layouts"
    text = f"{what}: {moved:.1f} MB moved, no arithmetic"
    plain = [op for op in network.pick(network.where(layout.plain)) if op.op_class is not OpClass.REORDER]
    if plain and any(layout.blocked(op) for op in network.operators):
        counts = {c: sum(op.op_class is c for op in plain) for c in OpClass}
        top = sorted((c for c in counts if counts[c]), key=lambda c: -counts[c])[:4]
        text += "; in plain NCHW run " + ", ".join(f"{counts[c]} {named(c, counts[c])}" for c in top)
    return [Statement("reorder", "reorder", ms, text, frozenset(mine), (("moved_mb", moved),))]


def padding(network: ProfiledNetwork, roof: Roof) -> list[Statement]:
    """MACs that are computed on channels of zeros."""
    mine = network.where(lambda op: bool(op.macs and op.padded_macs and op.padded_macs > op.macs))
    if not mine:
        return []
    padded = network.pick(mine)
    lost_ms = sum(op.time_us * (1 - op.macs / (op.padded_macs or op.macs)) for op in padded) / 1e3
    if lost_ms < LEAST_SHARE * network.latency_ms:
        return []
    ratio = sum(op.padded_macs or 0 for op in padded) / sum(op.macs for op in padded)
    worst = max(padded, key=lambda op: op.time_us * (1 - op.macs / (op.padded_macs or op.macs)))
    channels = layout.padded_channels(worst)
    text = f"{len(mine)} {named('convolution', len(mine))} computed with zeros beside the channels"
    text += f" ({channels})" if channels else ""
    text += f": {ratio:.2f} times the MACs"
    figures = (("padded_over_nominal", ratio), ("time_ms", total_ms(padded)))
    return [Statement("padding", "padding", lost_ms, text, frozenset(mine), figures)]


def depthwise(network: ProfiledNetwork, roof: Roof) -> list[Statement]:
    """Depthwise convolutions whose share of the time is at least twice that of the MACs."""
    mine = network.of(OpClass.DEPTHWISE)
    ops = network.pick(mine)
    ms, macs = total_ms(ops), sum(op.macs for op in ops)
    share, of_macs = ms / network.latency_ms, macs / network.macs if network.macs else 0.0
    if not macs or share < LEAST_SHARE or share < 2 * of_macs:
        return []
    bound, figures = intensity(ops, roof)
    what = f"{len(ops)} {named(OpClass.DEPTHWISE, len(ops))}"
    text = f"{what}: {of_macs:.1%} of the MACs in {share:.1%} of the time; {bound}"
    return [Statement("depthwise", "depthwise", beyond_ms(ops, roof), text, frozenset(mine), figures)]


def low_intensity(network: ProfiledNetwork, roof: Roof) -> list[Statement]:
    """Other operators with MACs whose bytes take longer than their MACs would."""
    mine = network.where(
        lambda op: op.macs > 0 and op.op_class is not OpClass.DEPTHWISE and roof.memory_us(op) > roof.compute_us(op)
    )
    ops = network.pick(mine)
    ms = total_ms(ops)
    if ms < LEAST_SHARE * network.latency_ms:
        return []
    bound, figures = intensity(ops, roof)
    classes = [c for c in OpClass if any(op.op_class is c for op in ops)]
    what = " and ".join(f"{n} {named(c, n)}" for c in classes if (n := sum(op.op_class is c for op in ops)))
    return [Statement("low intensity", "intensity", beyond_ms(ops, roof), f"{what}: {bound}", frozenset(mine), figures)]


def copies(network: ProfiledNetwork, roof: Roof) -> list[Statement]:
    """Data movement that the graph asks for: channel shuffles, splits, concatenations, transposes, padding."""
    mine = network.of(*COPIES)
    ops = network.pick(mine)
    ms = total_ms(ops)
    if ms < LEAST_SHARE * network.latency_ms:
        return []
    moved = sum(op.moved_bytes for op in ops) / 1e6
    times = {c: total_ms(op for op in ops if op.op_class is c) for c in COPIES}
    parts = [f"{c} {times[c]:.2f}" for c in sorted(COPIES, key=lambda c: -times[c]) if times[c] >= 0.005]
    what = f"{counted(len(ops), 'operator')} only {verb(len(ops), 'copies', 'copy')}"
    text = f"{what} ({', '.join(parts)} ms): {moved:.1f} MB, no arithmetic"
    return [Statement("copies", "copy", ms, text, frozenset(mine), (("moved_mb", moved),))]


def squeeze(network: ProfiledNetwork, roof: Roof) -> list[Statement]:
    """Squeeze-and-excitation: pooling, tiny products and a gate that multiplies whole maps."""
    found = gates(network.operators)
    mine = frozenset(i for gate in found for i in gate if network.operators[i].time_us > 0)
    ops = network.pick(sorted(mine))
    ms = total_ms(ops)
    if ms < LEAST_SHARE * network.latency_ms:
        return []
    of_macs = sum(op.macs for op in ops) / network.macs if network.macs else 0.0
    blocks = f"{len(found)} squeeze-and-excitation {named('block', len(found))}"
    text = (
        f"{blocks}: {len(ops)} operators with {of_macs:.2%} of the MACs take {ms / network.latency_ms:.1%} of the time"
    )
    return [Statement("squeeze", "SE", ms, text, mine, (("blocks", len(found)), ("macs_share", of_macs)))]


def quantisation(network: ProfiledNetwork, roof: Roof) -> list[Statement]:
    """Operators of a quantised network that only quantise or dequantise, and what else in it is left in floats."""
    if network.precision != "int8":
        return []
    found = []
    mine = network.where(lambda op: op.kind.rpartition(".")[2] in QUANTIZERS)
    ops = network.pick(mine)
    ms = total_ms(ops)
    if ms >= LEAST_SHARE * network.latency_ms:
        kinds = Counter(op.kind.rpartition(".")[2] for op in ops)
        what = " and ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
        islands = Counter(neighbour for i in mine for neighbour in _floats_beside(network, i))
        beside = f", around {', '.join(f'{n} {kind}' for kind, n in islands.most_common(4))}" if islands else ""
        text = f"{what} are part of no other operator{beside}: no arithmetic of the network"
        found.append(Statement("quantisation", "Q/DQ", ms, text, frozenset(mine), (("operators", len(ops)),)))
    left = network.where(lambda op: op.precision in FLOATS and op.kind.rpartition(".")[2] not in QUANTIZERS)
    ops = network.pick(left)
    ms = total_ms(ops)
    if ms >= LEAST_SHARE * network.latency_ms:
        kinds = Counter(op.kind.rpartition(".")[2] for op in ops)
        what = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(4))
        macs = sum(op.macs for op in ops) / network.macs if network.macs else 0.0
        many = f"{counted(len(ops), 'operator')} {verb(len(ops), 'runs', 'run')} in floats"
        text = f"{many} ({what}) with {macs:.1%} of the MACs"
        lost = max(0.0, ms - sum(roof.floor_us(op) for op in ops) / 1e3)
        found.append(Statement("floats", "float", lost, text, frozenset(left), (("macs_share", macs), ("time_ms", ms))))
    return found


def _floats_beside(network: ProfiledNetwork, at: int) -> list[str]:
    """Name the operators in floats that run just before or after one: those that a (de)quantisation is there for."""
    near = [network.operators[i] for i in (at - 1, at + 1) if 0 <= i < len(network.operators)]
    kinds = [op.kind.rpartition(".")[2] for op in near if op.precision in FLOATS]
    return [kind for kind in kinds if kind not in QUANTIZERS]


def short(network: ProfiledNetwork, roof: Roof) -> list[Statement]:
    """Operators that are called for too little work."""
    mine = network.where(lambda op: op.time_us < SHORT_US and op.time_us > FAR * roof.floor_us(op))
    ops = network.pick(mine)
    ms = total_ms(ops)
    if ms < LEAST_SHARE * network.latency_ms:
        return []
    floor_ms = sum(roof.floor_us(op) for op in ops) / 1e3
    vague = sum(not op.precise for op in ops)
    text = (
        f"{len(ops)} of {counted(len(network.operators), 'operator')} {verb(len(ops), 'takes', 'take')} "
        f"under {SHORT_US:.0f} µs each for work of {floor_ms:.3f} ms in all: the rest is the cost of a call"
    )
    text += f" ({vague} {verb(vague, 'is', 'are')} too short to tell precisely)" if vague else ""
    return [Statement("short", "short", ms - floor_ms, text, frozenset(mine), (("floor_ms", floor_ms),))]


def residual(network: ProfiledNetwork, roof: Roof) -> list[Statement]:
    """Time in no operator; or, where the operators exceed the latency, that they do."""
    ms, count = network.residual_ms, len(network.operators)
    if abs(ms) < RESIDUAL_SHARE * network.latency_ms:
        return []
    if ms > 0:
        each = f"{ms / max(count, 1) * 1e3:.2f} µs for each of {counted(count, 'operator')}"
        text = f"in no operator: {each}, between them"
    else:
        text = "the operators exceed the latency by that: a disturbed machine, or the profiler's cost is underestimated"
    return [Statement("residual", "", ms, text, frozenset(), (("us_per_operator", ms / max(count, 1) * 1e3),))]


def unexplained(network: ProfiledNetwork, roof: Roof, spoken_of: frozenset[int]) -> list[Statement]:
    """Operators far above their floor of which no other statement speaks: told, never explained away."""
    mine = [
        i
        for i in network.where(lambda op: op.precise and op.time_us > UNEXPLAINED * roof.floor_us(op))
        if i not in spoken_of
    ]
    ops = network.pick(mine)
    ms = total_ms(ops)
    if ms < LEAST_SHARE * network.latency_ms:
        return []
    over = ms / max(sum(roof.floor_us(op) for op in ops) / 1e3, 1e-9)
    worst = max(ops, key=lambda op: op.time_us)
    what = f"{len(ops)} {named('operator', len(ops))} at {over:.1f} times the floor"
    text = f"no reason found here for {what}; the costliest: {told(worst)}, {worst.time_us:.0f} µs"
    at_stake = ms - sum(roof.floor_us(op) for op in ops) / 1e3
    return [Statement("unexplained", "?", at_stake, text, frozenset(mine), (("over_floor", over),))]


FINDERS: tuple[Callable[[ProfiledNetwork, Roof], list[Statement]], ...] = (
    *(outside_the_block, reorders, padding, depthwise, low_intensity),
    *(copies, squeeze, quantisation, short, residual),
)
