"""The contract: a `Transport` starts workers on a device and says what the device is; a `Process` is one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bench.artifact.artifact import Artifact
from bench.machine.doctor import Symptom
from bench.machine.environment import Environment


class Process(Protocol):
    """A worker's process, here or there: bytes in, bytes out, and how it ended.

    Every method may raise `bench.base.errors.LinkLost` where the process is on another machine.
    """

    def write(self, data: bytes) -> None:
        """Send all of `data` to its stdin; BrokenPipeError if it has closed it."""

    def read(self, timeout_s: float) -> bytes:
        """Block until there is something on its stdout; nothing at its end, TimeoutError if nothing comes in time."""

    def wait(self) -> int:
        """Return its exit code once it has ended, the negative signal number if one ended it."""

    def out_of_memory(self) -> bool:
        """Tell whether the kernel has killed for want of memory since the process began."""

    def log(self) -> str:
        """Return the end of what it wrote to stderr."""

    def kill(self) -> None:
        """End it at once, with whatever it has started."""

    def close(self) -> None:
        """End it and let go of everything."""


class Transport(Protocol):
    """The way to one device. Close it, and nothing is left running there."""

    def start(self, python: str, module: str, settings: Mapping[str, str], timeout_s: float) -> Process:
        """Start ``python -m module`` there; an empty `python` is the interpreter that runs `bench` there.

        `settings` are set in its environment, which is rid of everything that changes a runtime behind its back. No
        answer of it may take longer than `timeout_s`.

        Raises:
            Unsupported: there is no such interpreter.
        """

    def upload(self, artifact: Artifact, form: str) -> str:
        """Return the artifact's folder there, copied if it is not there yet; with what its `form` needs.

        That is ``onnx``, ``module`` or ``converted``, as the backend declares.
        """

    def environment(self) -> Environment:
        """Describe the device, as it describes itself."""

    def usable_cores(self) -> list[int]:
        """Return the cores that a worker there may run on."""

    def doctor(self, threads: int) -> list[Symptom]:
        """Return what the doctor finds there."""

    def reopen(self) -> None:
        """Make a new connection in place of one that was lost; LinkLost if the device stays out of reach."""

    def close(self) -> None:
        """End everything there."""
