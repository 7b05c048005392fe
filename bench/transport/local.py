"""The machine at hand: a worker is a child process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.artifact.artifact import Artifact
from bench.base import system
from bench.base.errors import Unsupported
from bench.base.files import scratch
from bench.base.process import hidden_settings
from bench.machine import environment
from bench.machine.doctor import Symptom, examine

LOG_BYTES = 8000
# A killed process ends at once, unless a driver holds it in the kernel: then it is left there, and the others go on.
END_S = 30.0


class LocalProcess:
    """A worker as a child of this process, in a session of its own.

    Of its own, so that Ctrl-C reaches the parent alone, which then ends its workers in order.
    """

    def __init__(self, python: str, module: str, settings: Mapping[str, str]) -> None:
        self._oom_kills = oom_kills()
        self._log = scratch("bench-worker-")
        python = python or sys.executable
        hidden = hidden_settings(os.environ)
        environment = {k: v for k, v in os.environ.items() if k not in hidden}
        try:
            self._process = subprocess.Popen(
                [python, "-P", "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=environment | dict(settings),
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise Unsupported(f"cannot start {python}: {error.strerror}", "check python= of the backend") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._incoming = system.Incoming(self._stdout.fileno())
        self.pid = self._process.pid
        self._left = False

    def fileno(self) -> int:
        """Return the descriptor of its stdout."""
        return self._stdout.fileno()

    def write(self, data: bytes) -> None:
        """Send `data`; see `bench.transport.base.Process`."""
        self._stdin.write(data)
        self._stdin.flush()

    def read(self, timeout_s: float) -> bytes:
        """Block on the pipe, which costs no CPU time, until there is something."""
        return self._incoming.read(timeout_s)

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Return its exit code, or the negative number of the signal that ended it, or is to end it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(0 if self._left else None)
        return -system.KILLED

    def out_of_memory(self) -> bool:
        """Tell whether the kernel has killed for want of memory since this process began."""
        return oom_kills() > self._oom_kills

    def log(self) -> str:
        """Return the end of its stderr."""
        self._log.seek(0)
        return self._log.read()[-LOG_BYTES:].decode(errors="replace")

    def kill(self) -> None:
        """End it at once, with whatever it has started."""
        if self._left or self._process.poll() is not None:
            return
        system.end_group(self._process)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._left = True

    def close(self) -> None:
        """End it and close pipes and log."""
        self.kill()
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._log.close()


class LocalTransport:
    """The machine that `bench` runs on."""

    def start(self, python: str, module: str, settings: Mapping[str, str], timeout_s: float = 0.0) -> LocalProcess:
        """Start a worker as a child."""
        return LocalProcess(python, module, settings)

    def upload(self, artifact: Artifact, form: str) -> str:
        """Return the artifact's own folder."""
        return artifact.folder

    def environment(self) -> environment.Environment:
        """Describe this machine."""
        return environment.local()

    def usable_cores(self) -> list[int]:
        """Return the cores that this process may use."""
        return environment.usable_cores()

    def doctor(self, threads: int) -> list[Symptom]:
        """Examine this machine."""
        return examine(threads=threads)

    def reopen(self) -> None:
        """Do nothing: a pipe to a child is never lost."""

    def close(self) -> None:
        """Do nothing: each launch ends its own process."""


def oom_kills() -> int:
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
