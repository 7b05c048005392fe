"""One device's connection, seen from the coordinator: what comes on stdin goes to its agent, what that says to stdout.

A process of its own, as ssh is one: so the connection to a device of a fleet is the same as to any other. It ends when
its stdin does, when it is told to, and when the device is lost.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from bench.base.errors import BenchError, first_line
from bench.transport import dask_device
from bench.transport.dask import CONNECT_S, QUIET, Assignment, require, security

PIECE_BYTES = 4 << 20
There = Callable[..., Awaitable[Any]]  # calls a function of `dask_device` in the device's worker


async def bridge(assignment: Assignment) -> int:
    """Relay until either side ends; return the exit code."""
    from distributed import Client

    async with Client(
        assignment.scheduler,
        asynchronous=True,
        timeout=CONNECT_S,
        set_as_default=False,
        security=security(assignment.tls),
    ) as client:

        async def there(function: Callable[..., Awaitable[object]], *arguments: object) -> object:
            found: dict[str, object] = await client.run(
                function, assignment.run, *arguments, workers=[assignment.device]
            )
            return found[assignment.device]

        await there(dask_device.begin)
        tasks = [asyncio.ensure_future(_send(there)), asyncio.ensure_future(_receive(there))]
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, tasks[0].cancel)
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        lost = next((task.exception() for task in done if not task.cancelled() and task.exception()), None)
        if lost is not None:
            print(f"the device was lost: {first_line(lost)}", file=sys.stderr)
            return 1
        await there(dask_device.hang_up)
    return 0


async def _send(there: There) -> None:
    reader = asyncio.StreamReader(PIECE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while data := await reader.read(PIECE_BYTES):
        await there(dask_device.tell, data)


async def _receive(there: There) -> None:
    while True:
        data, ended = await there(dask_device.hear)
        while data:
            data = data[os.write(1, data) :]
        if ended is not None:
            print(ended, file=sys.stderr)
            return


def main() -> int:
    """Serve the assignment that the argument says."""
    import dask.config

    dask.config.set(QUIET)
    try:
        require()
        return asyncio.run(bridge(msgspec.json.decode(sys.argv[1], type=Assignment)))
    except (OSError, ValueError, ImportError, BenchError) as error:
        print(f"{type(error).__name__}: {first_line(error)}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
