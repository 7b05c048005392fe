"""Several launches of one case, profiled: raw numbers, as the workers tell them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from bench.artifact.artifact import Artifact
from bench.backends.answers import Launched, Load
from bench.base.errors import UsageError
from bench.machine.environment import pick_cores
from bench.measure.bring import sides
from bench.measure.engine import Group, anew
from bench.plan.case import Case
from bench.plan.protocol import THROUGHPUT, ProfileProtocol
from bench.transport.base import Transport
from bench.transport.local import LocalTransport

Told = Callable[[int], None]


def measure(
    cases: Sequence[Case],
    protocol: ProfileProtocol,
    told: Told = lambda number: None,
    transport: Transport | None = None,
    cores: Sequence[int] = (),
) -> list[tuple[Artifact, list[Launched]]]:
    """Profile cases side by side, so that a drift of the clock becomes no difference between them.

    Each launch has a process of every case, all on the same cores. In each load, blocks of all take turns, then
    profiles; which case comes first alternates. A launch in which the connection to the device was lost is done anew;
    `told` hears the number of each that is done.

    Returns for each case the artifact and, per launch, what loading told, what ran (``inspected``, in the first) and
    ``loads``, the worker's answers to ``profile``.

    Raises:
        MeasureError: one cannot be measured or profiled, or what ran is not what was asked.
    """
    transport = transport or LocalTransport()
    for case in cases:
        if case.settings.mode == THROUGHPUT:
            raise UsageError("a profile is of one inference at a time", "leave mode=throughput out")
        pick_cores(case.settings.threads, list(cores) or transport.usable_cores())  # say at once that there are too few
    artifacts = sides(cases, protocol.seed, protocol.timeout_s)
    jobs = list(zip(cases, artifacts, strict=True))
    launches: list[list[Launched]] = [[] for _ in cases]
    for number in range(protocol.launches):
        brought = anew(transport, partial(_launch, jobs, protocol, number, transport, cores))
        for mine, found in zip(launches, brought, strict=True):
            mine.append(found)
        told(number + 1)
    return list(zip(artifacts, launches, strict=True))


def _launch(
    jobs: Sequence[tuple[Case, Artifact]],
    protocol: ProfileProtocol,
    number: int,
    transport: Transport,
    cores: Sequence[int],
) -> list[Launched]:
    with Group(jobs, protocol.timeout_s, transport, cores, together=True) as group:
        group.begin(range(len(jobs)), protocol.warming)
        sizes = [min(protocol.most, session.record.warmed["n"]) for session in group.sessions]
        loads: list[list[Load]] = [[] for _ in jobs]
        for load in range(protocol.loads):
            order = list(range(len(jobs)))[:: 1 if (number + load) % 2 == 0 else -1]
            if load:
                group.reload(order)
            # Before they have twins, which slow them by a percent or two: what `bench ab` would measure.
            alone: list[list[int]] = [[] for _ in jobs]
            for i in (order + order[::-1]) * max(1, protocol.rounds // 4):
                for _, block in group.blocks([i], sizes[i], load=load):
                    alone[i] += block["latency_ns"]
            for i in order:
                asked = {"rounds": protocol.rounds, "n": sizes[i], "twin_first": (number + load) % 2 == 1}
                told = group.ask(i, "profile", "profiling", Load, **asked)
                if told is not None:
                    loads[i].append(told | {"alone_ns": alone[i]})
        if number == 0:
            group.check()
    found: list[Launched] = []
    for session, n, mine in zip(group.sessions, sizes, loads, strict=True):
        found.append({"loaded": session.record.loaded, "n": n, "blocks": session.record.blocks, "loads": mine})
        if session.inspected:
            found[-1]["inspected"] = session.inspected
    return found
