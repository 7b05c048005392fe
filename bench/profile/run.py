"""Several launches of one case, profiled: raw numbers, as the workers tell them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.case import Case
from bench.errors import MeasureError
from bench.export import ensure
from bench.export.artifact import Artifact
from bench.measure.environment import pick_cores
from bench.measure.launch import Launch
from bench.measure.rows import fault_of


@dataclass(frozen=True, slots=True)
class ProfileProtocol:
    """How a case is profiled: launch > load > round > block.

    Each launch loads the model and its profiled twin `loads` times, because where a load puts the memory moves the
    latency by several percent; which of the two is loaded first alternates. A load has `rounds` pairs of blocks, of
    `block_ms`, yet of at most `most` inferences (a profiler keeps every event in memory).
    """

    launches: int = 3
    loads: int = 3
    rounds: int = 8
    block_ms: float = 20.0
    least: int = 3
    most: int = 25
    warmup_ms: float = 100.0
    timeout_s: float = 120.0
    seed: int = 0


def measure(
    case: Case, protocol: ProfileProtocol, told: Callable[[int], None] = lambda number: None
) -> tuple[Artifact, list[dict[str, Any]]]:
    """Profile a case in fresh processes, one after another; `told` hears the number of each that is done.

    Returns the artifact and, per launch, what loading told, what ran (``inspected``, in the first) and ``loads``, the
    worker's answers to ``profile``.

    Raises:
        MeasureError: it cannot be measured or profiled, or what ran is not what was asked.
    """
    artifact = ensure(case, protocol.seed)
    pick_cores(case.settings.threads)  # say at once that there are too few
    launches = []
    for number in range(protocol.launches):
        launches.append(_launch(case, artifact, protocol, number))
        told(number + 1)
    return artifact, launches


def _launch(case: Case, artifact: Artifact, protocol: ProfileProtocol, number: int) -> dict[str, Any]:
    with Launch(case, protocol.timeout_s) as launch:
        loaded = launch.load(artifact.folder, launch.choose(case.settings.threads, [])["cores"])
        warmed = launch.ask("warm", ms=protocol.warmup_ms, min=3, block_ms=protocol.block_ms, block_min=protocol.least)
        n = min(protocol.most, warmed["n"])
        found: dict[str, Any] = {"loaded": loaded, "n": n, "loads": []}
        for load in range(protocol.loads):
            if load:
                launch.ask("reload")
            twin_first = (number + load) % 2 == 1
            found["loads"].append(launch.ask("profile", rounds=protocol.rounds, n=n, twin_first=twin_first))
        if number == 0:
            found["inspected"] = launch.ask("inspect")
            fault = fault_of(case, artifact, loaded["parity_rel_l2"], found["inspected"])
            if fault is not None:
                raise MeasureError(f"{case}: {fault[1]}", "what is wrong or runs in another precision is not profiled")
    return found
