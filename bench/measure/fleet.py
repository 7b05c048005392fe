"""The coordinator: gives each device its next case, hands out rows, and gets over lost devices.

Each device has a thread here, with a connection to an agent there (`bench.transport.dask`), on which the same runner
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
from functools import partial

from bench.artifact.artifact import Artifact
from bench.base.errors import BenchError, FleetError, LinkLost, MeasureError, UnknownName, Unreachable
from bench.export import ensure
from bench.measure.rows import failed_row
from bench.measure.runner import Observer, Runner
from bench.plan.case import Case, Network, Plan
from bench.plan.target import ANY
from bench.rows.schema import Row
from bench.transport.dask import DaskClient, DaskTransport, Device, Tls, devices

LOOK_S = 1.0
LOSSES = 3  # a case under which so many devices were lost may be what kills them
ENDING_S = 20.0

Ended = tuple[Row, list[dict[str, object]]]  # with its raw samples


@dataclass
class Coordinator:
    """Measures a plan on a fleet. `run` yields each row with its raw samples, once, as soon as it is there."""

    client: DaskClient
    plan: Plan
    scheduler: str
    tls: Tls | None = None
    patience_s: float = 60.0
    tell: Callable[[str], None] = lambda text: None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    def __post_init__(self) -> None:
        self._todo: dict[str, deque[tuple[Case, int]]] = {}
        for case in self.plan.cases:
            self._todo.setdefault(case.target, deque()).append((case, 0))
        self._devices: dict[str, Device] = {}
        self._refused: dict[str, BenchError] = {}  # devices that cannot measure for us, by address
        self._crews: dict[str, tuple[threading.Thread, DaskTransport]] = {}
        self._artifacts: dict[str, Artifact | BenchError] = {}
        self._exporting = threading.Lock()  # one export at a time: it may take gigabytes
        self._events: queue.SimpleQueue[Ended | str | Exception] = queue.SimpleQueue()
        self._seen: dict[str, float] = {}  # when a device of a target was last there
        self._looked = -LOOK_S
        self._stopping = False

    def run(self) -> Generator[Ended, None, None]:
        """Yield every case's row, whatever becomes of it.

        Raises:
            UnknownName: no device of a target of the plan is there, nor comes within the patience.
            FleetError: the scheduler is gone.
        """
        self._muster()
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
            self._recall()

    def _muster(self) -> None:
        """Wait until each target of the plan has a device."""
        begin = time.monotonic()
        while True:
            there = {d.target for d in self._alive().values()}
            absent = [t for t in self._todo if t not in there and (t != ANY or not there)]
            if not absent:
                break
            if time.monotonic() - begin > self.patience_s:
                if not there:
                    raise FleetError("the scheduler has no devices", "start some with `bench targets serve`")
                raise UnknownName("target in the fleet", absent[0], there, "bench targets status")
            self.tell(f"waiting for a device of {absent[0]}")
            time.sleep(LOOK_S / 4)
        self._seen = dict.fromkeys(self._todo, time.monotonic())

    def _alive(self) -> dict[str, Device]:
        if self.client.status not in ("running", "connecting"):
            raise FleetError("the scheduler is gone", "start it, and give the same command with --resume")
        return devices(self.client) if self.client.status == "running" else {}

    def _look_around(self) -> None:
        """Once a second: which devices are there, which have nothing to do, whose target has no device any more."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        self._devices = self._alive()
        able = {a: d for a, d in self._devices.items() if a not in self._refused}
        for address, here in able.items():
            if address not in self._crews and self._next(here) is not None:
                alive = partial(self._belongs, address)
                transport = DaskTransport(self.scheduler, here, self.tls, alive)
                thread = threading.Thread(target=self._crew, args=(here, transport), daemon=True)
                self._crews[address] = thread, transport
                thread.start()
        there = {d.target for d in able.values()}
        for target, waiting in self._todo.items():
            if target in there or (target == ANY and there):
                self._seen[target] = now
                continue
            named = {a for a, d in self._devices.items() if target in (d.target, ANY)}
            refusals = [error for address, error in self._refused.items() if address in named]
            while waiting and (refusals or now - self._seen[target] > self.patience_s):
                case, losses = waiting.popleft()
                why = "its device was lost, and no other" if losses else "no device"
                absent = MeasureError(f"{why} of target {target} was there for {self.patience_s:g} s")
                self._fail(case, refusals[0] if refusals else absent)

    def _belongs(self, address: str) -> bool:
        return address in self._devices and not self._stopping

    def _next(self, here: Device) -> deque[tuple[Case, int]] | None:
        return self._todo.get(here.target) or self._todo.get(ANY) or None

    def _crew(self, here: Device, transport: DaskTransport) -> None:
        """Measure on one device, one case after the other, until there is nothing left for it or it is lost."""
        try:
            while not self._stopping and not transport.given_up and here.address not in self._refused:
                try:
                    planned, losses = self._todo[here.target if self._todo.get(here.target) else ANY].popleft()
                except (KeyError, IndexError):
                    break
                self._measure(replace(planned, target=here.target), planned, losses, here, transport)
        except Exception as error:
            self._events.put(error)
        finally:
            transport.close()
            self._crews.pop(here.address, None)

    def _measure(self, case: Case, planned: Case, losses: int, here: Device, transport: DaskTransport) -> None:
        samples: list[dict[str, object]] = []

        def step(case: Case, replicate: int, doing: str) -> None:
            if self._stopping:
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
            self._refused[here.address] = error
            self._todo[planned.target].appendleft((planned, losses))
            return
        except LinkLost:
            with suppress(LinkLost):
                transport.reopen()
        except BenchError as error:
            return self._fail(case, error)
        if self._stopping:
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

    def _recall(self) -> None:
        """Cut every connection: what is measured ends with its agent."""
        self._stopping = True
        crews = list(self._crews.values())
        for _, transport in crews:
            transport.cut()
        deadline = time.monotonic() + ENDING_S
        for thread, _ in crews:
            thread.join(max(0.0, deadline - time.monotonic()))
