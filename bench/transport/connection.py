"""This end of the connection to an agent: requests go out, answers and what workers write come in, in one thread."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Protocol, TypeVar

import msgspec

from bench.base import system
from bench.base.errors import BenchError, LinkLost, Unreachable, WorkerCrashed
from bench.base.files import scratch
from bench.base.wire import broken
from bench.transport import messages

# How long an answer of the agent itself may take: it starts a process, writes a piece of a file, reads some files.
ANSWER_S = 60.0
LOG_BYTES = 8000
T = TypeVar("T")


@dataclass
class Far:
    """What is known here of a worker there: bytes that it wrote and nobody has read, and its end."""

    written: bytearray = field(default_factory=bytearray)
    end: messages.Ended | None = None


class Line(Protocol):
    """What leads to an agent, with the members of `subprocess.Popen` that are needed here."""

    @property
    def stdin(self) -> IO[bytes] | None:
        """What is written into it goes to the agent."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """What the agent says."""

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code; subprocess.TimeoutExpired if it goes on."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


class Connection:
    """A line to an agent: a child process (ssh, or a container engine), or what `command` opens with a file for stderr.

    Raises:
        LinkLost: from any method but `close`, once the connection is dead.
        WorkerCrashed: what came over it is no message; it is dead then.
    """

    def __init__(self, command: list[str] | Callable[[IO[bytes]], Line], name: str) -> None:
        self._name = name
        self._log = scratch("bench-line-")
        self._workers: dict[int, Far] = {}
        self._answers: deque[messages.Answer] = deque()
        self._decoder = messages.Decoder(messages.MESSAGES, marked=True)
        self._next = 0
        self.dead = False
        try:
            self._process = command(self._log) if callable(command) else _child(command, self._log)
        except BaseException:
            self._log.close()
            raise
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._sink, self._source = self._process.stdin.fileno(), system.Incoming(self._process.stdout.fileno())

    def ask(self, request: messages.Request, expected: type[T], payload: bytes = b"", timeout_s: float = ANSWER_S) -> T:
        """Send a request to the agent and block until it is answered; raise the error that it tells, if it does."""
        self.send(request, payload)
        self._until(lambda: bool(self._answers), timeout_s)
        if not self._answers:
            raise self.lost(f"no answer to {type(request).__name__.lower()!r} within {timeout_s:g} s{self._said()}")
        answer = self._answers.popleft()
        if answer.fault is not None:
            raise answer.fault.error()
        try:
            return msgspec.json.decode(answer.ok, type=expected)
        except ValueError as error:
            self._give_up()
            raise broken(bytes(answer.ok)) from error

    def start(self, python: str, module: str, settings: Mapping[str, str], timeout_s: float) -> RemoteProcess:
        """Start a worker there."""
        self._next += 1
        id = self._next
        self._workers[id] = Far()
        try:
            self.ask(messages.Start(id, module, python, dict(settings), timeout_s), object)
        except BenchError:
            del self._workers[id]
            raise
        return RemoteProcess(self, id)

    def send(self, header: messages.Request, payload: bytes = b"") -> None:
        """Send one message."""
        data = messages.encode(header, payload)
        try:
            while data:
                data = data[os.write(self._sink, data) :]
        except OSError:
            raise self.lost() from None

    def worker(self, id: int, timeout_s: float, ready: Callable[[Far], bool]) -> Far:
        """Block until a worker is `ready`, or the time is over."""
        far = self._workers[id]
        self._until(lambda: ready(far), timeout_s)
        return far

    def forget(self, id: int) -> None:
        """Let go of a worker."""
        self._workers.pop(id, None)

    def stderr(self) -> str:
        """Return the end of what the line and the agent wrote to stderr."""
        self._log.seek(0)
        return self._log.read()[-LOG_BYTES:].decode(errors="replace")

    def noise(self) -> str:
        """Return the last line that came before any message of an agent."""
        return self._decoder.mark.noise() if self._decoder.mark is not None else ""

    def cut(self) -> None:
        """End the line, from whatever thread: whoever waits for the connection finds it dead."""
        self._process.terminate()

    def exit_code(self) -> int | None:
        """Return the line's exit code once it has ended; it may take a moment."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(5)
        return None

    def close(self) -> None:
        """Hang up: the agent ends with all of its workers."""
        self.dead = True
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if not self._log.closed:
            self._log.close()

    def _until(self, satisfied: Callable[[], bool], timeout_s: float) -> None:
        """Take in what comes, until satisfied or out of time. Blocks on the pipe, which costs no CPU time."""
        deadline = time.monotonic() + timeout_s
        while not satisfied():
            if self.dead:
                raise self.lost()
            try:
                data = self._source.read(deadline - time.monotonic(), 1 << 18)
            except TimeoutError:
                return
            if not data:
                raise self.lost()
            try:
                for header, payload in self._decoder.feed(data):
                    self._take(header, payload)
            except WorkerCrashed:
                self._give_up()
                raise

    def _take(self, header: messages.Messages, payload: bytes) -> None:
        if isinstance(header, messages.Answer):
            self._answers.append(header)
        elif (far := self._workers.get(header.id)) is not None:
            if isinstance(header, messages.Wrote):
                far.written += payload
            else:
                far.end = header

    def _give_up(self) -> None:
        self.dead = True
        self._process.kill()

    def _said(self) -> str:
        return f", but {self.noise()!r}" if self.noise() else ""

    def lost(self, why: str = "") -> LinkLost:
        """Give the connection up, if that has not happened yet, and return the error that says so."""
        if not self.dead:
            self.dead = True
            if why:
                self._process.kill()
            self.exit_code()
        said = self.stderr().strip().splitlines()
        why = why or (said[-1] if said else f"the connection was closed{self._said()}")
        return LinkLost(f"the connection to {self._name} was lost: {why}", f"bench targets check {self._name}")


