"""The measuring engine: cases side by side on one device, a fresh worker each, and what to do when the link is lost.

Whoever measures (a run, pairs, replicates of a finding, profiles) opens a `Group`, decides whose turn it is, and gets
blocks. All workers are started before anything is loaded, because an interpreter that starts disturbs what is timed
beside it; loading and warming are done one case at a time. The cores are chosen once for a group, by one of its
workers, so that the sides of a comparison run on the same ones.

The engine blocks on a worker's pipe while a block runs, so it burns no CPU beside the measurement.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Self, TypeVar, Unpack

from bench.artifact.artifact import Artifact
from bench.backends.answers import Block, Closed, Energy, Inspected, Mark
from bench.base.errors import BenchError, LinkLost, MeasureError
from bench.measure.bring import SIDES, bring
from bench.measure.launch import Launch
from bench.measure.readback import fault_of
from bench.measure.state import LaunchRecord
from bench.plan.case import Case
from bench.plan.protocol import Warming
from bench.transport.base import Transport
from bench.transport.local import LocalTransport

# Connections on which something is tried. A case that takes the device down is to fail, not to be tried for ever.
ATTEMPTS = 3

Told = Callable[[Case, str], None]
T = TypeVar("T")


@dataclass
class Session:
    """One launch of one case: what it brought, what it cost, and the error that ended it, if one did."""

    case: Case
    artifact: Artifact
    record: LaunchRecord = field(default_factory=lambda: LaunchRecord({}))
    inspected: Inspected | None = None
    error: BenchError | None = None
    spent_s: float = 0.0

    def raw(self) -> dict[str, object]:
        """Return all that it brought, counters included, so that every statistic can be computed again."""
        return {
            **self.case.identity(),
            **self.record.loaded,
            "warmup_ns": self.record.warmed.get("warmup_ns", []),
            "blocks": self.record.blocks,
            "inspected": self.inspected,
            **({"energy": self.record.energy} if self.record.energy is not None else {}),
        }


class Group:
    """Cases side by side. Use as a context manager: no worker outlives the block.

    What goes wrong costs its own case, whose session keeps the error and gets no more turns. Where the cases are of
    use only `together`, the first error is raised, and says whose it is: A's, of two.

    Raises:
        LinkLost: from any method, where the device is another machine and the connection has broken.
    """

    def __init__(
        self,
        jobs: Iterable[tuple[Case, Artifact]],
        timeout_s: float,
        transport: Transport | None = None,
        cores: Sequence[int] = (),
        together: bool = False,
        told: Told = lambda case, doing: None,
    ) -> None:
        self.sessions = [Session(case, artifact) for case, artifact in jobs]
        self._transport = transport or LocalTransport()
        self._timeout_s = timeout_s
        self._cores = list(cores)
        self._together = together
        self._told = told
        self._launches: dict[int, Launch] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def alive(self) -> list[int]:
        """The numbers of the cases that nothing has ended yet."""
        return [i for i, session in enumerate(self.sessions) if session.error is None]

    def begin(self, order: Sequence[int], warming: Warming) -> None:
        """Start all workers, choose cores, then load and warm one case after the other, in this order.

        Artifacts are converted and brought to the device before that.
        """
        folders: dict[int, str] = {}
        for i in order:
            with self._on(i) as session:
                converting = partial(self._told, session.case, "converting")
                folders[i] = bring(self._transport, session.case, session.artifact, converting)
        for i in folders:
            with self._on(i) as session:
                launch = Launch(session.case, self._timeout_s, self._transport)
                self._launches[i] = self._stack.enter_context(launch)
        asked = [session.case.settings.cores for session in self.sessions]
        most = 0 if None in asked else max((n for n in asked if n is not None), default=1)  # 0: as many as there are
        chosen: list[int] | None = None
        for i in reversed(order):  # the last to be started: when it answers, the others have most likely started, too
            if chosen is None and self.sessions[i].error is None:
                with self._on(i):
                    chosen = self._launches[i].choose(most, self._cores)
        for i in order:
            if self.sessions[i].error is None:
                with self._on(i) as session:
                    self._told(session.case, "loading")
                    mine = (chosen or [])[-(session.case.settings.cores or len(chosen or [])) :]
                    session.record.loaded = self._launches[i].load(folders[i], mine)
                    self._told(session.case, "warming up")
                    session.record.warmed = self._launches[i].warm(warming)

    def reload(self, order: Sequence[int]) -> None:
        """Load models anew, so that their memory lands elsewhere."""
        for i in order:
            self.ask(i, "reload", "loading", dict[str, int])

    def blocks(
        self, order: Sequence[int], n: int | None = None, heat: bool = False, **mark: Unpack[Mark]
    ) -> list[tuple[int, Block]]:
        """Give cases their turns; return each block with its case's number.

        A block has `n` inferences, or as many as warming found, and tells clock and temperature where `heat` is asked.
        Sessions keep theirs, marked.
        """
        found = []
        for i in order:
            size = n or self.sessions[i].record.warmed.get("n")
            block = self.ask(i, "block", "measuring", Block, n=size, **({"heat": True} if heat else {}))
            if block is not None:
                block = {**block, **mark}
                self.sessions[i].record.blocks.append(block)
                found.append((i, block))
        return found

    def inspect(self, i: int) -> None:
        """Ask what really ran, unless the case has failed."""
        found = self.ask(i, "inspect", "reading back", Inspected)
        self.sessions[i].inspected = found
        if found is not None:
            self._compared(i, found["parity_rel_l2"])

    def energy(self, i: int, meter: str) -> None:
        """Ask what energy an inference takes, by that meter, unless the case has failed."""
        self.sessions[i].record.energy = self.ask(i, "energy", "measuring energy", Energy, meter=meter)

    def check(self) -> None:
        """Ask every case what really ran; it fails where that is not what was asked, or computes something else."""
        for i in self.alive:
            self.inspect(i)
            session = self.sessions[i]
            if session.inspected is not None:
                parity = session.record.loaded["parity_rel_l2"]
                fault = fault_of(session.case, session.artifact, parity, session.inspected)
                if fault is not None:
                    status, reason = fault
                    hint = "a wrong network has no speed" if status in ("mismatch", "failed") else "ask for what runs"
                    with self._on(i):
                        raise _fault(status, f"{session.case}: {reason}" if self._together else reason, hint)

    def close(self, i: int) -> None:
        """Let a case go, and keep what it says of its memory and of its last output."""
        closed = self.ask(i, "close", "closing", Closed)
        if closed is not None:
            record = self.sessions[i].record
            record.peak_rss_bytes = closed["peak_rss_bytes"]
            for block in record.blocks if closed.get("slowed") else ():  # any of them may have been hit
                block["slowed"] = sorted({*block.get("slowed", ()), *closed.get("slowed", ())})
            self._compared(i, closed["parity_rel_l2"])
            self._launches[i].kill()

    def _compared(self, i: int, parity: float) -> None:
        """Keep the worst parity of a launch: right at first is not right."""
        loaded = self.sessions[i].record.loaded
        loaded["parity_rel_l2"] = max(loaded["parity_rel_l2"], parity)

    def ask(self, i: int, do: str, doing: str, expected: type[T], **request: object) -> T | None:
        """Ask a worker; None where its case has failed."""
        if self.sessions[i].error is not None:
            return None
        answer = None
        with self._on(i) as session:
            self._told(session.case, doing)
            answer = self._launches[i].ask(do, expected, **request)
        return answer

    @contextmanager
    def _on(self, i: int) -> Iterator[Session]:
        """Count the time inside, and keep what goes wrong there, on account of this case."""
        session, begin = self.sessions[i], time.monotonic()
        try:
            yield session
        except LinkLost:
            raise
        except BenchError as error:
            session.error = error
            if self._together:
                if len(self.sessions) > 1:
                    error.of(SIDES[i])
                raise
        finally:
            session.spent_s += time.monotonic() - begin


def _fault(status: str, reason: str, hint: str) -> MeasureError:
    error = MeasureError(reason, hint)
    error.status = status
    return error


def steady(
    transport: Transport,
    items: Sequence[T],
    attempt: Callable[[Sequence[T]], None],
    lost: Callable[[T, LinkLost], None],
    told: Callable[[], None] = lambda: None,
) -> None:
    """Let `attempt` work on the items, and once more from a new connection where the link to the device is lost.

    An attempt must leave nothing behind until it has come to its end, or go on where it stopped. Items that lose the
    link time and again are tried one by one, so that one which takes the device down fails alone; what fails, or stays
    out of reach, goes to `lost`. `told` hears of every new connection.
    """
    for _ in range(ATTEMPTS):
        try:
            attempt(items)
            return
        except LinkLost as error:
            broken = error
        try:
            told()
            transport.reopen()
        except LinkLost as away:
            for item in items:
                lost(item, away)
            return
    for item in items:
        if len(items) > 1:
            steady(transport, [item], attempt, lost, told)
        else:
            lost(item, broken)


def anew(transport: Transport, attempt: Callable[[], T]) -> T:
    """Return what `attempt` does, tried as `steady` tries one item.

    Raises:
        LinkLost: the device stays out of reach, or goes away each time.
    """
    found: list[T] = []

    def fail(_: None, error: LinkLost) -> None:
        raise error

    steady(transport, [None], lambda _: found.append(attempt()), fail)
    return found[0]
