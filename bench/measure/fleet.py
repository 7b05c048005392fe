"""The coordinator: gives each device its next case, brings the artifacts, hands out rows, and gets over lost devices.

It keeps what is not finished and nothing of what is. Dask carries the tasks and says which workers live; which device
measures what is decided here, because only here it is known what a device lacks.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import bench
from bench.base.errors import BenchError, FleetError, MeasureError, UnknownName, clip, first_line
from bench.export import ensure
from bench.measure import device, record, upload
from bench.measure.bundle import Bundle, pack
from bench.measure.flight import Delivery, Ended, Flight, drop
from bench.plan import shapes
from bench.plan.case import Case, Plan
from bench.plan.target import ANY
from bench.rows.schema import STATUSES, Row
from bench.transport.dask import SLOT, TAG, Device, devices

LOOK_S = 1.0
LOSSES = 3  # a case under which so many devices were lost may be what kills them
DEPTH = 2  # cases at a device: one that is measured, one that waits, so that it never waits for us


@dataclass
class Coordinator:
    """Measures a plan on a fleet. `run` yields each row with its raw samples, once, as soon as it is there."""

    client: Any
    plan: Plan
    patience_s: float = 60.0
    tell: Callable[[str], None] = lambda text: None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    def __post_init__(self) -> None:
        self._todo: dict[str, deque[tuple[Case, int]]] = {}
        for case in self.plan.cases:
            self._todo.setdefault(case.target, deque()).append((case, 0))
        self._devices: dict[str, Device] = {}
        self._flights: dict[str, list[Flight]] = {}  # by the device's address
        self._deliveries: dict[tuple[str, str], Delivery] = {}  # by address and hash
        self._bundles: dict[str, Bundle | BenchError] = {}
        self._events: queue.SimpleQueue[Callable[[], Ended | None]] = queue.SimpleQueue()
        self._ended: deque[Ended] = deque()
        self._seen: dict[str, float] = {}  # when a device of a target was last there
        self._looked = -LOOK_S
        self._numbers = itertools.count()

    def run(self) -> Generator[Ended, None, None]:
        """Yield every case's row, whatever becomes of it.

        Raises:
            UnknownName: no device of a target of the plan is there, nor comes within the patience.
            FleetError: the scheduler is gone.
        """
        self._muster()
        try:
            while any(self._todo.values()) or any(self._flights.values()) or self._ended:
                self._look_around()
                self._top_up()
                while self._ended:
                    yield self._ended.popleft()
                try:
                    ended = self._events.get(timeout=LOOK_S)()
                except queue.Empty:
                    continue
                if ended is not None:
                    yield ended
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
        """Once a second: which devices are there, whose cases are lost, which cases have no device any more."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        self._devices = self._alive()
        for address in [a for a in self._flights if a not in self._devices]:
            self._lost(address)
        there = {d.target for d in self._devices.values()}
        for target, waiting in self._todo.items():
            if target in there or (target == ANY and there):
                self._seen[target] = now
            elif waiting and now - self._seen[target] > self.patience_s:
                for case, losses in waiting:
                    why = "its device was lost, and no other" if losses else "no device"
                    self._fail(case, MeasureError(f"{why} of target {target} was there for {self.patience_s:g} s"))
                waiting.clear()

    def _lost(self, address: str) -> None:
        """Take back what a lost device had; it goes to a twin, or waits for one."""
        for key in [key for key in self._deliveries if key[0] == address]:
            drop(self._deliveries.pop(key).future)
        for position, flight in enumerate(self._flights.pop(address)):
            drop(flight.future)
            flight.future = None
            # Only the first can have been measured when the device was lost.
            self._again(flight, lost=position == 0)

    def _again(self, flight: Flight, lost: bool) -> None:
        losses = flight.losses + lost
        if losses < LOSSES:
            self._todo[flight.planned.target].appendleft((flight.planned, losses))
        else:
            self._fail(flight.planned, MeasureError(f"its device was lost {losses} times while it was measured"))

    def _top_up(self) -> None:
        """Give every device its next cases: fewer at a time towards the end, so that no device waits for another."""
        for depth in range(DEPTH):
            for address, here in self._devices.items():
                flights = self._flights.get(address, [])
                if len(flights) > depth or any(key[0] == address for key in self._deliveries):
                    continue
                mine = self._todo.get(here.target) or self._todo.get(ANY)
                if mine and (depth == 0 or len(mine) > len(self._devices)):
                    planned, losses = mine.popleft()
                    self._depart(planned, losses, here)

    def _depart(self, planned: Case, losses: int, here: Device) -> None:
        bundle = self._bundle(planned)
        if isinstance(bundle, BenchError):
            return self._fail(planned, bundle)
        flight = Flight(planned, losses, replace(planned, target=here.target), here.address, bundle)
        self._flights.setdefault(here.address, []).append(flight)
        self._send(flight)

    def _bundle(self, case: Case) -> Bundle | BenchError:
        """Export a case's model, once, and list what is to be carried."""
        key = json.dumps([case.model.canonical, case.resolution, case.settings.batch, case.settings.shapes])
        if key not in self._bundles:
            try:
                exporting = partial(self.tell, f"exporting {case.model.canonical}")
                self._bundles[key] = pack(ensure(case, self.plan.protocol.seed, exporting))
            except BenchError as error:
                self._bundles[key] = error
        return self._bundles[key]

    def _send(self, flight: Flight) -> None:
        order = record.Order(flight.case, self.plan.protocol, flight.bundle.hash, self.run_id)
        here = {SLOT: 1, f"{TAG}{flight.case.target}": 1}
        flight.future = self._submit(device.measure, (record.write(order),), flight.device, here)
        self._listen(flight.future, partial(self._measured, flight))

    def _submit(self, function: Callable[..., Any], arguments: tuple[Any, ...], address: str, needs: Any) -> Any:
        key = f"isoflops-{function.__name__}-{self.run_id}-{next(self._numbers)}"
        return self.client.submit(
            function, *arguments, key=key, workers=[address], resources=needs, pure=False, priority=0 if needs else 10
        )

    def _listen(self, future: Any, then: Callable[[Any], Ended | None]) -> None:
        """Have `then` called in the loop of `run` when the task has ended in whatever way."""
        future.add_done_callback(lambda done: self._events.put(partial(then, done)))

    def _measured(self, flight: Flight, future: Any) -> Ended | None:
        if flight.future is not future:
            return None  # taken back meanwhile
        answer = self._answer(future, flight.device)
        flight.future = None
        if "lacking" in answer:
            self._deliver(flight)
            return None
        self._flights[flight.device].remove(flight)
        error = upload.error_of(answer)
        if answer.get("away"):
            self._again(flight, lost=False)
        elif error is not None:
            self._fail(flight.case, error)
        else:
            return self._read(flight, answer)
        return None

    def _read(self, flight: Flight, answer: dict[str, Any]) -> Ended | None:
        """Unpack what a device measured, and check that it is the row of this case."""
        try:
            told = json.loads(gzip.decompress(answer["result"]))
            row, samples = Row(**told["row"]), list(told["samples"])
            if row.case_id != flight.case.id or row.run_id != self.run_id or row.status not in STATUSES:
                raise ValueError("the row of another case")
        except (KeyError, TypeError, ValueError, OSError, EOFError) as error:
            self._fail(flight.case, MeasureError(f"the device's answer does not read: {first_line(error)}"))
            return None
        self.tell(f"{self._devices[flight.device].name or flight.device}: {flight.case}"
                  if flight.device in self._devices else str(flight.case))  # fmt: skip
        return row, samples

    def _deliver(self, flight: Flight) -> None:
        """Bring the flight's bundle to its device, unless it is on its way already."""
        key = flight.device, flight.bundle.hash
        delivery = self._deliveries.get(key)
        if delivery is not None:
            delivery.waiting.append(flight)
            return
        self.tell(f"carrying {flight.case.model.canonical} to {flight.device}")
        self._deliveries[key] = Delivery(upload.steps(flight.bundle), [flight])
        self._step(key, None)

    def _step(self, key: tuple[str, str], answer: dict[str, Any] | None) -> None:
        """Take the next step of a delivery; at its end, let those that wait for it depart again."""
        delivery = self._deliveries[key]
        try:
            function, arguments = next(delivery.steps) if answer is None else delivery.steps.send(answer)
        except StopIteration:
            del self._deliveries[key]
            for flight in delivery.waiting:
                self._send(flight)
        except (BenchError, OSError) as error:
            del self._deliveries[key]
            for flight in delivery.waiting:
                self._flights[flight.device].remove(flight)
                self._fail(flight.case, error if isinstance(error, BenchError) else MeasureError(first_line(error)))
        else:
            delivery.future = self._submit(function, arguments, key[0], None)
            self._listen(delivery.future, partial(self._stepped, key, delivery))

    def _stepped(self, key: tuple[str, str], delivery: Delivery, future: Any) -> None:
        if self._deliveries.get(key) is not delivery:
            return
        answer = self._answer(future, key[0])
        if not answer.get("away"):
            return self._step(key, answer)
        del self._deliveries[key]
        for flight in delivery.waiting:
            self._flights[flight.device].remove(flight)
            self._again(flight, lost=False)

    def _fail(self, case: Case, error: BenchError) -> None:
        hint = f" ({error.hint})" if error.hint else ""
        row = Row(
            run_id=self.run_id, case_id=case.id, started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            status=error.status if error.status in STATUSES else "failed", model=case.model.canonical,
            backend=case.backend.canonical, threads=case.settings.threads, batch=case.settings.batch,
            resolution=case.resolution, shapes=shapes.show(case.settings.shapes) or None,
            pace_ms=case.settings.pace_ms, target=case.target, seed=self.plan.protocol.seed,
            isoflops_version=bench.__version__, error=clip(error.message + hint, 500),
        )  # fmt: skip
        self._ended.append((row, []))

    def _answer(self, future: Any, address: str) -> dict[str, Any]:
        """Return what a task answered; `away` where it was cancelled or its device lost, else an error."""
        try:
            while future.status not in ("cancelled", "error"):
                try:
                    answer = future.result(timeout=2 * LOOK_S)
                    return answer if isinstance(answer, dict) else {"error": "the device answered nonsense"}
                except TimeoutError:
                    if address not in self._alive():
                        break  # it had an answer, and took it along
            if future.status != "error":
                return {"away": True}
            error = future.exception()
            told = f"the device could not run it: {type(error).__name__}: {first_line(error)}"
            return {"error": told, "hint": "is isoflops installed there, in the same version?"}
        except asyncio.CancelledError:
            return {"away": True}
        finally:
            future.release()

    def _recall(self) -> None:
        """Cancel what is still at the devices: a case that is being measured ends at its next block."""
        futures = [f.future for flights in self._flights.values() for f in flights if f.future is not None]
        futures += [d.future for d in self._deliveries.values() if d.future is not None]
        self._flights, self._deliveries = {}, {}
        if futures and self.client.status == "running":
            self.client.cancel(futures, force=True)
