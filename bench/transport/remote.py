"""What every device that is not this machine shares: a connection to an agent, made anew when it is lost."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator, Mapping

from bench import __version__
from bench.artifact.artifact import Artifact
from bench.artifact.package import Held, Package, pack
from bench.base.errors import LinkLost, OutOfReach, Unreachable, WorkerCrashed
from bench.machine.doctor import Symptom
from bench.machine.environment import Environment
from bench.transport import wheel
from bench.transport.connection import Connection, RemoteProcess
from bench.transport.messages import PROTOCOL, Doctor, Done, Hello, Hold, Identity, Put, Release, Want

PATIENCE_S = 60.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 8.0
PIECE_BYTES = 1 << 20
HASHING_S = 600.0
FOREVER_S = 1e6  # others may measure for days


class Remote:
    """A device behind a connection. A subclass knows how to `dial` and what a failed call means."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.run = uuid.uuid4().hex[:16]
        self._connection: Connection | None = None
        self._hello: Identity | None = None
        self._uploaded: dict[str, str] = {}
        self._given_up = False
        self._alone = False

    def dial(self) -> Connection:
        """Start the process that leads to an agent of `self.run`."""
        raise NotImplementedError

    def diagnose(self, code: int | None, said: str) -> Unreachable:
        """Say in one line why there is no agent, from the exit code and stderr of the process."""
        raise NotImplementedError

    def there(self) -> bool:
        """Tell whether it is worth while to connect anew."""
        return True

    @property
    def given_up(self) -> bool:
        """Whether the device was lost, and connecting anew was in vain."""
        return self._given_up

    def cut(self) -> None:
        """Cut the connection, from whatever thread."""
        connection = self._connection
        if connection is not None:
            connection.cut()

    def hello(self) -> Identity:
        """Return what the agent told of itself and its machine; connects if it never did.

        Raises:
            Unreachable: there is no way to it, or another program is there.
        """
        if self._hello is None:
            self._connected()
        assert self._hello is not None
        return self._hello

    def start(self, python: str, module: str, settings: Mapping[str, str], timeout_s: float) -> RemoteProcess:
        """Start a worker there."""
        return self._ready().start(python, module, settings, timeout_s)

    def upload(self, artifact: Artifact, form: str) -> str:
        """Bring an artifact's files there, unless they are there already; return their folder there.

        A file that came half is continued where it ended. What arrives is checked against its hash.
        """
        key = f"{artifact.folder} {artifact.sha256} {form}"
        if key not in self._uploaded:
            self._uploaded[key] = self._send(pack(artifact, form))
        return self._uploaded[key]

    def environment(self) -> Environment:
        """Return what the device says of itself."""
        return self.hello().environment

    def usable_cores(self) -> list[int]:
        """Return the cores that a worker there may run on."""
        return list(self.hello().usable_cores)

    def doctor(self, threads: int) -> list[Symptom]:
        """Return the symptoms that the device finds."""
        return self._ready().ask(Doctor(threads), list[Symptom])

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody else who asks for it measures on the device, and hold it, over reconnections too."""
        connection = self._ready()
        if not self._alone:
            connection.ask(Hold(), object, timeout_s=FOREVER_S)
        self._alone = True
        try:
            yield
        finally:
            self._alone = False
            with contextlib.suppress(LinkLost):
                if self._connection is not None:
                    self._connection.ask(Release(), object)

    def reopen(self) -> None:
        """Connect anew, for a minute; once only where that was in vain before.

        Raises:
            OutOfReach: it stays away.
        """
        self.hang_up()
        self._uploaded.clear()  # it may have been installed anew meanwhile; what is still there is not sent again
        deadline = time.monotonic() + (0.0 if self._given_up else PATIENCE_S)
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                self._connected()
                self._given_up = False
                return
            except (Unreachable, LinkLost) as error:
                if time.monotonic() + pause_s > deadline or not self.there():
                    self._given_up = True
                    raise OutOfReach(
                        f"the device was lost and stays out of reach: {error.message}", error.hint
                    ) from error
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def hang_up(self) -> None:
        """Close the connection; the agent ends with all of its workers."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """End everything there."""
        self.hang_up()

    def _ready(self) -> Connection:
        """Return the connection in the middle of a run: a device that cannot be reached then is lost."""
        try:
            return self._connected()
        except Unreachable as error:
            raise LinkLost(error.message, error.hint) from error

    def _connected(self) -> Connection:
        if self._connection is not None and self._connection.dead:
            self.hang_up()
        if self._connection is None:
            connection = self.dial()
            try:
                hello = connection.ask(Hello(), Identity)
                self._check(hello)
                if self._alone:
                    connection.ask(Hold(), object, timeout_s=FOREVER_S)
            except (LinkLost, WorkerCrashed) as error:
                code, said = connection.exit_code(), connection.stderr() or connection.noise()
                connection.close()
                known = isinstance(error, WorkerCrashed)
                raise Unreachable(error.message, error.hint) if known else self.diagnose(code, said) from None
            except BaseException:
                connection.close()
                raise
            self._connection, self._hello = connection, hello
        return self._connection

    def _check(self, there: Identity) -> None:
        """Refuse an agent that is another program: what it measures would be another thing."""
        if (there.program, there.protocol) == (wheel.program(), PROTOCOL):
            return
        found = f"isoflops {there.version} is on {self.name}, and {__version__} here"
        raise Unreachable(found if there.version != __version__ else f"{found}, but of another build", self.remedy)

    @property
    def remedy(self) -> str:
        """What to do where another version, or none, is there."""
        return f"bench targets setup {self.name}"

    def _send(self, found: Package) -> str:
        connection = self._ready()
        held = connection.ask(Want(), Held, found.manifest, HASHING_S)
        if held.folder:
            return held.folder
        for name, path in found.paths.items():
            at = held.here.get(name, 0)
            with path.open("rb") as handle:
                handle.seek(at)
                while piece := handle.read(PIECE_BYTES):
                    connection.ask(Put(found.digest, name, at), object, piece)
                    at += len(piece)
        return connection.ask(Done(found.digest), str, timeout_s=HASHING_S)