def _child(command: list[str], log: IO[bytes]) -> Line:
    try:
        # A session of its own: Ctrl-C reaches `bench` alone, which then ends things in order.
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    except OSError as error:
        raise Unreachable(f"cannot start {command[0]}: {error.strerror}", f"install {command[0]}") from error


class RemoteProcess:
    """A worker on the other side of a connection; see `bench.transport.base.Process`."""

    def __init__(self, connection: Connection, id: int) -> None:
        self._connection, self._id = connection, id
        self._far: Far | None = None

    def write(self, data: bytes) -> None:
        """Send `data` to its stdin."""
        if self._end(0.0) is not None:
            raise BrokenPipeError
        self._connection.send(messages.Tell(self._id), data)

    def read(self, timeout_s: float) -> bytes:
        """Block until it has written something, or has ended."""
        far = self._connection.worker(self._id, timeout_s, lambda far: bool(far.written) or far.end is not None)
        data = bytes(far.written)
        far.written.clear()
        if not data and far.end is None:
            raise TimeoutError
        return data

    def wait(self) -> int:
        """Return its exit code, or the negative number of the signal that ended it."""
        return self._ended().exit

    def out_of_memory(self) -> bool:
        """Tell whether its kernel has killed for want of memory since it began."""
        return self._ended().out_of_memory

    def log(self) -> str:
        """Return the end of its stderr, which travels when it has ended."""
        end = self._end(0.0)
        return end.log if end is not None else ""

    def kill(self) -> None:
        """Have it ended, and wait for that."""
        if self._end(0.0) is None:
            self._connection.send(messages.End(self._id))
            self._ended()

    def close(self) -> None:
        """End it; on a dead connection the agent does that by itself."""
        with contextlib.suppress(LinkLost):
            self.kill()
        self._connection.forget(self._id)

    def _ended(self) -> messages.Ended:
        end = self._end(ANSWER_S)
        if end is None:
            raise self._connection.lost("a worker there cannot be ended")
        return end

    def _end(self, timeout_s: float) -> messages.Ended | None:
        return self._connection.worker(self._id, timeout_s, lambda far: far.end is not None).end
