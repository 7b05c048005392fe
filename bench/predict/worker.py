"""The prediction's worker: lists the kernels of a model, and times single kernels, hot and cold.

Besides the requests of `bench.measure.probing`:

    {"do": "list", "path": "net.onnx"}
    {"do": "kernel", "kernel": {...}, "block_ms": 5, "least": 5, "cold": 9}

A kernel that cannot be timed is told as ``{"failed": why}`` and the worker lives on.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.artifact.probe import Probe
from bench.backends.base import Session
from bench.backends.kernel import Kernel
from bench.backends.loop import time_block
from bench.base.errors import clip, first_line
from bench.measure.probe_artifact import describe
from bench.measure.probing import ProbeWorker
from bench.measure.worker import serve

# What is read to drive everything out of the private caches; a few times what they hold.
EVICT_BYTES = 8 << 20
# Inputs up to here are brought back into the cache after that: the operator before would have left them there.
RECENT_BYTES = 1 << 20


class PredictWorker(ProbeWorker):
    """One process that times kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.evict = np.ones(EVICT_BYTES // 4, np.float32)
        self.folder = tempfile.TemporaryDirectory(prefix="bench-kernels-")

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the kernels of the graph that the runtime makes of a model."""
        found = self.backend.kernels(Path(request["path"]), self.settings.threads, self.options)
        return {"kernels": [kernel.record() for kernel in found.kernels], "lost": found.lost}

    def kernel(self, request: dict[str, Any]) -> dict[str, Any]:
        """Time one kernel alone; latencies in ns, the canary's beside them."""
        try:
            return self._time(Kernel.read(request["kernel"]), request)
        except Exception as error:  # whatever the runtime raises belongs to this kernel
            return {"failed": clip(first_line(error), 160)}

    def _time(self, kernel: Kernel, request: dict[str, Any]) -> dict[str, Any]:
        import onnx

        model = kernel.model()
        path = Path(self.folder.name, "kernel.onnx")
        onnx.save(model, path)
        artifact = Held.of(describe(model, path))
        session = self.backend.load_kernel(artifact, self.settings, self.options)
        try:
            for _ in range(3):
                session.infer()
            before = self.canary.before()["gemm_ns"]
            hot = statistics.median(self._block(session, request["block_ms"], request["least"]))
            cold = statistics.median(self._cold(session, artifact) for _ in range(request["cold"]))
            after = self.canary.before()["gemm_ns"]
        finally:
            session.close()
        return {"hot_ns": hot, "cold_ns": cold, "gemm_ns": (before + after) / 2}

    def _cold(self, session: Session, artifact: Held) -> int:
        """Time one inference whose weights have left the private caches, and whose small operands have not."""
        self.evict.sum()
        for array in (*artifact.held, *session.outputs()):
            if array.nbytes <= RECENT_BYTES:
                array.max(initial=0)
        return time_block(session.infer, 1, session.clocks.now, session.clocks.device_ns)[0][0]


class Held(Probe):
    """A probe that keeps hold of the inputs it gave to the runtime, so that they can be touched."""

    @classmethod
    def of(cls, probe: Probe) -> Held:
        """Hold the inputs of a probe."""
        held = cls(**{name: getattr(probe, name) for name in probe.__dataclass_fields__})
        object.__setattr__(held, "held", Probe.reference(held)[0])
        return held

    held: list[Any]

    def reference(self) -> tuple[list[Any], list[Any]]:
        """Return the inputs that are held."""
        return self.held, []


def main() -> int:
    """Serve requests until stdin ends or one fails."""
    worker = PredictWorker()
    names = ("choose", "start", "open", "time", "inspect", "shut", "list", "kernel")
    return serve({name: getattr(worker, name) for name in names})


if __name__ == "__main__":
    sys.exit(main())
