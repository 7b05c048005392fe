"""A launch, seen from the parent: starts the worker on its device, asks it, and says in one line how it died."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from functools import cache
from typing import Self, TypeVar

from bench import backends
from bench.base import system, wire
from bench.base.errors import BenchError, MeasureError, OutOfMemory, Unsupported, WorkerCrashed, WorkerTimeout
from bench.base.wire import Unchecked
from bench.machine import meters
from bench.plan.case import BackendRef, Case, Network
from bench.plan.protocol import Warming
from bench.plan.target import Target
from bench.plan.zoo import ModelRef
from bench.transport import transport_to
from bench.transport.base import Transport
from bench.transport.local import LocalTransport

WORKER = "bench.measure.worker"
NOTHING = Network(ModelRef("onnx", "nothing", "", {}, None))
ANSWER_S = 120.0  # for what a worker is asked that measures nothing
T = TypeVar("T")


class Launch:
    """One worker process for one case. Use as a context manager: it never outlives the block.

    Raises:
        LinkLost: from any method, where the device is another machine and the connection has broken.
    """

    def __init__(self, case: Case, timeout_s: float, transport: Transport | None = None) -> None:
        self.case = case
        self._timeout_s = timeout_s
        # NumPy computes only the reference workload, on one core.
        settings = {"OMP_NUM_THREADS": str(case.settings.threads), "PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"}
        if case.backend.name:
            settings |= backends.get(case.backend.name).environment(case.backend.options)
        self._given = list(settings)
        self._process = (transport or LocalTransport()).start(case.backend.python, WORKER, settings, timeout_s)
        self._unread = b""
        self._marked = wire.Marked()

    def ask(self, do: str, expected: type[T], **request: object) -> T:
        """Send one request and block until its answer, which must be `expected`, is there.

        Raises:
            BenchError: the worker told an error, of whatever class.
            MeasureError: it died, did not answer within the timeout, or what came is no answer.
        """
        line = json.dumps({"do": do} | request) + "\n"
        try:
            self._process.write(line.encode())
        except (BrokenPipeError, OSError):
            raise self._death(do) from None
        try:
            return wire.take(self._read_line(do), expected)
        except BenchError as error:
            raise error from RuntimeError(self.log())

    def choose(self, threads: int, allowed: Sequence[int]) -> list[int]:
        """Ask which cores are quietest; an empty list allows all."""
        return self.ask("choose", dict[str, list[int]], threads=threads, allowed=list(allowed))["cores"]

    def load(self, artifact: str, cores: Sequence[int]) -> Unchecked:
        """Ask the worker to load the case, on these cores, or wherever the system likes if there are none.

        `artifact` is the folder there; see `bench.transport.base.Transport.upload`.
        """
        return self.ask(
            "load",
            Unchecked,
            artifact=artifact,
            backend=self.case.backend.name,
            options=self.case.backend.options,
            settings=asdict(self.case.settings),
            cores=list(cores),
            given=self._given,
        )

    def warm(self, how: Warming) -> Unchecked:
        """Ask the worker to warm up; the answer's `n` is the size of a block."""
        return self.ask("warm", Unchecked, **asdict(how))

    def log(self) -> str:
        """Return the end of what the worker and its runtime wrote to stderr."""
        return self._process.log()

    def kill(self) -> None:
        """End the worker at once, with whatever it has started."""
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker, if it has not ended, and let go of it."""
        self._process.close()

    def _read_line(self, do: str) -> bytes:
        """Block until a whole line is there."""
        deadline = time.monotonic() + self._timeout_s
        while b"\n" not in self._unread:
            try:
                chunk = self._process.read(deadline - time.monotonic())
            except TimeoutError:
                self.kill()
                raise WorkerTimeout(
                    f"the worker did not answer {do!r} within {self._timeout_s:g} s and was ended",
                    "give a larger --timeout if the model is that slow",
                ) from RuntimeError(self.log())
            if not chunk:
                raise self._death(do)
            self._unread += self._marked.feed(chunk)
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _death(self, do: str) -> MeasureError:
        code = self._process.wait()
        log = self.log()
        error: MeasureError
        if code == -system.KILLED and self._process.out_of_memory():
            error = OutOfMemory(
                "the kernel killed the worker: out of memory", "try a smaller batch or fewer live cases"
            )
        elif code < 0:
            error = WorkerCrashed(
                f"the worker died of {system.killed_by(code)} during {do!r}",
                "run again with --debug for its last words",
            )
        elif "No module named bench" in log or "No module named 'bench" in log:
            error = Unsupported("that interpreter has no isoflops", "install the same version of isoflops there")
        else:
            error = WorkerCrashed(f"the worker left with code {code} during {do!r}", "run again with --debug")
        error.__cause__ = RuntimeError(log)
        return error


def runtimes(transport: Transport) -> dict[str, bool]:
    """Ask a worker of the device's own interpreter which backends have their runtime there."""
    with Launch(Case(NOTHING, BackendRef("", {})), ANSWER_S, transport) as launch:
        return launch.ask("runtimes", dict[str, bool])


def installed_on(there: Target) -> Callable[[str], bool]:
    """Return what tells of a backend's name whether its runtime is on a target; the target is asked once, if at all.

    Of this machine its own interpreter tells, of a fleet nothing does: its devices say so themselves, in rows.
    """
    if there.reach == "local":
        return lambda name: bool(there.python) or backends.installed(backends.get(name))
    if there.reach == "dask":
        return lambda name: True

    @cache
    def here() -> dict[str, bool]:
        with closing(transport_to(there)) as transport:
            return runtimes(transport)

    return lambda name: here().get(name, True)


def version_of(backend: BackendRef, transport: Transport) -> str:
    """Ask which version of its runtime a backend has on the device; nothing if that cannot be told."""
    with Launch(Case(NOTHING, backend), ANSWER_S, transport) as launch:
        return launch.ask("version", dict[str, str], backend=backend.name)["version"]


def check_meter(name: str, used: Iterable[BackendRef], transport: Transport, timeout_s: float) -> None:
    """Raise UnknownName where `--energy` names a meter that an interpreter of the device, which is to ask it, lacks.

    An interpreter that does not answer says why in the rows of its cases.
    """
    if not name or name in meters.OURS:
        return
    for python in dict.fromkeys(backend.python for backend in used):
        with (
            suppress(MeasureError),
            Launch(Case(NOTHING, BackendRef("", {}, python=python)), timeout_s, transport) as launch,
        ):
            launch.ask("meter", dict[str, str], name=name)
