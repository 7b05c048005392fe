"""What a coordinator has a device's Dask worker do, and all of it: start an agent, bring it bytes, fetch what it says.

The functions run in the worker's event loop, beside its one slot. Dask itself would run any function that a client of
its scheduler sends (docs/fleet.md).
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from functools import partial
from typing import IO

from bench.base.errors import UsageError
from bench.plan import target as targets
from bench.plan.target import Target
from bench.transport.dask import PLUGIN, SESSIONS, TAG, DaskWorker

HEAR_S = 5.0
# A bridge asks again at once; one that has not asked for so long is gone, and nobody here was told.
LEASE_S = 60.0
LOG_BYTES = 8000
PIECE_BYTES = 4 << 20


class Session:
    """An agent, a child of this worker, for one coordinator's connection."""

    def __init__(self, process: asyncio.subprocess.Process, log: IO[bytes]) -> None:
        self.process, self.log = process, log
        self.lease: asyncio.TimerHandle | None = None


_sessions: dict[str, Session] = {}


async def begin(run: str, dask_worker: DaskWorker) -> None:
    """Start an agent for a run, on the cores of this device's target."""
    if not re.fullmatch(r"[0-9a-f]{8,64}", run):
        raise UsageError("that is no run")
    cores = target(dask_worker).cores
    dask_worker.metrics.setdefault(SESSIONS, lambda worker: len(_sessions))
    log = tempfile.TemporaryFile(prefix="bench-agent-")  # noqa: SIM115 (closed with the session)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "bench.transport.agent", run),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        limit=PIECE_BYTES,
        start_new_session=True,
        preexec_fn=partial(os.sched_setaffinity, 0, cores) if cores and hasattr(os, "sched_setaffinity") else None,
    )
    _sessions[run] = Session(process, log)
    _renew(run)


async def tell(run: str, data: bytes) -> None:
    """Hand bytes to the agent's stdin."""
    stdin = _sessions[run].process.stdin
    assert stdin is not None
    stdin.write(data)
    await stdin.drain()


async def hear(run: str) -> tuple[bytes, str | None]:
    """Wait a while for what the agent says; with the end of its stderr once it has ended."""
    _renew(run)
    session = _sessions[run]
    assert session.process.stdout is not None
    try:
        data = await asyncio.wait_for(session.process.stdout.read(PIECE_BYTES), HEAR_S)
    except TimeoutError:
        return b"", None
    if data:
        return data, None
    await session.process.wait()
    session.log.seek(0)
    said = session.log.read()[-LOG_BYTES:].decode(errors="replace")
    await hang_up(run)
    return b"", said


async def hang_up(run: str) -> None:
    """End the agent, and so its workers, by closing its stdin."""
    session = _sessions.pop(run, None)
    if session is None:
        return
    if session.lease is not None:
        session.lease.cancel()
    if session.process.stdin is not None:
        session.process.stdin.close()
    await session.process.wait()
    session.log.close()


def target(worker: DaskWorker) -> Target:
    """Return the target that this worker was started as: by ``bench fleet worker``, else from its resource tag."""
    plugin = worker.plugins.get(PLUGIN)
    if plugin is not None:
        found: Target = plugin.target
        return found
    names = [key.removeprefix(TAG) for key in worker.state.total_resources if key.startswith(TAG)]
    if len(names) != 1:
        raise UsageError(
            f"the worker has {len(names)} resources that begin with {TAG}",
            f"start it with `bench fleet worker`, or with --resources 'slot=1,{TAG}NAME=1'",
        )
    return targets.shipped().get(names[0]) or Target(names[0])


def _renew(run: str) -> None:
    session = _sessions[run]
    if session.lease is not None:
        session.lease.cancel()
    session.lease = asyncio.get_running_loop().call_later(LEASE_S, lambda: asyncio.ensure_future(hang_up(run)))
