"""Several cases side by side, in replicates: a replicate is one fresh process of each, taking turns in short blocks.

As in `bench.measure.pairs`, a turn runs the cases in a random order and then in its reverse, so that a linear drift of
the machine's clock cancels in every ratio, and the model is loaded anew between turns, because a load decides where
the memory lands. One replicate gives one log-ratio for each two of its cases.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from bench.artifact.artifact import Artifact
from bench.backends.answers import Inspected
from bench.base.errors import BenchError
from bench.measure.engine import Group, Session, steady
from bench.measure.evidence import full_share, theft
from bench.plan.case import Case
from bench.plan.protocol import ReplicateProtocol
from bench.transport.base import Transport
from bench.transport.local import LocalTransport


class Told(TypedDict, total=False):
    """A side of a replicate: per turn two blocks, each ``[median ns, disturbed]``, and what ran if asked; or its
    error.
    """

    blocks: list[list[list[float | bool]]]
    inspected: Inspected
    error: str
    status: str


@dataclass(frozen=True, slots=True)
class Member:
    """What a case brought to a replicate; `raw` is everything that its launch told."""

    record: Told
    raw: dict[str, object]


def measure(
    cases: Sequence[Case],
    artifacts: Sequence[Artifact],
    protocol: ReplicateProtocol,
    number: int,
    check: bool,
    transport: Transport | None = None,
    cores: Sequence[int] = (),
) -> list[Member]:
    """Run one replicate; `number` seeds its order, with `check` the workers say afterwards what really ran.

    Returns what each case brought, in their order. Cases that take the device down are measured alone.
    """
    transport = transport or LocalTransport()
    found: dict[int, Member] = {}

    def attempt(those: Sequence[int]) -> None:
        jobs = [(cases[i], artifacts[i]) for i in those]
        found.update(zip(those, _replicate(jobs, protocol, number, check, transport, cores), strict=True))

    def lost(i: int, error: BenchError) -> None:
        found[i] = Member(_failed(error), {})

    steady(transport, range(len(cases)), attempt, lost)
    return [found[i] for i in range(len(cases))]


def _replicate(
    jobs: Sequence[tuple[Case, Artifact]],
    protocol: ReplicateProtocol,
    number: int,
    check: bool,
    transport: Transport,
    cores: Sequence[int],
) -> list[Member]:
    order = random.Random(f"{protocol.seed}/{number}/{'/'.join(case.id for case, _ in jobs)}")
    with Group(jobs, protocol.timeout_s, transport, cores) as group:
        group.begin(order.sample(range(len(jobs)), len(jobs)), protocol.warming)
        for turn in range(protocol.turns):
            if turn and protocol.reload:
                group.reload(order.sample(group.alive, len(group.alive)))
            turns = order.sample(group.alive, len(group.alive))
            group.blocks([*turns, *reversed(turns)], turn=turn)
        if check:
            group.check()
    return [Member(_record(session, protocol.turns), session.raw()) for session in group.sessions]


def _failed(error: BenchError) -> Told:
    return {"error": error.message, "status": error.status}


def _record(session: Session, turns: int) -> Told:
    if session.error is not None:
        return _failed(session.error)
    blocks = session.record.blocks
    threads = session.case.settings.threads
    full = full_share(blocks, threads)
    by_turn: list[list[list[float | bool]]] = [[] for _ in range(turns)]
    for block in blocks:
        by_turn[block["turn"]].append([statistics.median(block["latency_ns"]), bool(theft(block, full, threads))])
    found: Told = {"blocks": by_turn}
    if session.inspected is not None:
        found["inspected"] = session.inspected
    return found


def log_ratio(a: Told, b: Told) -> float | None:
    """Return the log of B's latency over A's in one replicate: the median over its turns.

    Turns in which something took a core from either side are left out, unless fewer than half would be left. None
    where a side failed.
    """
    if "blocks" not in a or "blocks" not in b:
        return None
    turns = [
        (_log(y) - _log(x), any(hit for _, hit in [*x, *y])) for x, y in zip(a["blocks"], b["blocks"], strict=True)
    ]
    quiet = [ratio for ratio, hit in turns if not hit]
    return statistics.median(quiet if 2 * len(quiet) >= len(turns) else [ratio for ratio, _ in turns])


def latency_ns(side: Told) -> float:
    """Return the geometric mean of a side's block medians in one replicate."""
    return math.exp(statistics.fmean(_log(turn) for turn in side["blocks"]))


def _log(turn: Sequence[Sequence[float]]) -> float:
    return statistics.fmean(math.log(ns) for ns, _ in turn)
