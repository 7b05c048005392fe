"""A fleet's devices at work for one run: a thread here and a line there for each, as long as there is work for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from functools import partial

from bench.base.errors import BenchError, FleetError, MeasureError, UnknownName
from bench.plan.target import ANY
from bench.transport.dask import DaskClient, DaskTransport, Device, devices

LOOK_S = 1.0
ENDING_S = 20.0


def nobody(target: str, patience_s: float, lost: bool = False) -> MeasureError:
    """Return the error of what waits for a target that has no device, or whose device was `lost`."""
    why = "its device was lost, and no other" if lost else "no device"
    of = "" if target == ANY else f" of target {target}"
    return MeasureError(f"{why}{of} was there for {patience_s:g} s", "`bench targets status` tells who is there")


class Crews:
    """Looks who is there, and sets to work whom `wants` has work for.

    `work` is called in a thread of the device's own, with the device and the way to it; it returns when there is
    nothing left for it, or the device is lost. An exception of it goes to `broken`, which that thread calls, too.
    """

    def __init__(
        self,
        client: DaskClient,
        wants: Callable[[Device], bool],
        work: Callable[[Device, DaskTransport], None],
        broken: Callable[[Exception], None],
    ) -> None:
        self._client = client
        self._wants, self._work, self._broken = wants, work, broken
        self.devices: dict[str, Device] = {}  # by address, as of the last look
        self.refused: dict[str, BenchError] = {}  # those that cannot measure for us
        self.stopping = False
        self._running: dict[str, tuple[threading.Thread, DaskTransport]] = {}
        self._looked = -LOOK_S

    def muster(self, targets: Collection[str], patience_s: float, tell: Callable[[str], None]) -> list[str]:
        """Wait until each target has a device; return those that have none within the patience, where others have.

        Raises:
            UnknownName: none of them has one.
            FleetError: there is no device at all, or the scheduler is gone.
        """
        begin = time.monotonic()
        while True:
            there = {d.target for d in self._alive().values()}
            absent = [t for t in targets if t not in there and (t != ANY or not there)]
            if not absent:
                return []
            if time.monotonic() - begin > patience_s:
                if not there:
                    raise FleetError("the scheduler has no devices", "start some with `bench targets serve`")
                if len(absent) == len(targets):
                    raise UnknownName("target in the fleet", absent[0], there, "bench targets status")
                return absent
            tell(f"waiting for a device of {absent[0]}")
            time.sleep(LOOK_S / 4)

    def look(self) -> bool:
        """Look who is there, once a second, and set to work whoever is free; tell whether it has looked.

        Raises:
            FleetError: the scheduler is gone.
        """
        if time.monotonic() - self._looked < LOOK_S:
            return False
        self._looked = time.monotonic()
        self.devices = self._alive()
        for address, here in self.able().items():
            if address not in self._running and self._wants(here):
                transport = DaskTransport(self._client, here, partial(self._belongs, address))
                thread = threading.Thread(target=self._crew, args=(here, transport), daemon=True)
                self._running[address] = thread, transport
                thread.start()
        return True

    def able(self) -> dict[str, Device]:
        """Return the devices that are there and can measure for us."""
        return {address: here for address, here in self.devices.items() if address not in self.refused}

    @property
    def busy(self) -> bool:
        """Whether any device is at work."""
        return bool(self._running)

    def recall(self) -> None:
        """Cut every connection: what is measured ends with its agent."""
        self.stopping = True
        crews = list(self._running.values())
        for _, transport in crews:
            transport.cut()
        deadline = time.monotonic() + ENDING_S
        for thread, _ in crews:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _alive(self) -> dict[str, Device]:
        if self._client.status not in ("running", "connecting"):
            raise FleetError("the scheduler is gone", "start it, and give the same command with --resume")
        return devices(self._client) if self._client.status == "running" else {}

    def _belongs(self, address: str) -> bool:
        return address in self.devices and not self.stopping

    def _crew(self, here: Device, transport: DaskTransport) -> None:
        try:
            self._work(here, transport)
        except Exception as error:
            self._broken(error)
        finally:
            transport.close()
            self._running.pop(here.address, None)
