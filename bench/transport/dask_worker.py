"""``bench targets serve``: this machine as a device of a fleet, until it is told to stop.

A thin wrapper around Dask's Nanny, which starts the worker and starts it again when it dies: one thread, one slot, the
target's tag, and nothing that Dask would do beside a measurement.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from typing import Any

from bench.base.errors import FleetError
from bench.plan.target import Target
from bench.transport.dask import (
    CONNECT_S,
    QUIET,
    SLOT,
    TAG,
    Tls,
    absent,
    address_of,
    require,
    require_scheduler,
    security,
)

PATIENCE_S = 3600.0
AGAIN_S = 3.0


def resources(target: Target) -> dict[str, float]:
    """Return what a device of this target has: one slot, one tag."""
    return {SLOT: 1, f"{TAG}{target.name}": 1}


def serve(scheduler: str, target: Target, name: str = "", tls: Tls | None = None) -> None:
    """Be a device until SIGINT or SIGTERM.

    Raises:
        MissingExtra: Dask is not installed.
        FleetError: no scheduler answers, or one that has gone does not come back within `PATIENCE_S`.
    """
    require()
    require_scheduler(address_of(scheduler, tls))
    import dask.config

    dask.config.set(QUIET)
    asyncio.run(_serve(address_of(scheduler, tls), target, name, tls))


async def _serve(address: str, target: Target, name: str, tls: Tls | None) -> None:
    safe = security(tls)
    await _found(address, safe)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    while True:
        await _once(address, target, name, safe, stop)
        if stop.is_set():
            return
        # Dask's worker leaves with its scheduler, and its nanny with it: whoever restarts that one wants devices.
        print(f"the scheduler at {address} has gone; it is waited for, {PATIENCE_S:g} s at most", flush=True)
        deadline = time.monotonic() + PATIENCE_S
        while not stop.is_set():
            try:
                await _found(address, safe)
                break
            except FleetError:
                if time.monotonic() > deadline:
                    raise
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), AGAIN_S)
        if stop.is_set():
            return


async def _found(address: str, safe: Any) -> None:
    """Make sure that a scheduler answers; FleetError if none does."""
    from distributed.core import connect

    try:
        arguments = safe.get_connection_args("worker") if safe else {}
        await (await connect(address, timeout=CONNECT_S, **arguments)).close()
    except (OSError, ValueError) as error:
        raise absent(address, error) from error


async def _once(address: str, target: Target, name: str, safe: Any, stop: asyncio.Event) -> None:
    """Be a device until `stop`, or until the nanny has ended with its scheduler."""
    from distributed import Nanny

    from bench.transport.dask_plugin import DevicePlugin

    async with Nanny(
        address,
        nthreads=1,
        name=name or None,
        resources=resources(target),
        memory_limit=0,  # the measuring is done in a process of its own
        death_timeout=PATIENCE_S,
        security=safe,
        plugins=(DevicePlugin(target),),
        silence_logs=logging.WARNING,
    ) as nanny:
        print(f"device {nanny.worker_address}, target {target.name}, measures for {address}", flush=True)
        ended = asyncio.ensure_future(nanny.finished())
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
