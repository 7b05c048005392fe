"""The parent: takes the cases of a plan through their launches, rounds and blocks, and hands out rows.

How a replicate goes, and what becomes of it when the link to the device is lost, is `bench.measure.engine`'s.
"""

from __future__ import annotations

import heapq
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from bench.artifact.artifact import Artifact
from bench.base.errors import BenchError, LinkLost
from bench.export import ensure
from bench.machine.environment import Environment, pick_cores
from bench.measure.bring import bring, exported
from bench.measure.engine import Group, steady
from bench.measure.evidence import weigh
from bench.measure.ratios import Ratio, ratios
from bench.measure.rounds import groups, shuffled
from bench.measure.rows import build_row
from bench.measure.state import CaseState
from bench.plan.case import Case, Network, Plan
from bench.rows.schema import Row
from bench.transport.base import Transport
from bench.transport.local import LocalTransport

WAIT_S = 1.0


@dataclass
class Observer:
    """What the runner tells while it works; by default nobody listens."""

    exporting: Callable[[Case], None] = lambda case: None
    converting: Callable[[Case], None] = lambda case: None
    remark: Callable[[Case, str], None] = lambda case, remark: None
    step: Callable[[Case, int, str], None] = lambda case, replicate, doing: None
    samples: Callable[[list[dict[str, object]]], None] = lambda records: None
    compared: Callable[[list[Ratio]], None] = lambda found: None


@dataclass
class Runner:
    """Measures a plan on the device at the end of `transport`. `run` yields each case's row as soon as it has ended.

    A connection that is lost costs the launches that were under way, on a device that is there again: they are
    measured anew. What stays out of reach fails.
    """

    plan: Plan
    cores: list[int] = field(default_factory=list)
    observer: Observer = field(default_factory=Observer)
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    transport: Transport = field(default_factory=LocalTransport)
    artifact_of: Callable[[Network, int, Callable[[], None], float], Artifact] = ensure
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    environment: Environment = field(init=False)
    _remarked: set[tuple[str, str]] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.environment = self.transport.environment()

    def run(self) -> Iterator[Row]:
        """Measure every case and yield its row, whatever becomes of it.

        Groups follow one another; where launches are spread over some time, a group that waits for its turn lets the
        others go on, so that a long plan takes no longer for it.
        """
        size = self.plan.protocol.live
        fresh = [self._group(group) for group in groups(len(self.plan.cases), size)][::-1]
        paused: list[tuple[float, int, Iterator[Row | float]]] = []
        while fresh or paused:
            if fresh and not (paused and paused[0][0] <= self.now()):
                turn, group = len(fresh), fresh.pop()
            else:
                due, turn, group = heapq.heappop(paused)
                self.sleep(max(0.0, due - self.now()))
            for told in group:
                if not isinstance(told, Row):
                    heapq.heappush(paused, (told, turn, group))
                    break
                yield told

    def _group(self, group: range) -> Iterator[Row | float]:
        """Measure the cases of a group side by side: yield their rows, and when the next launches are due."""
        protocol = self.plan.protocol
        states = [CaseState(self.plan.cases[i], first=protocol.launches) for i in group]
        waiting = list(range(len(states)))
        for state in states:
            self._prepare(state)
        ended: list[tuple[CaseState, Row]] = []
        replicate, begin = 0, self.now()
        while waiting:
            live = [i for i in waiting if states[i].wants_more(protocol, self.now() - begin)]
            for i in sorted(set(waiting) - set(live)):
                ended.append((states[i], build_row(states[i], protocol, self.environment, self.run_id)))
                yield ended[-1][1]
                states[i].remember(self.environment, self.run_id)
            waiting = live
            if live:
                if replicate and protocol.over_s:
                    due = begin + replicate * protocol.over_s / max(1, protocol.spread - 1)
                    yield min(due, begin + protocol.over_s)
                order = [states[i] for i in shuffled(live, protocol.seed, group.start, replicate)]
                told = partial(self.observer.step, order[0].case, replicate, "connecting anew for")
                steady(self.transport, order, partial(self._replicate, replicate=replicate), _lost, told)
                replicate += 1
                self._wait([states[i] for i in live])
        self.observer.compared(ratios(ended))

    def _prepare(self, state: CaseState) -> None:
        state.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            # Before an export that would be for nothing.
            pick_cores(state.case.settings.least_cores, self.cores or self.transport.usable_cores())
            case, protocol = state.case, self.plan.protocol
            exporting = partial(self.observer.exporting, case)
            converting = partial(self.observer.converting, case)
            state.artifact = exported(case, protocol.seed, exporting, converting, protocol.timeout_s, self.artifact_of)
            self._remark(state.case, state.artifact)
        except BenchError as error:
            state.error = error

    def _remark(self, case: Case, artifact: Artifact) -> None:
        """Tell what a person should know of a network, once."""
        missing = f"macs is empty: {', '.join(artifact.uncounted)} cannot be counted" if artifact.uncounted else ""
        for remark in filter(None, (missing, *artifact.remarks)):
            if (str(case.network), remark) not in self._remarked:
                self._remarked.add((str(case.network), remark))
                self.observer.remark(case, remark)

    def _replicate(self, states: Sequence[CaseState], replicate: int) -> None:
        """Give every case one launch, from which the cases take turns in rounds."""
        protocol = self.plan.protocol
        self._upload(states)
        live = [state for state in states if state.error is None]
        jobs = [(state.case, state.artifact) for state in live if state.artifact is not None]

        def step(case: Case, doing: str) -> None:
            self.observer.step(case, replicate, doing)

        with Group(jobs, protocol.timeout_s, self.transport, self.cores, told=step) as group:
            try:
                group.begin(range(len(jobs)), protocol.warming)
                for turn in range(protocol.rounds):
                    group.blocks(shuffled(group.alive, protocol.seed, replicate, turn, 1), round=turn)
                for i in group.alive:
                    if live[i].inspected is None:
                        group.inspect(i)
                    group.close(i)
            except LinkLost:
                raise  # measured anew: what it brought is forgotten, so that no launch is recorded twice
            except BaseException:
                self._tell(group, replicate)
                raise
            self._tell(group, replicate)
            for state, session in zip(live, group.sessions, strict=True):
                state.take(session.record, session.inspected, session.error, session.spent_s, self.environment)

    def _upload(self, states: Sequence[CaseState]) -> None:
        """Bring the artifacts to the device, which is no part of a case's budget."""
        for state in states:
            try:
                if state.artifact is not None:
                    bring(self.transport, state.case, state.artifact, partial(self.observer.converting, state.case))
            except LinkLost:
                raise
            except BenchError as error:
                state.error = error

    def _tell(self, group: Group, replicate: int) -> None:
        """Hand out everything that the launches brought."""
        place = {"run_id": self.run_id, "launch": replicate, "seed": self.plan.protocol.seed}
        brought = [session for session in group.sessions if session.record.loaded]
        self.observer.samples([{**place, "case_id": s.case.id, **s.raw()} for s in brought])

    def _wait(self, states: list[CaseState]) -> None:
        """Give a neighbour time to leave, when the last launches of all cases were disturbed from end to end."""
        found = [
            weigh([s.launches[-1].blocks], s.reference, s.threads) for s in states if s.launches and s.error is None
        ]
        if found and not any(e.sound for e in found):
            self.sleep(WAIT_S)
            for state in states:
                state.spent_s += WAIT_S


def _lost(state: CaseState, error: LinkLost) -> None:
    state.error = state.error or error
