"""Measures a roofline: every probe through the backend's own code, in one fresh process.

All compute probes take turns until the best of none rises any more; the best block counts, by its median. So a slow
moment of the machine costs time and not height, and a single lucky inference does not raise the roof.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from bench import backends
from bench.base.errors import MeasureError, Unsupported
from bench.machine.roof import Compute, Roofline, Stream
from bench.measure.probe_graphs import Graph, compute_probes, stream_probes
from bench.measure.probes import Probes
from bench.plan.case import BackendRef
from bench.plan.protocol import RooflineProtocol
from bench.transport.base import Transport

Tell = Callable[[str], None]


def measure(
    backend: BackendRef,
    threads: int,
    cores: Sequence[int] = (),
    tell: Tell = lambda text: None,
    transport: Transport | None = None,
    protocol: RooflineProtocol | None = None,
) -> Roofline:
    """Measure the roofline of a backend on a device.

    Raises:
        Unsupported: the backend cannot run ONNX graphs, or there are too few cores.
        MeasureError: a probe died.
    """
    refuse(backend)
    protocol = protocol or RooflineProtocol()
    with Probes(backend, threads, transport, cores) as probes:
        int8 = backend.options.get("precision") == "int8"
        graphs = compute_probes(backends.get(backend.name).accelerated(backend.options), int8)
        found = _compute(probes, graphs, protocol, tell)
        best = max(found, key=lambda c: c.gmacs_per_s)
        ran = probes.examine(graphs[best.probe])
        if ran["macs_executed"] < best.macs and not ran["scripted"]:
            raise MeasureError(
                f"{best.probe} ran {ran['macs_executed']} of its {best.macs} MACs: part of it was folded away",
                "this backend's roofline cannot be trusted; report it",
            )
        for graph in graphs.values():
            probes.shut(graph)
        largest = int(probes.free_bytes * protocol.memory_share)
        streams = _streams(probes, stream_probes(largest), protocol, tell)
    return Roofline(
        backend=backend.canonical,
        version=ran["version"],
        precision=ran["precision"],
        threads=ran["threads"],
        cores=tuple(probes.cores),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        compute=tuple(found),
        streams=tuple(streams),
        scripted=ran["scripted"],
        device=ran["device"],
    )


def refuse(backend: BackendRef) -> None:
    """Raise Unsupported for a backend that cannot run the probes."""
    if not backends.get(backend.name).capabilities.probes:
        others = [b.name for b in backends.working() if b.capabilities.probes and not b.capabilities.scripted]
        raise Unsupported(
            f"{backend.name} has no roofline here: its backend does not run the probes",
            f"{', '.join(others)} have one",
        )


def _compute(probes: Probes, graphs: Mapping[str, Graph], protocol: RooflineProtocol, tell: Tell) -> list[Compute]:
    macs = {name: probes.open(graph) for name, graph in graphs.items()}
    best: dict[str, float] = {}
    quiet = 0
    for turn in range(protocol.most_rounds):
        tell(f"peak: round {turn + 1} of at most {protocol.most_rounds}")
        rose = False
        for name, graph in graphs.items():
            latency = statistics.median(probes.time(graph, protocol.block_ms))
            rose |= name not in best or best[name] > protocol.stable * latency
            best[name] = min(latency, best.get(name, latency))
        quiet = 0 if rose else quiet + 1
        if quiet == protocol.quiet_rounds:
            break
    return [Compute(name, macs[name], latency) for name, latency in best.items()]


def _streams(probes: Probes, graphs: Mapping[int, Graph], protocol: RooflineProtocol, tell: Tell) -> list[Stream]:
    """Time every size; the run of a single element tells what a run takes besides, and is taken off."""
    found = []
    empty_ns = 0.0
    for array_bytes, graph in graphs.items():
        tell(f"bandwidth: arrays of {array_bytes >> 10} KiB")
        probes.open(graph)
        latency = min(statistics.median(probes.time(graph, protocol.block_ms)) for _ in range(protocol.stream_blocks))
        probes.shut(graph)
        if not array_bytes:
            empty_ns = latency
        elif latency > 2 * empty_ns or array_bytes == max(graphs):  # below, what is left is mostly noise
            found.append(Stream(array_bytes, latency - empty_ns if latency > empty_ns else latency))
    return found
