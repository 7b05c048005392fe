"""The probe worker: one process that loads many small graphs through one backend, and times them.

    {"do": "start", "backend": ..., "options": ..., "settings": ..., "cores": [1]}
    {"do": "open", "path": "/tmp/gemm-512.onnx"}
    {"do": "time", "path": ..., "block_ms": 20, "least": 3}
    {"do": "inspect", "path": ...}
    {"do": "shut", "path": ...}

The protocol is that of `bench.measure.worker`, and so is the timed loop.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from bench import backends
from bench.backends.base import Session
from bench.backends.loop import time_block
from bench.machine.canary import Canary, Probe
from bench.measure.probe_artifact import examine
from bench.measure.worker import Worker, pin, serve
from bench.plan.case import Settings


class ProbeWorker:
    """Keeps the sessions that are open, by the path of their graph."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.choose = Worker().choose

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        """Pin this process and import the runtime."""
        self.cores = pin(request["cores"])
        self.backend = backends.get(request["backend"])
        self.options = request["options"]
        self.settings = Settings.read(request["settings"])
        self.backend.import_runtime()
        self.canary: Probe = Canary()
        return {"cores": self.cores}

    def open(self, request: dict[str, Any]) -> dict[str, Any]:
        """Load a graph and run it twice."""
        artifact = examine(Path(request["path"]))
        session = backends.session(self.backend, artifact, self.settings, self.options)
        session.infer()
        session.infer()
        self.sessions[request["path"]] = session
        return {"macs": artifact.macs}

    def time(self, request: dict[str, Any]) -> dict[str, Any]:
        """Time a block of at least `least` inferences and about `block_ms`; return every latency in ns."""
        return {"latency_ns": self._block(self.sessions[request["path"]], request["block_ms"], request["least"])}

    def _block(self, session: Session, block_ms: float, least: int) -> list[int]:
        clock, device_ns = session.clocks.now, session.clocks.device_ns
        first = min(time_block(session.infer, 2, clock, device_ns)[0])
        n = min(max(least, round(block_ms * 1e6 / max(first, 1))), 100_000)
        return time_block(session.infer, n, clock, device_ns)[0]

    def inspect(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read back what a session really runs."""
        session = self.sessions[request["path"]]
        found, operators = session.effective(), session.operators()  # `probes` needs `graph`
        return {
            "version": found.version,
            "device": found.device,
            "precision": found.precision,
            "threads": found.threads,
            "macs_executed": sum(op.macs or 0 for op in operators),
            "scripted": self.backend.capabilities.scripted,
        }

    def shut(self, request: dict[str, Any]) -> dict[str, Any]:
        """Let go of a session."""
        self.sessions.pop(request["path"]).close()
        return {}


def main() -> int:
    """Serve requests until stdin ends or one fails."""
    worker = ProbeWorker()
    names = ("choose", "start", "open", "time", "inspect", "shut")
    return serve({name: getattr(worker, name) for name in names})


if __name__ == "__main__":
    sys.exit(main())
