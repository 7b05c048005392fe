"""The coordinator: gives each device its next case, hands out rows, and gets over lost devices.

Each device has a thread here, with a connection to an agent there (`bench.measure.crews`), on which the same runner
measures that measures on any device. Which device measures what is decided here, because only here it is known what was
being measured when a device was lost. What is finished is not kept.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from bench.artifact.artifact import Artifact
from bench.base.errors import BenchError, LinkLost, MeasureError, Unreachable
from bench.export import ensure
from bench.measure.crews import LOOK_S, Crews, nobody
from bench.measure.rows import failed_row
from bench.measure.runner import Observer, Runner
from bench.plan.case import Case, Network, Plan
from bench.plan.target import ANY
from bench.rows.schema import Row
from bench.transport.dask import DaskClient, DaskTransport, Device

LOSSES = 3  # a case under which so many devices were lost may be what kills them

Ended = tuple[Row, list[dict[str, object]]]  # with its raw samples


@dataclass
class Coordinator:
    """Measures a plan on a fleet. `run` yields each row with its raw samples, once, as soon as it is there."""

    client: DaskClient
    plan: Plan
    patience_s: float = 60.0
    tell: Callable[[str], None] = lambda text: None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    def __post_init__(self) -> None:
        self._todo: dict[str, deque[tuple[Case, int]]] = {}
        for case in self.plan.cases:
            self._todo.setdefault(case.target, deque()).append((case, 0))
        self._artifacts: dict[str, Artifact | BenchError] = {}
        self._exporting = threading.Lock()  # one export at a time: it may take gigabytes
        self._events: queue.SimpleQueue[Ended | str | Exception] = queue.SimpleQueue()
        self._seen: dict[str, float] = {}  # when a device of a target was last there
        self._crews = Crews(self.client, lambda here: bool(self._next(here)), self._work, self._events.put)

    def run(self) -> Generator[Ended, None, None]:
        """Yield every case's row, whatever becomes of it.

        Raises:
            UnknownName: no device of any target of the plan is there, nor comes within the patience.
            FleetError: the scheduler is gone.
        """
        absent = self._crews.muster(self._todo, self.patience_s, self.tell)
        now = time.monotonic()
        self._seen = {target: now - self.patience_s * (target in absent) for target in self._todo}
        left = len(self.plan.cases)
        try:
            while left:
                self._look_around()
                try:
                    event = self._events.get(timeout=LOOK_S)
                except queue.Empty:
                    continue
                if isinstance(event, str):
                    self.tell(event)
                elif isinstance(event, Exception):
                    raise event
                else:
                    left -= 1
                    yield event
        finally:
            self._crews.recall()

    def _look_around(self) -> None:
        """Once a second: who is there, and whose target has no device any more."""
        if not self._crews.look():
            return
        now, refused = time.monotonic(), self._crews.refused
        there = {d.target for d in self._crews.able().values()}
        for target, waiting in self._todo.items():
            if target in there or (target == ANY and there):
                self._seen[target] = now
                continue
            named = {a for a, d in self._crews.devices.items() if target in (d.target, ANY)}
            refusals = [error for address, error in refused.items() if address in named]
            while waiting and (refusals or now - self._seen[target] > self.patience_s):
                case, losses = waiting.popleft()
                self._fail(case, refusals[0] if refusals else nobody(target, self.patience_s, losses > 0))

    def _next(self, here: Device) -> deque[tuple[Case, int]] | None:
        return self._todo.get(here.target) or self._todo.get(ANY) or None

    def _work(self, here: Device, transport: DaskTransport) -> None:
        """Measure on one device, one case after the other, until there is nothing left for it or it is lost."""
        while not self._crews.stopping and not transport.given_up and here.address not in self._crews.refused:
            try:
                planned, losses = self._todo[here.target if self._todo.get(here.target) else ANY].popleft()
            except (KeyError, IndexError):
                break
            self._measure(replace(planned, target=here.target), planned, losses, here, transport)

    def _measure(self, case: Case, planned: Case, losses: int, here: Device, transport: DaskTransport) -> None:
        samples: list[dict[str, object]] = []

        def step(case: Case, replicate: int, doing: str) -> None:
            if self._crews.stopping:
                transport.cut()

        observer = Observer(
            exporting=lambda case: self._events.put(f"exporting {case.model.canonical}"),
            step=step,
            samples=samples.extend,
        )
        try:
            transport.hello()
            with transport.alone():
                plan = Plan((case,), self.plan.protocol)
                (row,) = Runner(plan, [], observer, self.run_id, transport, self._artifact).run()
            if not transport.given_up:
                self._events.put(f"{here.name or here.address}: {case}")
                self._events.put((row, samples))
                return
        except Unreachable as error:
            self._crews.refused[here.address] = error
            self._todo[planned.target].appendleft((planned, losses))
            return
        except LinkLost:
            with suppress(LinkLost):
                transport.reopen()
        except BenchError as error:
            return self._fail(case, error)
        if self._crews.stopping:
            return
        if losses + 1 < LOSSES:
            self._todo[planned.target].appendleft((planned, losses + 1))
        else:
            self._fail(planned, MeasureError(f"its device was lost {LOSSES} times while it was measured"))

    def _artifact(self, network: Network, seed: int, exporting: Callable[[], None], timeout_s: float) -> Artifact:
        """Export a network, once."""
        key = str(network)
        with self._exporting:
            if key not in self._artifacts:
                try:
                    self._artifacts[key] = ensure(network, seed, exporting, timeout_s)
                except BenchError as error:
                    self._artifacts[key] = error
        found = self._artifacts[key]
        if isinstance(found, BenchError):
            raise found
        return found

    def _fail(self, case: Case, error: BenchError) -> None:
        row = failed_row(case, self.plan.protocol, self.run_id, error)
        self._events.put((row, []))
