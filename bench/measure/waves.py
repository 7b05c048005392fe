"""Several cases side by side, in waves: a wave is one fresh process of each, taking turns in short blocks.

As in `bench.measure.pairs`, a turn runs the cases in a random order and then in its reverse, so that a linear drift of
the machine's clock cancels in every ratio, and the model is loaded anew between turns, because a load decides where
the memory lands. One wave gives one log-ratio for each two of its cases.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from bench.artifact.artifact import Artifact
from bench.base.errors import BenchError
from bench.measure.bring import bring
from bench.measure.evidence import fullest, theft
from bench.measure.launch import Launch
from bench.measure.rows import fault_of
from bench.plan.case import Case
from bench.plan.protocol import WaveProtocol
from bench.transport.local import LocalReach


def measure(
    cases: Sequence[Case], artifacts: Sequence[Artifact], protocol: WaveProtocol, number: int, check: bool
) -> list[dict[str, Any]]:
    """Run one wave; `number` seeds its order, with `check` the workers say afterwards what really ran.

    Returns one record per case, in their order: ``blocks``, a list per turn of two ``[median ns, disturbed]``, or
    ``error`` and ``status`` where the case failed; with what ran (``inspected``) where checked.
    """
    order = random.Random(f"{protocol.seed}/{number}/{'/'.join(case.id for case in cases)}")
    errors: dict[int, BenchError] = {}
    launches: dict[int, Launch] = {}
    loaded: dict[int, dict[str, Any]] = {}
    inspected: dict[int, dict[str, Any]] = {}
    lengths: dict[int, int] = {}
    blocks: dict[int, list[dict[str, Any]]] = {i: [] for i in range(len(cases))}
    with ExitStack() as stack:
        cores: list[int] = []
        most = max(case.settings.threads for case in cases)
        begun = order.sample(range(len(cases)), len(cases))
        folders: dict[int, str] = {}
        for i in begun:
            try:
                folders[i] = bring(LocalReach(), cases[i], artifacts[i])
            except BenchError as error:
                errors[i] = error
        for i in folders:  # all at once: nothing is timed while interpreters start
            try:
                launches[i] = stack.enter_context(Launch(cases[i], protocol.timeout_s))
            except BenchError as error:
                errors[i] = error
        for i in begun:
            if i in errors:
                continue
            try:
                cores = cores or launches[i].choose(most, [])["cores"]  # all sides run on the same
                loaded[i] = launches[i].load(folders[i], cores[-cases[i].settings.threads :])
                lengths[i] = launches[i].warm(protocol.warmup_ms, 2, protocol.block_ms, protocol.block_min_inferences)[
                    "n"
                ]
            except BenchError as error:
                errors[i] = error
        for turn in range(protocol.turns):
            alive = [i for i in range(len(cases)) if i not in errors]
            if turn and protocol.reload:
                for i in order.sample(alive, len(alive)):
                    _ask(i, launches, errors, "reload")
            turns = order.sample(alive, len(alive))
            for i in [*turns, *reversed(turns)]:
                answer = _ask(i, launches, errors, "block", n=lengths[i])
                if answer is not None:
                    blocks[i].append(answer | {"turn": turn})
        for i in [i for i in range(len(cases)) if check and i not in errors]:
            answer = _ask(i, launches, errors, "inspect")
            if answer is not None:
                inspected[i] = answer
                fault = fault_of(cases[i], artifacts[i], loaded[i]["parity_rel_l2"], answer)
                if fault is not None:
                    errors[i] = _fault(*fault)
    return [_record(blocks[i], errors.get(i), inspected.get(i), protocol.turns) for i in range(len(cases))]


def _ask(
    i: int, launches: dict[int, Launch], errors: dict[int, BenchError], do: str, **request: Any
) -> dict[str, Any] | None:
    """Ask one worker; what goes wrong costs this case and nothing else."""
    if i in errors:
        return None
    try:
        return launches[i].ask(do, **request)
    except BenchError as error:
        errors[i] = error
        return None


def _fault(status: str, reason: str) -> BenchError:
    error = BenchError(reason)
    error.status = status
    return error


def _record(
    blocks: list[dict[str, Any]], error: BenchError | None, inspected: dict[str, Any] | None, turns: int
) -> dict[str, Any]:
    if error is not None:
        return {"error": error.message, "status": error.status}
    full = fullest(blocks)
    by_turn: list[list[list[float | bool]]] = [[] for _ in range(turns)]
    for block in blocks:
        by_turn[block["turn"]].append([statistics.median(block["latency_ns"]), bool(theft(block, full))])
    found: dict[str, Any] = {"blocks": by_turn}
    if inspected is not None:
        found["inspected"] = inspected
    return found


def log_ratio(a: dict[str, Any], b: dict[str, Any]) -> float | None:
    """Return the log of B's latency over A's in one wave: the median over its turns.

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


def latency_ns(side: dict[str, Any]) -> float:
    """Return the geometric mean of a side's block medians in one wave."""
    return math.exp(statistics.fmean(_log(turn) for turn in side["blocks"]))


def _log(turn: Sequence[Sequence[float]]) -> float:
    return statistics.fmean(math.log(ns) for ns, _ in turn)
