"""What goes over a connection to an agent and back: a header of one line, and as many bytes as the header says.

``37 {"do": "put", ...}`` and 37 bytes. Requests go there; answers come in the order of the requests, `Tell` and `End`
have none. `Wrote` and `Ended` come unasked, with what a worker wrote and how it ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from bench.base.wire import Fault, Marked, broken
from bench.machine.environment import Environment

# One for both ends: raise it when a message changes its meaning, so that an end of another kind is told.
PROTOCOL = 2
T = TypeVar("T")


class Request(Struct, frozen=True, tag_field="do", tag=str.lower):
    """Asks an agent for something."""


class Hello(Request, frozen=True):
    """Who is there? Answered by `Identity`."""


class Start(Request, frozen=True):
    """Start worker number `id`; no answer of it takes longer than `timeout_s`."""

    id: int
    module: str
    python: str
    settings: dict[str, str]
    timeout_s: float


class Tell(Request, frozen=True):
    """The payload is for the worker's stdin."""

    id: int


class End(Request, frozen=True):
    """End a worker at once."""

    id: int


class Want(Request, frozen=True):
    """Prepare for a package, whose manifest is the payload. Answered by `bench.artifact.package.Held`."""


class Put(Request, frozen=True):
    """The payload is a piece of a package's file."""

    digest: str
    name: str
    at: int


class Done(Request, frozen=True):
    """Check every file of a package and make its folder appear. Answered by that folder."""

    digest: str


class Doctor(Request, frozen=True):
    """Examine the machine. Answered by a list of `bench.machine.doctor.Symptom`."""

    threads: int


class Hold(Request, frozen=True):
    """Wait until nobody else measures on this device, and keep it until `Release` or the end of the connection."""


class Release(Request, frozen=True):
    """Let others measure on this device."""


class Message(Struct, frozen=True, tag_field="is", tag=str.lower):
    """Comes from an agent."""


class Answer(Message, frozen=True):
    """The answer to a request: what was asked for, or an error."""

    ok: msgspec.Raw = msgspec.Raw(b"null")
    fault: Fault | None = None


class Wrote(Message, frozen=True):
    """The payload is what worker number `id` wrote to its stdout."""

    id: int


class Ended(Message, frozen=True):
    """How worker number `id` ended: its exit code (a signal's number, negative), and the end of its stderr."""

    id: int
    exit: int
    log: str
    out_of_memory: bool


class Identity(Struct, frozen=True):
    """An agent: its program (`bench.transport.wheel.program`) and version, its machine."""

    program: str
    version: str
    protocol: int
    environment: Environment
    usable_cores: list[int]


Requests = Hello | Start | Tell | End | Want | Put | Done | Doctor | Hold | Release
Messages = Answer | Wrote | Ended
REQUESTS: msgspec.json.Decoder[Requests] = msgspec.json.Decoder(Requests)
MESSAGES: msgspec.json.Decoder[Messages] = msgspec.json.Decoder(Messages)


def encode(header: Request | Message, payload: bytes = b"") -> bytes:
    """Return the bytes of one message."""
    return b"%d %s\n%s" % (len(payload), msgspec.json.encode(header), payload)


class Decoder(Generic[T]):
    """Takes bytes as they come, gives messages as they are whole; those of an agent begin behind its mark."""

    def __init__(self, header: msgspec.json.Decoder[T], marked: bool = False) -> None:
        self._header = header
        self._held = bytearray()
        self.mark = Marked() if marked else None

    def feed(self, data: bytes) -> Iterator[tuple[T, bytes]]:
        """Yield every message that `data` completes; WorkerCrashed where it is none at all, quoted."""
        self._held += self.mark.feed(data) if self.mark is not None else data
        while (end := self._held.find(b"\n")) >= 0:
            line = bytes(self._held[:end])
            size, _, text = line.partition(b" ")
            try:
                if not size.isdigit():
                    raise ValueError("no size")
                whole, header = end + 1 + int(size), self._header.decode(text)
            except (ValueError, RecursionError) as error:
                raise broken(line) from error
            if len(self._held) < whole:
                return
            payload = bytes(self._held[end + 1 : whole])
            del self._held[:whole]
            yield header, payload
