"""A launch, seen from the parent: starts the worker, asks it, and says in one line how it died."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

from bench.case import Case
from bench.errors import MeasureError, OutOfMemory, Unsupported, WorkerCrashed, WorkerTimeout

# Environment variables that change thread pools, precision or layout behind a session's back: not for the worker.
SCRUBBED = (
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "OMP_WAIT_POLICY",
    "OMP_DYNAMIC",
    "GOMP_CPU_AFFINITY",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TBB_NUM_THREADS",
    "ORT_INTRA_OP_NUM_THREADS",
    "ORT_INTER_OP_NUM_THREADS",
    "ORT_LOAD_CONFIG_FROM_MODEL",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "ONEDNN_VERBOSE",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "LD_PRELOAD",
    "MALLOC_ARENA_MAX",
    "MALLOC_TRIM_THRESHOLD_",  # a Dask worker sets it
)
STATUSES: dict[str, type[MeasureError]] = {
    cls.status: cls for cls in (MeasureError, Unsupported, OutOfMemory, WorkerCrashed, WorkerTimeout)
}


class Launch:
    """One worker process for one case. Use as a context manager: it never outlives the block."""

    module: ClassVar[str] = "bench.measure.worker"

    def __init__(self, case: Case, timeout_s: float) -> None:
        self.case = case
        self._timeout_s = timeout_s
        self._oom_kills = _oom_kills()
        self._log = tempfile.TemporaryFile(prefix="bench-worker-")  # noqa: SIM115 (closed in __exit__)
        python = case.backend.python or sys.executable
        environment = {k: v for k, v in os.environ.items() if k not in SCRUBBED}
        environment |= {"OMP_NUM_THREADS": str(case.settings.threads), "PYTHONUNBUFFERED": "1"}
        environment |= {"OPENBLAS_NUM_THREADS": "1"}  # NumPy computes only the canary, on one core
        try:
            # A session of its own: Ctrl-C reaches the parent alone, which then ends its workers in order.
            self._process = subprocess.Popen(
                [python, "-P", "-m", self.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise Unsupported(f"cannot start {python}: {error.strerror}", "check python= of the backend") from error
        self._unread = b""

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Send one request and block until its answer is there.

        Raises:
            MeasureError: the worker told an error, died, or did not answer within the timeout.
        """
        assert self._process.stdin is not None
        line = json.dumps({"do": do} | request) + "\n"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except (BrokenPipeError, OSError):
            raise self._death(do) from None
        answer = self._read_line(do)
        if "error" in answer:
            cls = STATUSES.get(answer["status"], MeasureError)
            raise cls(answer["error"], answer["hint"]) from RuntimeError(self.log())
        result: dict[str, Any] = answer["ok"]
        return result

    def choose(self, threads: int, allowed: Sequence[int]) -> dict[str, Any]:
        """Ask which cores are quietest; an empty list allows all. The answer has `cores` and `emulated`."""
        return self.ask("choose", threads=threads, allowed=list(allowed))

    def load(self, artifact: str, cores: Sequence[int]) -> dict[str, Any]:
        """Ask the worker to load the case, on these cores, or wherever the system likes if there are none."""
        return self.ask(
            "load",
            artifact=artifact,
            backend=self.case.backend.name,
            options=self.case.backend.options,
            settings=asdict(self.case.settings),
            cores=list(cores),
        )

    def log(self) -> str:
        """Return the end of what the worker and its runtime wrote to stderr."""
        self._log.seek(0)
        return self._log.read()[-8000:].decode(errors="replace")

    def kill(self) -> None:
        """End the worker at once, with whatever it has started."""
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        self._log.close()

    def _read_line(self, do: str) -> dict[str, Any]:
        """Block on the pipe, which costs no CPU time, until a whole line is there."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + self._timeout_s
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                self.kill()
                raise WorkerTimeout(
                    f"the worker did not answer {do!r} within {self._timeout_s:g} s and was ended",
                    "give a larger --timeout if the model is that slow",
                ) from RuntimeError(self.log())
            chunk = os.read(descriptor, 1 << 16)
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
        if code == -signal.SIGKILL and _oom_kills() > self._oom_kills:
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


def _oom_kills() -> int:
    """Count the kernel's out-of-memory kills so far, on the machine or in this control group."""
    total = 0
    for path, key in ((Path("/proc/vmstat"), "oom_kill"), (Path("/sys/fs/cgroup/memory.events"), "oom_kill")):
        try:
            for line in path.read_text().splitlines():
                name, _, value = line.partition(" ")
                total += int(value) if name == key else 0
        except (OSError, ValueError):
            continue
    return total
