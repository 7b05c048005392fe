"""An agent behind a plain pipe: the line without ssh."""

from __future__ import annotations

import sys

from bench.base.errors import Unreachable
from bench.transport.line import Line
from bench.transport.remote import Remote


class Piped(Remote):
    """A device that is this machine, reached as if it were another."""

    def __init__(self, prelude: str = "") -> None:
        super().__init__("piped")
        self.prelude = prelude

    def dial(self) -> Line:
        words = [sys.executable, "-P", "-m", "bench.transport.agent", self.run]
        if self.prelude:
            script = f"import sys, bench; from bench.transport import agent; {self.prelude}; sys.exit(agent.main())"
            words = [sys.executable, "-c", script, self.run]
        return Line(words, self.name)

    def diagnose(self, code: int | None, said: str) -> Unreachable:
        return Unreachable(f"left with {code}: {said}")
