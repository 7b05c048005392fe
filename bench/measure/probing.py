"""The worker's part of probes: tiny graphs and single kernels, timed through one backend in one process.

    {"do": "prepare", "backend": ..., "options": ..., "settings": ..., "cores": [1]}
    {"do": "open", "graph": ["gemm", 512]}
    {"do": "time", "graph": ["gemm", 512], "block_ms": 20, "least": 3}
    {"do": "examine", "graph": ["gemm", 512]}
    {"do": "shut", "graph": ["gemm", 512]}
    {"do": "cut", "artifact": "/where/it/lies"}, or with "made", the recipe of a made-up network
    {"do": "kernel", "kernel": {...}, "block_ms": 5, "least": 5, "cold": 9}
    {"do": "network", "artifact": "/where/it/lies", "block_ms": 30, "least": 3, "blocks": 3, "profile": false}
    {"do": "end"}

Graphs are made here, from a few numbers, so that nothing has to travel. A kernel that cannot be timed is told as
``{"failed": why}`` and the worker lives on.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from bench import backends
from bench.artifact import artifact as artifacts
from bench.artifact.artifact import Array, Artifact
from bench.artifact.probe import Probe
from bench.backends.base import Options, Session
from bench.backends.kernel import Kernel
from bench.backends.loop import time_block
from bench.base.errors import clip, first_line
from bench.base.wire import Unchecked
from bench.machine.cores import pin
from bench.machine.workload import ReferenceWorkload
from bench.measure import probe_blocks
from bench.measure import probe_graphs as graphs
from bench.measure.probe_artifact import describe, examine
from bench.measure.probe_graphs import Graph
from bench.plan.case import Settings

if TYPE_CHECKING:
    from bench.backends.profiling import KernelProfiler

# What is read to drive everything out of the private caches; a few times what they hold.
EVICT_BYTES = 8 << 20
# Inputs up to here are brought back into the cache after that: the operator before would have left them there.
RECENT_BYTES = 1 << 20
SLOW_NS = 2_000_000  # a kernel that takes longer is not repeated as often: its noise is smaller, too
FEW = 2


class Prober:
    """Keeps the sessions that are open, by their graph."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}

    def prepare(self, backend: str, options: Options, settings: object, cores: list[int]) -> dict[str, object]:
        """Pin this process and import the runtime; say where it runs and how much memory is free."""
        import psutil

        self.cores = pin(cores).cores
        self.backend = backends.get(backend)
        self.options = options
        self.settings = Settings.read(settings)
        self.backend.import_runtime()
        return {"cores": self.cores, "free_bytes": psutil.virtual_memory().available}

    def open(self, graph: Graph) -> dict[str, int]:
        """Make a graph, load it and run it twice."""
        import onnx

        name = _name(graph)
        path = self._folder / f"{name}.onnx"
        onnx.save(graphs.make(graph), path)
        artifact = examine(path)
        session = backends.session(self.backend, artifact, self.settings, self.options)
        session.infer()
        session.infer()
        self.sessions[name] = session
        return {"macs": artifact.macs}

    def time(self, graph: Graph, block_ms: float, least: int) -> dict[str, list[int]]:
        """Time a block of at least `least` inferences and about `block_ms`; return every latency in ns."""
        session = self.sessions[_name(graph)]
        return {"latency_ns": self._block(session, block_ms, least)}

    def examine(self, graph: Graph) -> dict[str, object]:
        """Read back what a session really runs."""
        session = self.sessions[_name(graph)]
        found, operators = session.effective(), session.operators()  # `probes` needs `graph`
        return {
            "version": found.version,
            "device": found.device,
            "precision": found.precision,
            "threads": found.threads,
            "macs_executed": sum(op.macs or 0 for op in operators),
            "scripted": self.backend.capabilities.scripted,
        }

    def shut(self, graph: Graph) -> None:
        """Let go of a session and its graph."""
        name = _name(graph)
        self.sessions.pop(name).close()
        (self._folder / f"{name}.onnx").unlink(missing_ok=True)

    def cut(self, artifact: str = "", made: Unchecked | None = None) -> dict[str, object]:
        """Return the kernels of the graph that the runtime makes of an artifact, or of a made-up network."""
        path = artifacts.load(Path(artifact)).path if artifact else self._made(made or {})
        found = self.backend.kernels(path, self.settings.threads, self.options)
        kernels = [kernel.record() for kernel in found.kernels]
        return {"kernels": kernels, "lost": found.lost}

    def network(
        self, block_ms: float, least: int, blocks: int, profile: bool, artifact: str = "", made: Unchecked | None = None
    ) -> dict[str, object]:
        """Time a whole network; return latency and reference workload of each block in ns.

        With `profile` also its kernels and the mean time of each by the runtime's own counters, in ns (None: not told).
        """
        loaded: Artifact = artifacts.load(Path(artifact)) if artifact else examine(self._made(made or {}))
        session = backends.session(self.backend, loaded, self.settings, self.options)
        told: dict[str, object] = {}
        try:
            for _ in range(FEW):
                session.infer()
            rows = [self._beside(session, block_ms, least) for _ in range(blocks)]
            if profile:
                told = self._told(session, block_ms * blocks, statistics.median(r["latency_ns"] for r in rows))
        finally:
            session.close()
        return {"blocks": rows, **told}

    def _beside(self, session: Session, block_ms: float, least: int) -> dict[str, float]:
        before = self._workload.before()["gemm_ns"]
        latency_ns = statistics.median(self._block(session, block_ms, least))
        after = self._workload.before()["gemm_ns"]
        return {"latency_ns": latency_ns, "gemm_ns": (before + after) / 2}

    def _told(self, session: Session, ms: float, latency_ns: float) -> dict[str, object]:
        profiler = cast("KernelProfiler", session.profiler())  # `kernel_times` says so
        profiler.block(max(FEW, round(ms * 1e6 / latency_ns)))
        listed, found = profiler.kernels(), profiler.read()
        means = {op.name: statistics.mean(op.raw_ns) - found.cost.hot_ns for op in found.operators}
        kernels = [kernel.record() for kernel in listed.kernels]
        return {"kernels": kernels, "lost": listed.lost, "told_ns": [means.get(name) for name in listed.names]}

    def _made(self, recipe: Unchecked) -> Path:
        """Write a made-up network once."""
        import onnx

        name = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]
        path = self._folder / f"made-{name}.onnx"
        if not path.exists():
            for old in self._folder.glob("made-*.onnx"):
                old.unlink()
            onnx.save(probe_blocks.network(recipe), path)
        return path

    def kernel(self, kernel: Unchecked, block_ms: float, least: int, cold: int) -> dict[str, float | str]:
        """Time one kernel alone; latencies in ns, the reference workload's beside them."""
        try:
            return {**self._kernel(Kernel.read(kernel), block_ms, least, cold)}
        except Exception as error:  # whatever the runtime raises belongs to this kernel
            return {"failed": clip(first_line(error), 160)}

    def end(self) -> None:
        """Remove what was written."""
        self._temporary.cleanup()

    @cached_property
    def _temporary(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="bench-probes-")

    @property
    def _folder(self) -> Path:
        return Path(self._temporary.name)

    @cached_property
    def _workload(self) -> ReferenceWorkload:
        return ReferenceWorkload()

    @cached_property
    def _evict(self) -> NDArray[np.float32]:
        return np.ones(EVICT_BYTES // 4, np.float32)

    def _block(self, session: Session, block_ms: float, least: int) -> list[int]:
        clock, device_ns = session.clocks.now, session.clocks.device_ns
        first = min(time_block(session.infer, 2, clock, device_ns)[0])
        n = min(max(least, round(block_ms * 1e6 / max(first, 1))), 100_000)
        return time_block(session.infer, n, clock, device_ns)[0]

    def _kernel(self, kernel: Kernel, block_ms: float, least: int, cold: int) -> dict[str, float]:
        import onnx

        model = kernel.model()
        path = self._folder / "kernel.onnx"
        onnx.save(model, path)
        artifact = Held.of(describe(model, path))
        session = self.backend.load_kernel(artifact, self.settings, self.options)
        try:
            slow = time_block(session.infer, 1)[0][0] > SLOW_NS
            least, cold = (min(FEW, least), min(FEW, cold)) if slow else (least, cold)
            for _ in range(1 if slow else FEW):
                session.infer()
            before = self._workload.before()["gemm_ns"]
            hot = self._block(session, block_ms, least)
            fetched = [self._cold(session, artifact) for _ in range(cold)]
            after = self._workload.before()["gemm_ns"]
        finally:
            session.close()
        middle = {"hot_ns": statistics.median(hot), "cold_ns": statistics.median(fetched)}
        return middle | {"gemm_ns": (before + after) / 2}

    def _cold(self, session: Session, artifact: Held) -> int:
        """Time one inference whose weights have left the private caches, and whose small operands have not."""
        self._evict.sum()
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

    held: list[Array]

    def reference(self) -> tuple[list[Array], list[Array]]:
        """Return the inputs that are held."""
        return self.held, []


def _name(graph: Graph) -> str:
    return "-".join(map(str, graph))
