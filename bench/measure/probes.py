"""Probes, seen from the parent: one process on the device, started anew with all it had open when it is lost."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Self, TypeVar

from bench.backends.kernel import Kernel
from bench.backends.ort_kernels import KernelList
from bench.base.errors import BenchError, MeasureError
from bench.base.wire import Unchecked
from bench.machine.environment import pick_cores
from bench.measure.engine import anew
from bench.measure.launch import Launch
from bench.measure.probe_graphs import Graph
from bench.plan.case import BackendRef, Case, Network, Settings
from bench.plan.protocol import NetworkProtocol
from bench.plan.zoo import ModelRef
from bench.transport.base import Transport
from bench.transport.local import LocalTransport

PROBE = Network(ModelRef("onnx", "probe", "", {}, None))
TIMEOUT_S = 120.0
T = TypeVar("T")


class Probes:
    """Runs probes through one backend. Use as a context manager.

    A request whose process is lost with the link is asked again in a new one. What a process dies of is raised, and
    the next request starts another.

    Raises:
        MeasureError: from any method, where the worker told an error, died or stays out of reach.
    """

    def __init__(
        self, backend: BackendRef, threads: int, transport: Transport | None = None, cores: Sequence[int] = ()
    ) -> None:
        self.transport = transport or LocalTransport()
        self.cores: list[int] = []
        self.free_bytes = 0
        self._allowed = list(cores)
        self._case = Case(PROBE, backend, Settings(threads=threads))
        self._launch: Launch | None = None
        self._open: list[Graph] = []

    def __enter__(self) -> Self:
        # Too few: say it at once.
        pick_cores(self._case.settings.threads, self._allowed or self.transport.usable_cores())
        anew(self.transport, self._started)
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def open(self, graph: Graph) -> int:
        """Make and load a graph; return its MACs."""
        macs = self._ask("open", dict[str, int], graph=graph)["macs"]
        self._open.append(graph)
        return macs

    def time(self, graph: Graph, block_ms: float, least: int = 3) -> list[int]:
        """Time one block of an open graph; return its latencies in ns."""
        return self._ask("time", dict[str, list[int]], graph=graph, block_ms=block_ms, least=least)["latency_ns"]

    def examine(self, graph: Graph) -> Unchecked:
        """Read back what an open graph really runs."""
        return self._ask("examine", Unchecked, graph=graph)

    def shut(self, graph: Graph) -> None:
        """Let go of an open graph."""
        self._ask("shut", object, graph=graph)
        self._open.remove(graph)

    def kernels(self, **of: object) -> KernelList:
        """Return the kernels of an `artifact` or of a `made`-up network, and what could not be cut out."""
        found = self._ask("cut", Unchecked, **of)
        return KernelList(tuple(Kernel.read(row) for row in found["kernels"]), tuple(found["lost"]))

    def network(self, protocol: NetworkProtocol, profile: bool = False, **of: object) -> Unchecked:
        """Time a whole network, an `artifact` or a `made`-up one; see `bench.measure.probing`."""
        return self._ask("network", Unchecked, **asdict(protocol), profile=profile, **of)

    def time_kernel(self, kernel: Kernel, block_ms: float, least: int, cold: int) -> dict[str, float | str]:
        """Time one kernel alone."""
        how = {"block_ms": block_ms, "least": least, "cold": cold}
        return self._ask("kernel", dict[str, float | str], kernel=kernel.record(), **how)

    def _ask(self, do: str, expected: type[T], **request: object) -> T:
        return anew(self.transport, lambda: self._asked(do, expected, request))

    def _asked(self, do: str, expected: type[T], request: dict[str, object]) -> T:
        try:
            return self._started().ask(do, expected, **request)
        except MeasureError:
            self._drop(dead=True)
            raise

    def _started(self) -> Launch:
        """Return the process, a new one with the same graphs open where there is none."""
        if self._launch is None:
            launch = Launch(self._case, TIMEOUT_S, self.transport)
            try:
                self.cores = self.cores or launch.choose(self._case.settings.threads, self._allowed)
                about = {"backend": self._case.backend.name, "options": self._case.backend.options}
                here = launch.ask("prepare", Unchecked, **about, settings=asdict(self._case.settings), cores=self.cores)
                self.cores, self.free_bytes = here["cores"], here["free_bytes"]
                for graph in self._open:
                    launch.ask("open", object, graph=graph)
            except BaseException:
                launch.close()
                raise
            self._launch = launch
        return self._launch

    def _drop(self, dead: bool = False) -> None:
        launch, self._launch = self._launch, None
        if launch is not None:
            with suppress(BenchError):
                if not dead:
                    launch.ask("end", object)
            launch.close()
