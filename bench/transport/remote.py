"""What every device that is not this machine shares: a line to an outpost, made anew when it is lost."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from bench import __version__
from bench.artifact import package as parcel
from bench.artifact.artifact import Artifact
from bench.base.errors import LinkLost, OutOfReach, Unreachable
from bench.machine.environment import Environment
from bench.transport.frames import PROTOCOL
from bench.transport.line import Line, RemoteProcess

PATIENCE_S = 60.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 8.0
PIECE_BYTES = 1 << 20
HASHING_S = 600.0


class Remote:
    """A device behind a line. A subclass knows how to `dial` and what a failed call means."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.run = uuid.uuid4().hex[:16]
        self._line: Line | None = None
        self._hello: dict[str, Any] | None = None
        self._carried: dict[str, str] = {}
        self._given_up = False

    def dial(self) -> Line:
        """Start the process that leads to an outpost of `self.run`."""
        raise NotImplementedError

    def diagnose(self, code: int | None, said: str) -> Unreachable:
        """Say in one line why there is no outpost, from the exit code and stderr of the process."""
        raise NotImplementedError

    def hello(self) -> dict[str, Any]:
        """Return what the outpost told of itself and its machine; connects if it never did.

        Raises:
            Unreachable: there is no way to it, or another version is there.
        """
        if self._hello is None:
            self._connected()
        assert self._hello is not None
        return self._hello

    def start(self, python: str, module: str, settings: Mapping[str, str], timeout_s: float) -> RemoteProcess:
        """Start a worker there."""
        return self._ready().start(python, module, settings, timeout_s)

    def carry(self, artifact: Artifact, backend: str) -> str:
        """Bring an artifact's files there, unless they are there already; return their folder there.

        A file that came half is continued where it ended. What arrives is checked against its hash.
        """
        key = f"{artifact.folder} {artifact.sha256} {backend == 'torch'}"
        if key not in self._carried:
            self._carried[key] = self._send(parcel.pack(artifact, backend))
        return self._carried[key]

    def environment(self) -> Environment:
        """Return what the device says of itself."""
        return Environment(**self.hello()["environment"])

    def usable_cores(self) -> list[int]:
        """Return the cores that a worker there may run on."""
        return list(self.hello()["usable_cores"])

    def doctor(self, threads: int) -> dict[str, Any]:
        """Return `symptoms`, as the device finds them."""
        return self._ready().ask({"do": "doctor", "threads": threads})

    def reopen(self) -> None:
        """Connect anew, for a minute; once only where that was in vain before.

        Raises:
            OutOfReach: it stays away.
        """
        self.hang_up()
        self._carried.clear()  # it may have been installed anew meanwhile; what is still there is not sent again
        deadline = time.monotonic() + (0.0 if self._given_up else PATIENCE_S)
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                self._connected()
                self._given_up = False
                return
            except (Unreachable, LinkLost) as error:
                if time.monotonic() + pause_s > deadline:
                    self._given_up = True
                    raise OutOfReach(
                        f"the device was lost and stays out of reach: {error.message}", error.hint
                    ) from error
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def hang_up(self) -> None:
        """Close the line; the outpost ends with all of its workers."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def close(self) -> None:
        """End everything there."""
        self.hang_up()

    def _ready(self) -> Line:
        """Return the line in the middle of a run: a device that cannot be reached then is lost."""
        try:
            return self._connected()
        except Unreachable as error:
            raise LinkLost(error.message, error.hint) from error

    def _connected(self) -> Line:
        if self._line is not None and self._line.dead:
            self.hang_up()
        if self._line is None:
            line = self.dial()
            try:
                hello = line.ask({"do": "hello"})
                self._check(hello)
            except LinkLost:
                code, said = line.exit_code(), line.stderr()
                line.close()
                raise self.diagnose(code, said) from None
            except BaseException:
                line.close()
                raise
            self._line, self._hello = line, hello
        return self._line

    def _check(self, hello: dict[str, Any]) -> None:
        there = hello.get("version")
        if (there, hello.get("protocol")) != (__version__, PROTOCOL):
            found = f"isoflops {there} is on {self.name}, and {__version__} here"
            raise Unreachable(found if there != __version__ else f"{found}, but of another build", self.remedy)

    @property
    def remedy(self) -> str:
        """What to do where another version, or none, is there."""
        return f"bench targets setup {self.name}"

    def _send(self, found: parcel.Parcel) -> str:
        line = self._ready()
        state = line.ask({"do": "want", "digest": found.digest, "files": [[f.name, f.size_bytes] for f in found.files]})
        if "folder" in state:
            return str(state["folder"])
        for file in found.files:
            at = int(state["here"][file.name])
            with file.open() as handle:
                handle.seek(at)
                while piece := handle.read(PIECE_BYTES):
                    line.ask({"do": "put", "digest": found.digest, "name": file.name, "at": at}, piece)
                    at += len(piece)
        hashes = [[f.name, f.sha256] for f in found.files]
        return str(line.ask({"do": "done", "digest": found.digest, "files": hashes}, timeout_s=HASHING_S)["folder"])
