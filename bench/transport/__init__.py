"""Ways to a device: here, over ssh, into a container. What runs there is always a worker with JSON lines in and out.

`base` is the contract, `local` the machine at hand. Everything else holds one line to an `agent`, a process there
that starts the workers and ends them all when the line goes dead (`line` is this end of it, `remote` what both share).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.plan.target import Target
    from bench.transport.base import Reach


def of(target: Target) -> Reach:
    """Return the way to a target; nothing is connected yet."""
    from bench.base.errors import UsageError
    from bench.transport.container import ContainerReach
    from bench.transport.local import LocalReach
    from bench.transport.ssh import SshReach

    if target.reach == "dask":
        raise UsageError(f"{target.name} is a fleet, not a device", f"bench targets status {target.scheduler}")
    if target.reach == "ssh":
        return SshReach(target)
    if target.reach == "container":
        return ContainerReach(target)
    return LocalReach()
