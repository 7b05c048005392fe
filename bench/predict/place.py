"""Where prediction measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.measure.probes import Probes
from bench.plan.case import BackendRef
from bench.plan.protocol import KernelProtocol
from bench.predict.table import KernelTable
from bench.transport.base import Transport
from bench.transport.local import LocalTransport


@dataclass
class Place:
    """A device, the cores allowed there, and how kernels are timed."""

    transport: Transport = field(default_factory=LocalTransport)
    cores: Sequence[int] = ()
    protocol: KernelProtocol = field(default_factory=KernelProtocol)

    def probes(self, table: KernelTable, backend: BackendRef) -> Probes:
        """Return a process there."""
        return Probes(backend, table.context.threads, self.transport, self.cores)
