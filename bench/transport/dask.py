"""The way to a fleet: the scheduler's address, TLS, which devices are there, and a `Transport` to each.

Dask is imported inside functions only: nothing but a fleet needs it.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

from bench.base.errors import FleetError, MissingExtra, Unreachable, UsageError, clip, first_line
from bench.base.words import last_line
from bench.transport.connection import Connection
from bench.transport.remote import Remote

if TYPE_CHECKING:
    import distributed

DaskClient: TypeAlias = "distributed.Client"
DaskWorker: TypeAlias = "distributed.Worker"

SLOT = "slot"  # a device has one, and every case takes it
TAG = "target:"  # with the target's name: what a case asks of a device
PLUGIN = "isoflops-device"
CONNECT_S = 10.0
NOTICED_S = 2.5
SESSIONS = "isoflops_sessions"  # a metric of a worker: how many connections it has to coordinators
QUIET = {
    # What Dask does beside a task is no part of a measurement: samples of every thread's stack 100 times a second, a
    # tick of the event loop 50 times, counters of the system twice: 4% of a core.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.limit": "1h",
    "distributed.admin.system-monitor.interval": "10s",
    # A client keeps its last 1000 messages to the scheduler for whoever debugs it: 2.5 kB for each row.
    "distributed.admin.low-level-log-length": 10,
    # A nanny would start its worker with these, and the measured process would inherit another allocator.
    "distributed.nanny.pre-spawn-environ": {},
    "logging": {"distributed": "error"},
}


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of TLS in PEM: the authority both sides trust, and one's own certificate and key."""

    ca: str
    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class Device:
    """A worker of the fleet that measures: its address in this life, its name, its target."""

    address: str
    name: str
    target: str
    busy: bool


def require() -> None:
    """Raise MissingExtra unless Dask distributed can be imported."""
    if find_spec("distributed") is None:
        raise MissingExtra("Dask distributed, which connects a fleet,", "fleet")


def address_of(text: str, tls: Tls | None) -> str:
    """Return the scheduler's address, with its protocol.

    Raises:
        UsageError: it is none, or its protocol and the TLS files do not go together.
    """
    match = re.fullmatch(r"(?:(tcp|tls)://)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", text)
    if match is None:
        raise UsageError(f"{clip(text)!r} is no address of a scheduler", "write tcp://HOST:8786")
    protocol = match[1] or ("tls" if tls else "tcp")
    if (protocol == "tls") != (tls is not None):
        raise UsageError(
            f"{clip(text)!r} and the TLS options do not go together",
            "tls:// needs --tls-ca, --tls-cert and --tls-key; tcp:// takes none of them",
        )
    return f"{protocol}://{match[2]}:{match[3]}"


def require_scheduler(address: str) -> None:
    """Make sure that something listens there: Dask would try for long where nothing does.

    Raises:
        FleetError: nothing does.
    """
    host, _, port = address.partition("://")[2].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise absent(address, error) from error


def absent(address: str, error: Exception) -> FleetError:
    """Return the error that says that no scheduler could be reached."""
    return FleetError(
        f"no scheduler at {address}: {first_line(error, 120)}", "start one with `dask scheduler`; docs/fleet.md"
    )


def security(tls: Tls | None) -> distributed.Security | None:
    """Return Dask's ``Security`` for these files, the same for client and worker; None without TLS."""
    if tls is None:
        return None
    from distributed.security import Security

    own = {f"tls_{role}_{part}": path for role in ("client", "worker") for part, path in _pair(tls)}
    return Security(require_encryption=True, tls_ca_file=tls.ca, **own)


def _pair(tls: Tls) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("cert", tls.cert), ("key", tls.key)


def client(scheduler: str, tls: Tls | None = None) -> DaskClient:
    """Connect to the scheduler; the client is for one thread and no default of the process.

    Raises:
        MissingExtra: Dask is not installed.
        FleetError: no scheduler answers, or TLS fails.
    """
    require()
    address = address_of(scheduler, tls)
    require_scheduler(address)
    import dask.config

    dask.config.set(QUIET)
    from distributed import Client

    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False, security=security(tls), name="bench")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise absent(address, error) from error


def devices(client: DaskClient) -> dict[str, Device]:
    """Return the devices by address: the workers that have a slot and one target's tag."""
    found = {}
    for address, told in client.scheduler_info(n_workers=-1)["workers"].items():
        resources = told.get("resources", {})
        names = [key.removeprefix(TAG) for key in resources if key.startswith(TAG)]
        if resources.get(SLOT) and len(names) == 1:
            busy = bool(told.get("metrics", {}).get(SESSIONS))
            found[address] = Device(address, str(told.get("name", "")), names[0], busy)
    return found


class DaskTransport(Remote):
    """A device of a fleet: Dask carries the bytes to and from an agent there.

    `alive` tells whether the device still belongs to the fleet: one that does not is not waited for.
    """

    def __init__(self, client: DaskClient, device: Device, alive: Callable[[], bool]) -> None:
        super().__init__(device.name or device.address)
        self._client, self._address = client, device.address
        self._alive = alive

    def dial(self) -> Connection:
        """Start the bridge, unless there is nobody to lead it to any more."""
        from bench.transport.dask_bridge import Bridge

        if not self._alive():
            raise Unreachable(f"{self.name} has left the fleet", "bench targets status")
        return Connection(lambda log: Bridge(self._client, self._address, self.run, log), self.name)

    def diagnose(self, code: int | None, said: str) -> Unreachable:
        """Pass on the last line that was said."""
        last = clip(last_line(said, f"it left with code {code}"), 200)
        return Unreachable(f"no agent answers on {self.name}: {last}", self.remedy)

    @property
    def remedy(self) -> str:
        """What to do where another program, or none, is there."""
        return "install this very program on the device, and start `bench targets serve` anew there"

    def there(self) -> bool:
        """Tell whether the device still belongs to the fleet."""
        return self._alive()

    def reopen(self) -> None:
        """Connect anew, once the fleet had time to notice that the device has gone."""
        self.hang_up()
        time.sleep(NOTICED_S)
        super().reopen()
