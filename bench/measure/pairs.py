"""A against B: pairs of fresh processes that are alive together and take turns in short blocks.

Inside a pair everything is reduced to one number, from the log-ratios of its quads; half are ABBA, half BAAB, in random
order, so that a linear drift cancels. The model is loaded anew between quads where the backend's
processes differ more by where a load puts its memory than by anything else.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypedDict

from bench import backends
from bench.artifact.artifact import Artifact
from bench.backends.answers import Block
from bench.base.wire import Unchecked
from bench.machine import alarms as kept
from bench.machine.environment import pick_cores
from bench.measure.bring import SIDES, sides
from bench.measure.engine import Group, Told, anew
from bench.measure.evidence import full_share, log_time, theft, times
from bench.plan.case import Case
from bench.plan.protocol import LATENCY, PairProtocol
from bench.stats.alarms import LEAST, Alarms, alarms
from bench.stats.verdict import decided
from bench.transport.base import Transport
from bench.transport.local import LocalTransport


class Raw(TypedDict):
    """What both launches of a pair brought: answers to loading, inferences per block, blocks in order of time."""

    pair: int
    loaded: list[Unchecked]
    n: int
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair: its log-ratio (B over A, of latencies), that of each quad, and every block as the worker told it.

    Of two cases in mode throughput all of them are times per sample. `took_s` is how long it took, with starting both.
    """

    number: int
    log_ratio: float
    quads: tuple[float, ...]
    latency_ns: tuple[float, float]
    raw: Raw
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Quad:
    """Four blocks, ABBA (`first` is 0) or BAAB (1): the log-ratio of their medians, B over A, and the blocks."""

    log_ratio: float
    first: int
    blocks: list[Block]


def run(
    a: Case,
    b: Case,
    protocol: PairProtocol,
    done: int = 0,
    cores: list[int] | None = None,
    transport: Transport | None = None,
    doing: Told = lambda case, doing: None,
) -> Iterator[Pair]:
    """Measure one pair after another, for as long as the caller asks; `done` pairs of the schedule were made before.

    A pair in which the connection to the device was lost is measured anew. `doing` hears what is being done until the
    first of them has been made; later ones tell by themselves how it goes.

    Raises:
        MeasureError: a side cannot be measured, or what ran is not what was asked.
    """
    transport = transport or LocalTransport()
    artifacts = sides((a, b), protocol.seed, protocol.timeout_s, doing)
    for case in (a, b):
        # Say at once that there are too few.
        pick_cores(case.settings.least_cores, cores or transport.usable_cores())
    jobs = list(zip((a, b), artifacts, strict=True))
    for number in itertools.count(done):
        begin = time.monotonic()
        first = doing if number == done else None
        pair = anew(transport, partial(_pair, jobs, cores or [], protocol, number, transport, first))
        yield replace(pair, took_s=time.monotonic() - begin)


def enough(log_ratios: list[float], protocol: PairProtocol, spent_s: float) -> bool:
    """Tell whether to stop: a verdict is reached at an agreed number, the last one is, or the budget is spent."""
    n = len(log_ratios)
    if n >= protocol.most or (spent_s >= protocol.budget_s and n >= protocol.first):
        return True
    return decided(log_ratios, protocol.margin, protocol.looks)


def collect(
    a: Case,
    b: Case,
    protocol: PairProtocol,
    told: Callable[[Pair], None] = lambda pair: None,
    done: int = 0,
    transport: Transport | None = None,
    cores: list[int] | None = None,
    doing: Told = lambda case, doing: None,
) -> list[Pair]:
    """Measure as many pairs as the protocol asks for."""
    begin = time.monotonic()
    pairs: list[Pair] = []
    for pair in run(a, b, protocol, done, cores, transport, doing):
        pairs.append(pair)
        told(pair)
        if enough([p.log_ratio for p in pairs], protocol, time.monotonic() - begin):
            break
    return pairs


