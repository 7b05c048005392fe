"""A against B: pairs of fresh processes that are alive together and take turns in short blocks.

Inside a pair everything is reduced to one number, from the log-ratios of its quads; half are ABBA, half BAAB, in random
order, so that a linear drift cancels. The model is loaded anew between quads where the backend's
processes differ more by where a load puts its memory than by anything else.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bench.artifact.artifact import Artifact
from bench.base.errors import LinkLost, MeasureError
from bench.export import ensure
from bench.machine.environment import pick_cores
from bench.measure.evidence import fullest, theft
from bench.measure.launch import Launch
from bench.measure.rows import fault_of
from bench.measure.runner import ATTEMPTS
from bench.plan.case import Case
from bench.plan.protocol import PairProtocol
from bench.stats.verdict import half_width
from bench.transport.base import Reach
from bench.transport.local import LocalReach


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair: its log-ratio (B over A, of latencies), that of each quad, and every block as the worker told it."""

    number: int
    log_ratio: float
    quads: tuple[float, ...]
    latency_ns: tuple[float, float]
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Quad:
    """Four blocks, ABBA (`first` is 0) or BAAB (1): the log-ratio of their medians, B over A, and the blocks."""

    log_ratio: float
    first: int
    blocks: list[dict[str, Any]]


def run(
    a: Case,
    b: Case,
    protocol: PairProtocol,
    done: int = 0,
    cores: list[int] | None = None,
    reach: Reach | None = None,
) -> Iterator[Pair]:
    """Measure one pair after another, for as long as the caller asks; `done` pairs of the schedule were made before.

    A pair in which the connection to the device was lost is measured anew, as often as a run's launches are.

    Raises:
        MeasureError: a side cannot be measured, or what ran is not what was asked.
    """
    reach = reach or LocalReach()
    artifacts = [ensure(case.network, protocol.seed) for case in (a, b)]
    for case in (a, b):
        pick_cores(case.settings.threads, cores or reach.usable_cores())  # say at once that there are too few
    number, lost = done, 0
    while True:
        try:
            pair = _pair((a, b), artifacts, cores or [], protocol, number, reach, check=number == done)
        except LinkLost:
            lost += 1
            if lost == ATTEMPTS:
                raise
            reach.reopen()
            continue
        yield pair
        number, lost = number + 1, 0


def enough(log_ratios: list[float], protocol: PairProtocol, spent_s: float) -> bool:
    """Tell whether to stop: precise enough, at the limit, or out of budget; asked only at the agreed numbers."""
    n = len(log_ratios)
    if n >= protocol.most or (spent_s >= protocol.budget_s and n >= protocol.first):
        return True
    due = n >= protocol.first and (n - protocol.first) % protocol.step == 0
    return due and half_width(log_ratios) < protocol.half_width


def collect(
    a: Case,
    b: Case,
    protocol: PairProtocol,
    told: Callable[[Pair], None] = lambda pair: None,
    done: int = 0,
    reach: Reach | None = None,
    cores: list[int] | None = None,
) -> list[Pair]:
    """Measure as many pairs as the protocol asks for."""
    begin = time.monotonic()
    pairs: list[Pair] = []
    for pair in run(a, b, protocol, done, cores, reach):
        pairs.append(pair)
        told(pair)
        if enough([p.log_ratio for p in pairs], protocol, time.monotonic() - begin):
            break
    return pairs


def _pair(
    cases: tuple[Case, Case],
    artifacts: list[Artifact],
    allowed: list[int],
    protocol: PairProtocol,
    number: int,
    reach: Reach,
    check: bool,
) -> Pair:
    order = random.Random(f"{protocol.seed}/{number}")
    with ExitStack() as stack:
        launches: dict[int, Launch] = {}
        loaded: dict[int, dict[str, Any]] = {}
        warmed: dict[int, dict[str, Any]] = {}
        cores: list[int] = []
        most = max(case.settings.threads for case in cases)
        for side in order.sample((0, 1), 2):
            launches[side] = stack.enter_context(Launch(cases[side], protocol.timeout_s, reach))
            cores = cores or launches[side].choose(most, allowed)["cores"]  # both sides run on the same
            folder = reach.carry(artifacts[side], cases[side].backend.name)
            loaded[side] = launches[side].load(folder, cores[-cases[side].settings.threads :])
            warmed[side] = launches[side].warm(protocol.warmup_ms, 3, protocol.block_ms, protocol.block_min_inferences)
        n = max(protocol.block_min_inferences, min(w["n"] for w in warmed.values()))
        blocks: list[dict[str, Any]] = []
        quads: list[Quad] = []
        turns_of = [((0, 1, 1, 0), (1, 0, 0, 1))[i % 2] for i in range(protocol.quads)]
        order.shuffle(turns_of)
        for quad, turns in enumerate(turns_of):
            if quad and protocol.reload:
                for side in order.sample((0, 1), 2):
                    launches[side].ask("reload")
            medians: tuple[list[float], list[float]] = ([], [])
            begin = len(blocks)
            for side in turns:
                block = launches[side].ask("block", n=n)
                blocks.append(block | {"quad": quad, "side": "AB"[side]})
                medians[side].append(math.log(statistics.median(block["latency_ns"])))
            quads.append(Quad(statistics.fmean(medians[1]) - statistics.fmean(medians[0]), turns[0], blocks[begin:]))
        if check:
            for side in (0, 1):
                _check(cases[side], artifacts[side], loaded[side], launches[side].ask("inspect"))
    sides = [[ns for block in blocks if block["side"] == s for ns in block["latency_ns"]] for s in "AB"]
    raw = {"pair": number, "loaded": [loaded[0], loaded[1]], "n": n, "blocks": blocks}
    middle = (statistics.median(sides[0]), statistics.median(sides[1]))
    ratios = tuple(quad.log_ratio for quad in quads)
    return Pair(number, reduced(undisturbed(quads)), ratios, middle, raw)


def undisturbed(quads: list[Quad]) -> list[Quad]:
    """Return the quads in which nothing took the cores; all, where fewer than half are left.

    A quad goes as a whole, so neither side gains, and for what surrounded it, never for its own latencies.
    """
    full = {side: fullest([b for quad in quads for b in quad.blocks if b["side"] == side]) for side in "AB"}
    left = [quad for quad in quads if not any(theft(b, full[b["side"]]) for b in quad.blocks)]
    return left if 2 * len(left) >= len(quads) else quads


def reduced(quads: list[Quad]) -> float:
    """Return a pair's log-ratio: the mean of the medians of its ABBA and of its BAAB quads.

    The block that follows one of its own side finds the cache warm. That favours B in ABBA and A in BAAB by about 1%,
    so each kind gets its own median, and the mean of the two is free of it.
    """
    kinds = [[quad.log_ratio for quad in quads if quad.first == side] for side in (0, 1)]
    return statistics.fmean(statistics.median(kind) for kind in kinds if kind)


def _check(case: Case, artifact: Artifact, loaded: dict[str, Any], inspected: dict[str, Any]) -> None:
    """Refuse to compare what would not get a valid row."""
    fault = fault_of(case, artifact, loaded["parity_rel_l2"], inspected)
    if fault is not None:
        status, reason = fault
        hint = "a wrong network has no speed" if status in ("mismatch", "failed") else "ask for what runs"
        raise MeasureError(f"{case}: {reason}", hint)
