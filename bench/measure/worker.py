"""The worker: one fresh process per launch, JSON lines in on stdin and out on stdout.

    {"do": "runtimes"}
    {"do": "version", "backend": ...}
    {"do": "meter", "name": ...}
    {"do": "choose", "threads": 1, "allowed": [0, 1]}
    {"do": "load", "artifact": ..., "backend": ..., "options": ..., "settings": ..., "cores": ...}
    {"do": "warm", "ms": 100, "least": 5, "block_ms": 50, "block_least": 5}
    {"do": "block", "n": 12, "heat": false}
    {"do": "reload"}
    {"do": "inspect"}
    {"do": "energy", "meter": "auto"}
    {"do": "profile", "rounds": 4, "n": 10, "twin_first": false}
    {"do": "close"}

and the requests of `bench.measure.probing`, in a process that only probes. Each is answered by one line of
`bench.base.wire`; an error ends the worker. Whatever a runtime prints to stdout goes to stderr, so that the protocol
stays clean. The worker also runs behind ssh, in a container, or in another virtual environment: it needs nothing but
these lines.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable

from bench.base import wire
from bench.base.errors import BenchError
from bench.base.process import look_after_the_machine
from bench.measure.measuring import Measurer

MEASURING = (
    "runtimes", "version", "meter", "choose", "load", "reload", "warm", "block", "inspect", "energy", "profile",
    "close",
)  # fmt: skip
PROBING = ("prepare", "open", "time", "examine", "shut", "cut", "kernel", "network", "end")


def main() -> int:
    """Answer one JSON line with another until stdin ends (0) or a request fails (1)."""
    replies = wire.claim_stdout()
    look_after_the_machine()
    parts: dict[str, object] = {}
    for line in sys.stdin:
        try:
            request = json.loads(line)
            reply = wire.ok(_action(request.pop("do"), parts)(**request))
        except Exception as error:  # whatever a runtime raises becomes one line for the parent
            traceback.print_exc()
            replies.write(wire.failed(error))
            return 1
        replies.write(reply)
        replies.flush()
    return 0


def _action(name: str, parts: dict[str, object]) -> Callable[..., object]:
    """Return what a request asks for, of the part of the worker that does it."""
    if name not in MEASURING + PROBING:
        raise BenchError(f"a worker does not do {name!r}", "the same version of isoflops must be on both sides")
    kind = "probing" if name in PROBING else "measuring"
    if kind not in parts:
        if kind == "probing":
            from bench.measure.probing import Prober

            parts[kind] = Prober()
        else:
            parts[kind] = Measurer()
    action: Callable[..., object] = getattr(parts[kind], name)
    return action


if __name__ == "__main__":
    sys.exit(main())
