"""Several launches of one case, profiled: raw numbers, as the workers tell them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from bench.artifact.artifact import Artifact
from bench.base.errors import MeasureError
from bench.export import ensure
from bench.machine.environment import pick_cores
from bench.measure.launch import Launch
from bench.measure.rows import fault_of
from bench.plan.case import Case
from bench.plan.protocol import ProfileProtocol


def measure(
    case: Case, protocol: ProfileProtocol, told: Callable[[int], None] = lambda number: None
) -> tuple[Artifact, list[dict[str, Any]]]:
    """Profile a case in fresh processes, one after another; `told` hears the number of each that is done.

    Returns the artifact and, per launch, what loading told, what ran (``inspected``, in the first) and ``loads``, the
    worker's answers to ``profile``.

    Raises:
        MeasureError: it cannot be measured or profiled, or what ran is not what was asked.
    """
    return measure_in_turns([case], protocol, told)[0]


def measure_in_turns(
    cases: Sequence[Case], protocol: ProfileProtocol, told: Callable[[int], None] = lambda number: None
) -> list[tuple[Artifact, list[dict[str, Any]]]]:
    """Profile several cases side by side, so that a drift of the clock becomes no difference between them.

    Each launch has a process of every case, all on the same cores. In each load, blocks of all take turns, then
    profiles; which case comes first alternates. Returns for each case what `measure` does.
    """
    artifacts = [ensure(case.network, protocol.seed) for case in cases]
    for case in cases:
        pick_cores(case.settings.threads)  # say at once that there are too few
    launches: list[list[dict[str, Any]]] = [[] for _ in cases]
    for number in range(protocol.launches):
        for mine, found in zip(launches, _launch(cases, artifacts, protocol, number), strict=True):
            mine.append(found)
        told(number + 1)
    return list(zip(artifacts, launches, strict=True))


def _launch(
    cases: Sequence[Case], artifacts: Sequence[Artifact], protocol: ProfileProtocol, number: int
) -> list[dict[str, Any]]:
    with ExitStack() as stack:
        workers = [stack.enter_context(Launch(case, protocol.timeout_s)) for case in cases]
        most = max(case.settings.threads for case in cases)
        cores = workers[0].choose(most, [])["cores"]
        found: list[dict[str, Any]] = []
        for case, artifact, worker in zip(cases, artifacts, workers, strict=True):
            loaded = worker.load(artifact.folder, cores[-case.settings.threads :])
            warmed = worker.warm(protocol.warmup_ms, 3, protocol.block_ms, protocol.least)
            found.append({"loaded": loaded, "n": min(protocol.most, warmed["n"]), "loads": []})
        for load in range(protocol.loads):
            order = _order(len(cases), number + load)
            if load:
                for i in order:
                    workers[i].ask("reload")
            # Before they have twins, which slow them by a percent or two: what `bench ab` would measure.
            alone: list[list[int]] = [[] for _ in cases]
            for i in (order + order[::-1]) * max(1, protocol.rounds // 4):
                alone[i] += workers[i].ask("block", n=found[i]["n"])["latency_ns"]
            for i in order:
                twin_first = (number + load) % 2 == 1
                answer = workers[i].ask("profile", rounds=protocol.rounds, n=found[i]["n"], twin_first=twin_first)
                found[i]["loads"].append({"alone_ns": alone[i]} | answer)
        if number == 0:
            for case, artifact, worker, mine in zip(cases, artifacts, workers, found, strict=True):
                mine["inspected"] = worker.ask("inspect")
                fault = fault_of(case, artifact, mine["loaded"]["parity_rel_l2"], mine["inspected"])
                if fault is not None:
                    hint = "what is wrong or runs in another precision is not profiled"
                    raise MeasureError(f"{case}: {fault[1]}", hint)
    return found


def _order(n: int, turn: int) -> list[int]:
    return list(range(n)) if turn % 2 == 0 else list(range(n))[::-1]
