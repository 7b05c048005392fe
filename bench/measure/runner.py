"""The parent: takes the cases of a plan through their launches, rounds and blocks, and hands out rows.

It blocks on a worker's pipe while a block runs, so it burns no CPU beside the measurement. Loading and warming are
done one case at a time, never while another case is being timed.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bench.artifact.artifact import Artifact
from bench.base.errors import BenchError, LinkLost
from bench.export import ensure
from bench.machine.environment import Environment, pick_cores
from bench.measure.evidence import weigh
from bench.measure.launch import Launch
from bench.measure.rounds import groups, shuffled
from bench.measure.rows import CaseState, LaunchRecord, build_row
from bench.plan.case import Case, Network, Plan
from bench.rows.schema import Row
from bench.transport.base import Reach
from bench.transport.local import LocalReach

WAIT_S = 1.0
# Connections on which a wave is tried. A case that takes the device down is to fail, not to be tried for ever.
ATTEMPTS = 3


@dataclass
class Observer:
    """What the runner tells while it works; by default nobody listens."""

    exporting: Callable[[Case], None] = lambda case: None
    step: Callable[[Case, int, str], None] = lambda case, wave, doing: None
    samples: Callable[[list[dict[str, Any]]], None] = lambda records: None


@dataclass
class Runner:
    """Measures a plan on the device at the end of `reach`. `run` yields each case's row as soon as it has ended.

    A connection that is lost costs the launches that were under way, on a device that is there again: they are
    measured anew. What stays out of reach fails.
    """

    plan: Plan
    cores: list[int] = field(default_factory=list)
    observer: Observer = field(default_factory=Observer)
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    reach: Reach = field(default_factory=LocalReach)
    artifact_of: Callable[[Network, int, Callable[[], None]], Artifact] = ensure
    environment: Environment = field(init=False)

    def __post_init__(self) -> None:
        self.environment = self.reach.environment()

    def run(self) -> Iterator[Row]:
        """Measure every case and yield its row, whatever becomes of it."""
        protocol = self.plan.protocol
        for group in groups(len(self.plan.cases), protocol.live):
            states = [CaseState(self.plan.cases[i], first=protocol.launches) for i in group]
            waiting = list(range(len(states)))
            for state in states:
                self._prepare(state)
            wave = 0
            while waiting:
                live = [i for i in waiting if states[i].wants_more(protocol)]
                for i in sorted(set(waiting) - set(live)):
                    yield build_row(states[i], protocol, self.environment, self.run_id)
                waiting = live
                if live:
                    self._steady([states[i] for i in shuffled(live, protocol.seed, group.start, wave)], wave)
                    wave += 1
                    self._wait([states[i] for i in live])

    def _prepare(self, state: CaseState) -> None:
        state.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            # Before an export that would be for nothing.
            pick_cores(state.case.settings.threads, self.cores or self.reach.usable_cores())
            exporting = partial(self.observer.exporting, state.case)
            state.artifact = self.artifact_of(state.case.network, self.plan.protocol.seed, exporting)
        except BenchError as error:
            state.error = error

    def _steady(self, states: list[CaseState], wave: int) -> None:
        """Run a wave, and once more from a new connection where the link to the device is lost.

        Cases that lose it time and again are tried one by one, so that one which takes the device down fails alone.
        """
        before = [(len(state.launches), state.spent_s) for state in states]
        for _ in range(ATTEMPTS):
            try:
                self._carry(states)
                self._wave([state for state in states if state.error is None], wave)
                return
            except LinkLost as error:
                lost = error
            for state, (launches, spent_s) in zip(states, before, strict=True):
                del state.launches[launches:]
                state.spent_s = spent_s
            try:
                self.observer.step(states[0].case, wave, "connecting anew for")
                self.reach.reopen()
            except LinkLost as error:
                for state in states:
                    state.error = state.error or error
                return
        for state in states:
            if len(states) > 1:
                self._steady([state], wave)
            else:
                state.error = state.error or lost

    def _carry(self, states: list[CaseState]) -> None:
        """Bring the artifacts to the device, which is no part of a case's budget."""
        for state in states:
            try:
                if state.artifact is not None:
                    self.reach.carry(state.artifact, state.case.backend.name)
            except LinkLost:
                raise
            except BenchError as error:
                state.error = error

    def _wave(self, states: list[CaseState], wave: int) -> None:
        """Give every case one launch: load and warm each alone, then interleave their blocks in rounds."""
        protocol = self.plan.protocol
        alive: dict[int, tuple[Launch, LaunchRecord]] = {}
        with ExitStack() as stack:
            try:
                for i, state in enumerate(states):
                    with _on_account_of(state):
                        launch = stack.enter_context(Launch(state.case, protocol.timeout_s, self.reach))
                        alive[i] = launch, self._load(launch, state, wave)
                        self._warm(*alive[i], state, wave)
                for turn in range(protocol.rounds):
                    for i in shuffled(list(alive), protocol.seed, wave, turn, 1):
                        launch, record = alive[i]
                        if states[i].error is None:
                            with _on_account_of(states[i]):
                                self.observer.step(states[i].case, wave, "measuring")
                                block = launch.ask("block", n=record.warmed["n"])
                                record.blocks.append(block | {"round": turn})
                for i, (launch, record) in alive.items():
                    states[i].learn(self.environment, record)
                    if states[i].error is None:
                        with _on_account_of(states[i]):
                            if states[i].inspected is None:
                                self.observer.step(states[i].case, wave, "reading back")
                                states[i].inspected = launch.ask("inspect")
                            record.peak_rss_bytes = launch.ask("close")["peak_rss_bytes"]
                            launch.kill()
            except LinkLost:
                alive.clear()  # measured anew, so that no launch is recorded twice
                raise
            finally:
                self.observer.samples([self._raw(states[i], record, wave) for i, (_, record) in alive.items()])

    def _wait(self, states: list[CaseState]) -> None:
        """Give a neighbour time to leave, when the last launches of all cases were disturbed from end to end."""
        found = [weigh([s.launches[-1].blocks], s.usual) for s in states if s.launches and s.error is None]
        if found and not any(e.sound for e in found):
            time.sleep(WAIT_S)
            for state in states:
                state.spent_s += WAIT_S

    def _load(self, launch: Launch, state: CaseState, wave: int) -> LaunchRecord:
        assert state.artifact is not None
        self.observer.step(state.case, wave, "loading")
        chosen = launch.choose(state.case.settings.threads, self.cores)
        folder = self.reach.carry(state.artifact, state.case.backend.name)
        record = LaunchRecord(launch.load(folder, chosen["cores"]) | {"emulated": chosen["emulated"]})
        state.launches.append(record)
        state.recall(self.environment, record)
        return record

    def _warm(self, launch: Launch, record: LaunchRecord, state: CaseState, wave: int) -> None:
        protocol = self.plan.protocol
        self.observer.step(state.case, wave, "warming up")
        record.warmed = launch.warm(
            protocol.warmup_ms, protocol.warmup_min_inferences, protocol.block_ms, protocol.block_min_inferences
        )

    def _raw(self, state: CaseState, record: LaunchRecord, wave: int) -> dict[str, Any]:
        """Everything that one launch brought, so that every statistic can be computed again."""
        return {
            "run_id": self.run_id,
            "case_id": state.case.id,
            **state.case.identity(),
            "launch": wave,
            "seed": self.plan.protocol.seed,
            **record.loaded,
            "warmup_ns": record.warmed.get("warmup_ns", []),
            "blocks": record.blocks,
            "inspected": state.inspected if wave == 0 else None,
        }


class _on_account_of:
    """What goes wrong inside costs this case and nothing else, but for a lost link; the time inside is spent on it."""

    def __init__(self, state: CaseState) -> None:
        self._state = state

    def __enter__(self) -> None:
        self._begin = time.monotonic()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self._state.spent_s += time.monotonic() - self._begin
        if isinstance(error, BenchError) and not isinstance(error, LinkLost):
            self._state.error = error
            return True
        return False
