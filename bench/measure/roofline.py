"""Measures a roofline: every probe through the backend's own code, in one fresh process.

All compute probes take turns until the best of none rises any more; the best block counts, by its median. So a slow
moment of the machine costs time and not height, and a single lucky inference does not raise the roof.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import backends
from bench.base.errors import MeasureError, Unsupported
from bench.machine.environment import pick_cores
from bench.machine.roof import Compute, Roofline, Stream
from bench.measure.probe_graphs import ComputeProbe, StreamProbe, compute_probes, stream_probes
from bench.measure.probes import ProbeLaunch
from bench.plan.case import BackendRef

BLOCK_MS = 20.0
STABLE = 1.01  # a best that rises by less has not risen
QUIET_ROUNDS = 3  # rounds without a rise after which it is stable
MOST_ROUNDS = 15
STREAM_BLOCKS = 4
# Share of the free memory that one array may take: three of them are there, and the runtime may keep copies.
MEMORY_SHARE = 1 / 10


def measure(
    backend: BackendRef, threads: int, allowed: list[int] | None = None, tell: Callable[[str], None] = lambda text: None
) -> Roofline:
    """Measure the roofline of a backend.

    Raises:
        Unsupported: the backend cannot run ONNX graphs, or there are too few cores.
        MeasureError: a probe died.
    """
    refuse(backend)
    pick_cores(threads, allowed)
    with tempfile.TemporaryDirectory(prefix="bench-roofline-") as folder, ProbeLaunch(backend, threads) as launch:
        cores = launch.start(allowed or [])
        probes = compute_probes(Path(folder))
        found = _compute(launch, probes, tell)
        best = max(found, key=lambda c: c.gmacs_per_s)
        ran = launch.inspect(next(p.path for p in probes if p.name == best.probe))
        if ran["macs_executed"] < best.macs and not ran["scripted"]:
            raise MeasureError(
                f"{best.probe} ran {ran['macs_executed']} of its {best.macs} MACs: part of it was folded away",
                "this backend's roofline cannot be trusted; report it",
            )
        for probe in probes:
            launch.shut(probe.path)
        streams = _streams(launch, stream_probes(Path(folder), _largest_array()), tell)
    return Roofline(
        backend=backend.canonical,
        version=ran["version"],
        precision=ran["precision"],
        threads=ran["threads"],
        cores=tuple(cores),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        compute=tuple(found),
        streams=tuple(streams),
        scripted=ran["scripted"],
    )


def refuse(backend: BackendRef) -> None:
    """Raise Unsupported for a backend that cannot run the probes."""
    if not backends.get(backend.name).capabilities.probes:
        others = [b.name for b in backends.working() if b.capabilities.probes and not b.capabilities.scripted]
        raise Unsupported(
            f"{backend.name} has no roofline here: its backend does not run the probes, which are ONNX graphs",
            f"{' and '.join(others)} have one",
        )


def _compute(launch: ProbeLaunch, probes: list[ComputeProbe], tell: Callable[[str], None]) -> list[Compute]:
    macs = {probe.name: launch.open(probe.path) for probe in probes}
    best: dict[str, float] = {}
    quiet = 0
    for turn in range(MOST_ROUNDS):
        tell(f"peak: round {turn + 1} of at most {MOST_ROUNDS}")
        rose = False
        for probe in probes:
            latency = statistics.median(launch.time(probe.path, BLOCK_MS))
            rose |= probe.name not in best or best[probe.name] > STABLE * latency
            best[probe.name] = min(latency, best.get(probe.name, latency))
        quiet = 0 if rose else quiet + 1
        if quiet == QUIET_ROUNDS:
            break
    return [Compute(name, macs[name], latency) for name, latency in best.items()]


def _streams(launch: ProbeLaunch, probes: list[StreamProbe], tell: Callable[[str], None]) -> list[Stream]:
    """Time every size; the run of a single element tells what a run takes besides, and is taken off."""
    found = []
    empty_ns = 0.0
    for probe in probes:
        tell(f"bandwidth: arrays of {probe.array_bytes >> 10} KiB")
        launch.open(probe.path)
        latency = min(statistics.median(launch.time(probe.path, BLOCK_MS)) for _ in range(STREAM_BLOCKS))
        launch.shut(probe.path)
        if not probe.array_bytes:
            empty_ns = latency
        elif latency > 2 * empty_ns or probe is probes[-1]:  # below, what is left is mostly noise
            found.append(Stream(probe.array_bytes, latency - empty_ns if latency > empty_ns else latency))
    return found


def _largest_array() -> int:
    import psutil

    return int(psutil.virtual_memory().available * MEMORY_SHARE)