def alarms_of(
    cases: tuple[Case, Case],
    pairs: Sequence[Pair],
    protocol: PairProtocol,
    transport: Transport,
    confirming: tuple[int, ...],
) -> Alarms:
    """Say how often this comparison is wrong, by the pairs of equal sides that the machine has; equal ones are kept.

    `confirming` are the numbers of fresh pairs at which a gate looks again.
    """
    ratios = [pair.log_ratio for pair in pairs]
    keys = [_key(case) for case in cases]
    machine = transport.environment()
    if cases[0].id == cases[1].id and not backends.get(cases[0].backend.name).capabilities.scripted:
        kept.remember(machine, keys[0], ratios)
    recorded = kept.recall(machine, keys, LEAST)
    return alarms(recorded, ratios, protocol.margin, protocol.looks, confirming)


def _key(case: Case) -> str:
    """Name what the pairs of a case are kept for: those of throughput lie apart from those of latencies."""
    mode, streams = case.settings.mode, case.settings.streams
    apart = "" if mode == LATENCY else f"mode={mode} streams={streams or 'cores'}"
    return kept.key(case.backend.canonical, case.settings.threads, apart)


def _pair(
    jobs: list[tuple[Case, Artifact]],
    allowed: list[int],
    protocol: PairProtocol,
    number: int,
    transport: Transport,
    first: Told | None,
) -> Pair:
    """Measure a pair; the `first` of a comparison is told as it goes, and what ran in it is checked."""
    order = random.Random(f"{protocol.seed}/{number}")
    told: Told = first or (lambda case, doing: None)
    with Group(jobs, protocol.timeout_s, transport, allowed, together=True, told=told) as group:
        group.begin(order.sample((0, 1), 2), protocol.warming)
        records = [session.record for session in group.sessions]
        n = max(protocol.block_min_inferences, min(record.warmed["n"] for record in records))
        blocks: list[Block] = []
        quads: list[Quad] = []
        turns_of = [((0, 1, 1, 0), (1, 0, 0, 1))[i % 2] for i in range(protocol.quads)]
        order.shuffle(turns_of)
        for quad, turns in enumerate(turns_of):
            if quad and protocol.reload:
                group.reload(order.sample((0, 1), 2))
            mine = [block | {"side": SIDES[side]} for side, block in group.blocks(turns, n, quad=quad)]
            logs = [[log_time(block) for block in mine if block["side"] == side] for side in SIDES]
            quads.append(Quad(statistics.fmean(logs[1]) - statistics.fmean(logs[0]), turns[0], mine))
            blocks += mine
        if first is not None:
            group.check()
    samples = [[ns for block in blocks if block["side"] == s for ns in times(block)] for s in SIDES]
    raw: Raw = {"pair": number, "loaded": [record.loaded for record in records], "n": n, "blocks": blocks}
    middle = (statistics.median(samples[0]), statistics.median(samples[1]))
    ratios = tuple(quad.log_ratio for quad in quads)
    threads = [case.settings.threads * record.streams for (case, _), record in zip(jobs, records, strict=True)]
    return Pair(number, reduced(undisturbed(quads, threads)), ratios, middle, raw)


def undisturbed(quads: list[Quad], threads: Sequence[int] = (1, 1)) -> list[Quad]:
    """Return the quads in which nothing took the cores; all, where fewer than half are left.

    A quad goes as a whole, so neither side gains, and for what surrounded it, never for its own latencies. `threads`
    are those of the two sides.
    """
    of = dict(zip(SIDES, threads, strict=True))
    full = {
        side: full_share([b for quad in quads for b in quad.blocks if b["side"] == side], n) for side, n in of.items()
    }
    left = [quad for quad in quads if not any(theft(b, full[b["side"]], of[b["side"]]) for b in quad.blocks)]
    return left if 2 * len(left) >= len(quads) else quads


def reduced(quads: list[Quad]) -> float:
    """Return a pair's log-ratio: the mean of the medians of its ABBA and of its BAAB quads.

    The block that follows one of its own side finds the cache warm. That favours B in ABBA and A in BAAB by about 1%,
    so each kind gets its own median, and the mean of the two is free of it.
    """
    kinds = [[quad.log_ratio for quad in quads if quad.first == side] for side in (0, 1)]
    return statistics.fmean(statistics.median(kind) for kind in kinds if kind)
