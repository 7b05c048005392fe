"""What a Dask worker runs for the coordinator, and all of it: `measure`, and the three steps of a bundle's arrival.

Each takes texts and bytes and answers plain data; an error a person can do something about is an answer, too. Dask
itself would run any function that a client of its scheduler sends (docs/fleet.md).
"""

from __future__ import annotations

import fcntl
import gzip
import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from bench.artifact.artifact import Artifact
from bench.base import cache
from bench.base.errors import BenchError, MeasureError, Unsupported, UsageError
from bench.measure import bundle, record
from bench.measure.runner import Observer, Runner
from bench.plan import target as targets
from bench.plan.case import Case, Plan
from bench.plan.target import Target
from bench.transport.dask import PLUGIN, TAG

POLL_S = 0.25
Answer = dict[str, Any]


class Unwanted(MeasureError):
    """The coordinator has left or has given the case to another device."""


def measure(text: str) -> Answer:
    """Measure the case of a record, alone on this device.

    The answer holds `result`, gzipped JSON of `row` and `samples`; or `lacking`, the hash of a bundle that must be
    brought first; or `error`, `hint` and `status`.
    """
    try:
        order, here, wanted = record.read(text), target(), _wanted()
        if order.case.target != here.name:
            raise UsageError(f"this device is a {here.name} and no {order.case.target}", "run it again with --resume")
        artifact = bundle.find(order.bundle)
        if artifact is None:
            return {"lacking": order.bundle}
        if order.case.backend.name == "torch" and artifact.kind == "python":
            raise Unsupported(
                "a Python file does not travel to a fleet, and the torch backend would need it",
                "a backend that reads the exported ONNX file measures it, e.g. onnxruntime",
            )
        with alone(wanted):
            return {"result": _measured(order, artifact, here, wanted)}
    except BenchError as error:
        return _told(error)


def begin(manifest: str) -> Answer:
    """Open a bundle's draft; the answer's `have` names the files that are here."""
    return _answer(lambda: {"have": bundle.begin(manifest)})


def put(hash: str, name: str, offset: int, chunk: bytes) -> Answer:
    """Write a part of a file."""
    return _answer(lambda: bundle.put(hash, name, offset, chunk))


def finish(hash: str) -> Answer:
    """Check the draft and keep it."""
    return _answer(lambda: bundle.finish(hash))


def target() -> Target:
    """Return the target that this worker was started as: by ``bench targets serve``, else from its resource tag."""
    from distributed import get_worker

    worker = get_worker()
    plugin = worker.plugins.get(PLUGIN)
    if plugin is not None:
        found: Target = plugin.target
        return found
    names = [key.removeprefix(TAG) for key in worker.state.total_resources if key.startswith(TAG)]
    if len(names) != 1:
        raise UsageError(
            f"the worker has {len(names)} resources that begin with {TAG}",
            f"start it with `bench targets serve`, or with --resources 'slot=1,{TAG}NAME=1'",
        )
    return targets.shipped().get(names[0]) or Target(names[0])


@contextmanager
def alone(wanted: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Wait until no other process of this device measures, and hold the device.

    The kernel lets go of the lock when the holder dies. The cache may lie on a disk that devices share, so the lock
    has the machine's name in its own.

    Raises:
        Unwanted: nobody waits for the measurement any more.
    """
    with (cache.folder("fleet") / f"device-{platform.node()}.lock").open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not wanted():
                    raise Unwanted("nobody waits for this case any more") from None
                time.sleep(POLL_S)
        yield


def _measured(order: record.Order, artifact: Artifact, here: Target, wanted: Callable[[], bool]) -> bytes:
    samples: list[dict[str, Any]] = []

    def step(case: Case, wave: int, doing: str) -> None:
        if not wanted():
            raise Unwanted("nobody waits for this case any more")

    plan = Plan((order.case,), order.protocol)
    observer = Observer(step=step, samples=samples.extend)
    runner = Runner(plan, list(here.cores), observer, order.run_id, artifact_of=lambda case, seed, exporting: artifact)
    (row,) = runner.run()
    return gzip.compress(json.dumps({"row": asdict(row), "samples": samples}).encode(), 6)


def _wanted() -> Callable[[], bool]:
    """Return a function that tells whether the task that calls now is still asked for.

    Dask cannot end a task that runs, and only marks it; so the runner looks at the mark between two blocks.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state == "executing"

    return wanted


def _answer(act: Callable[[], Answer | None]) -> Answer:
    try:
        return act() or {}
    except BenchError as error:
        return _told(error)


def _told(error: BenchError) -> Answer:
    return {"error": error.message, "hint": error.hint, "status": error.status}
