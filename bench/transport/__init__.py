"""Transports: here, over ssh, to a phone over adb, into a container.

What runs there is always a worker with JSON lines in and out.

`base` is the contract, `local` the machine at hand. Everything else holds one connection to an `agent`, a process there
that starts the workers and ends them all when the connection goes dead (`connection` is this end of it, `remote` what
both share).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.plan.target import Target
    from bench.transport.base import Transport


def transport_to(target: Target) -> Transport:
    """Return the transport to a target; nothing is connected yet."""
    from bench.base.errors import UsageError
    from bench.transport.adb import AdbTransport
    from bench.transport.container import ContainerTransport
    from bench.transport.local import LocalTransport
    from bench.transport.ssh import SshTransport

    if target.reach == "dask":
        raise UsageError(
            f"{target.name} is a fleet, not a device",
            f"run and findings run take one; `bench targets status {target.scheduler}` lists its devices",
        )
    if target.reach == "ssh":
        return SshTransport(target)
    if target.reach == "adb":
        return AdbTransport(target)
    if target.reach == "container":
        return ContainerTransport(target)
    return LocalTransport()
