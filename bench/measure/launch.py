"""A launch, seen from the parent: starts the worker on its device, asks it, and says in one line how it died."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Self

from bench.base.errors import MeasureError, OutOfMemory, Unsupported, WorkerCrashed, WorkerTimeout
from bench.plan.case import BackendRef, Case, Settings
from bench.plan.protocol import Warming
from bench.plan.zoo import ModelRef
from bench.transport.base import Reach
from bench.transport.local import LocalReach

WORKER = "bench.measure.worker"
STATUSES: dict[str, type[MeasureError]] = {
    cls.status: cls for cls in (MeasureError, Unsupported, OutOfMemory, WorkerCrashed, WorkerTimeout)
}


class Launch:
    """One worker process for one case. Use as a context manager: it never outlives the block.

    Raises:
        LinkLost: from any method, where the device is another machine and the connection has broken.
    """

    def __init__(self, case: Case, timeout_s: float, reach: Reach | None = None) -> None:
        self.case = case
        self._timeout_s = timeout_s
        # NumPy computes only the canary, on one core.
        settings = {"OMP_NUM_THREADS": str(case.settings.threads), "PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = (reach or LocalReach()).start(case.backend.python, WORKER, settings, timeout_s)
        self._unread = b""

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Send one request and block until its answer is there.

        Raises:
            MeasureError: the worker told an error, died, or did not answer within the timeout.
        """
        line = json.dumps({"do": do} | request) + "\n"
        try:
            self._process.write(line.encode())
        except (BrokenPipeError, OSError):
            raise self._death(do) from None
        answer = self._read_line(do)
        if "error" in answer:
            cls = STATUSES.get(answer["status"], MeasureError)
            raise cls(answer["error"], answer["hint"]) from RuntimeError(self.log())
        result: dict[str, Any] = answer["ok"]
        return result

    def choose(self, threads: int, allowed: Sequence[int]) -> list[int]:
        """Ask which cores are quietest; an empty list allows all."""
        return list(self.ask("choose", threads=threads, allowed=list(allowed))["cores"])

    def load(self, artifact: str, cores: Sequence[int]) -> dict[str, Any]:
        """Ask the worker to load the case, on these cores, or wherever the system likes if there are none.

        `artifact` is the folder there; see `bench.transport.base.Reach.carry`.
        """
        return self.ask(
            "load",
            artifact=artifact,
            backend=self.case.backend.name,
            options=self.case.backend.options,
            settings=asdict(self.case.settings),
            cores=list(cores),
        )

    def warm(self, how: Warming) -> dict[str, Any]:
        """Ask the worker to warm up; the answer's `n` is the size of a block."""
        return self.ask("warm", ms=how.ms, min=how.least, block_ms=how.block_ms, block_min=how.block_least)

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

    def _read_line(self, do: str) -> dict[str, Any]:
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
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _death(self, do: str) -> MeasureError:
        code = self._process.wait()
        log = self.log()
        error: MeasureError
        if code == -signal.SIGKILL and self._process.out_of_memory():
            error = OutOfMemory(
                "the kernel killed the worker: out of memory", "try a smaller batch or fewer live cases"
            )
        elif code < 0:
            error = WorkerCrashed(
                f"the worker died of {signal.Signals(-code).name} during {do!r}",
                "run again with --debug for its last words",
            )
        elif "No module named bench" in log or "No module named 'bench" in log:
            error = Unsupported("that interpreter has no isoflops", "install the same version of isoflops there")
        else:
            error = WorkerCrashed(f"the worker left with code {code} during {do!r}", "run again with --debug")
        error.__cause__ = RuntimeError(log)
        return error


def runtimes(reach: Reach, timeout_s: float = 120.0) -> dict[str, bool]:
    """Ask a worker of the device's own interpreter which backends have their runtime there."""
    return _asked("runtimes", BackendRef("", {}), reach, timeout_s)


def version_of(backend: BackendRef, reach: Reach, timeout_s: float = 120.0) -> str:
    """Ask which version of its runtime a backend has on the device; nothing if that cannot be told."""
    return str(_asked("version", backend, reach, timeout_s)["version"])


def _asked(do: str, backend: BackendRef, reach: Reach, timeout_s: float) -> dict[str, Any]:
    nothing = Case(ModelRef("onnx", "nothing", "", {}, None), backend, Settings())
    with Launch(nothing, timeout_s, reach) as launch:
        return launch.ask(do, backend=backend.name)
