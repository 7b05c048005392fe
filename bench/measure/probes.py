"""The probe worker, seen from the parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from bench.measure.launch import Launch
from bench.plan.case import BackendRef, Case, Network, Settings
from bench.plan.zoo import ModelRef

PROBE = Network(ModelRef("onnx", "probe", "", {}, None))


class ProbeLaunch(Launch):
    """A process that runs probes through one backend. Use as a context manager."""

    module: ClassVar[str] = "bench.measure.probing"

    def __init__(self, backend: BackendRef, threads: int, timeout_s: float = 120.0) -> None:
        super().__init__(Case(PROBE, backend, Settings(threads=threads)), timeout_s)

    def start(self, allowed: Sequence[int] = ()) -> list[int]:
        """Choose the quietest of the allowed cores, import the runtime there, and return the cores."""
        chosen = self.choose(self.case.settings.threads, allowed)
        answer = self.ask(
            "start",
            backend=self.case.backend.name,
            options=self.case.backend.options,
            settings=asdict(self.case.settings),
            cores=chosen["cores"],
        )
        return list(answer["cores"])

    def open(self, path: Path) -> int:
        """Load a graph; return its MACs."""
        return int(self.ask("open", path=str(path))["macs"])

    def time(self, path: Path, block_ms: float, least: int = 3) -> list[int]:
        """Time one block of an open graph; return its latencies in ns."""
        return list(self.ask("time", path=str(path), block_ms=block_ms, least=least)["latency_ns"])

    def inspect(self, path: Path) -> dict[str, Any]:
        """Read back what an open graph really runs."""
        return self.ask("inspect", path=str(path))

    def shut(self, path: Path) -> None:
        """Let go of an open graph."""
        self.ask("shut", path=str(path))
