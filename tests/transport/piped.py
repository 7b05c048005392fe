"""An agent behind a plain pipe: the connection without ssh."""

from __future__ import annotations

import sys
from typing import Any

from bench.base.errors import Unreachable
from bench.transport.connection import Connection
from bench.transport.messages import Tell
from bench.transport.remote import Remote


class Piped(Remote):
    """A device that is this machine, reached as if it were another."""

    def __init__(self, prelude: str = "") -> None:
        super().__init__("piped")
        self.prelude = prelude

    def dial(self) -> Connection:
        words = [sys.executable, "-P", "-m", "bench.transport.agent", self.run]
        if self.prelude:
            script = f"import sys, bench; from bench.transport import agent; {self.prelude}; sys.exit(agent.main())"
            words = [sys.executable, "-c", script, self.run]
        return Connection(words, self.name)

    def diagnose(self, code: int | None, said: str) -> Unreachable:
        return Unreachable(f"left with {code}: {said}")


class Cut(Piped):
    """Its connection is cut once, the hard way, in the middle of the n-th request of a kind to a worker."""

    def __init__(self, do: str, n: int) -> None:
        super().__init__()
        self._word, self._left = f'"do": "{do}"'.encode(), n
        self.cuts = 0

    def dial(self) -> Connection:
        connection = super().dial()
        send = connection.send

        def watched(header: Any, payload: bytes = b"") -> None:
            send(header, payload)
            if isinstance(header, Tell) and self._word in payload:
                self._left -= 1
                if self._left == 0:
                    self.cuts += 1
                    connection._process.kill()

        connection.send = watched  # type: ignore[method-assign]
        return connection
