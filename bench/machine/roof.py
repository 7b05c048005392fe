"""A roofline, as a record: what was measured, and what follows from it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from bench.base.wire import Unchecked

# Neighbouring sizes whose bandwidth differs by less than this factor lie on one plateau.
SAME = 1.2
# A row above this share of the peak is an error: folded work, a lower precision, or a wrong count.
LIMIT = 1.05


@dataclass(frozen=True, slots=True)
class Compute:
    """The best rate of one compute probe."""

    probe: str
    macs: int
    latency_ns: float

    @property
    def gmacs_per_s(self) -> float:
        """Multiply-accumulates per ns."""
        return self.macs / self.latency_ns


@dataclass(frozen=True, slots=True)
class Stream:
    """The best rate of adding two arrays into a third; `latency_ns` is without what an empty run takes."""

    array_bytes: int
    latency_ns: float

    @property
    def working_set_bytes(self) -> int:
        """Bytes that the addition touches: two arrays read, one written."""
        return 3 * self.array_bytes

    @property
    def gb_per_s(self) -> float:
        """Bytes read and written per ns; the fetch of a line before it is written over is not counted."""
        return self.working_set_bytes / self.latency_ns


@dataclass(frozen=True, slots=True)
class Plateau:
    """Neighbouring sizes of about one bandwidth: a level of cache, or memory."""

    from_bytes: int
    to_bytes: int
    gb_per_s: float


@dataclass(frozen=True, slots=True)
class Roofline:
    """Peak and bandwidth of one runtime (its canonical spec and version), precision and thread count.

    `device` is the name of what computed, as the runtime tells it; empty in an older record.
    """

    backend: str
    version: str
    precision: str
    threads: int
    cores: tuple[int, ...]
    measured_at: str
    compute: tuple[Compute, ...]
    streams: tuple[Stream, ...]
    scripted: bool = False
    device: str = ""

    @property
    def best(self) -> Compute:
        """The compute probe that gave the peak."""
        return max(self.compute, key=lambda c: c.gmacs_per_s)

    @property
    def peak_gmacs_per_s(self) -> float:
        """The attainable peak; twice that in GFLOP/s."""
        return self.best.gmacs_per_s

    def bandwidth_gb_per_s(self, working_set_bytes: float) -> float:
        """Return the bandwidth for an operator that touches so many bytes.

        It is the best that was measured with as large a working set or a larger one, between sizes interpolated on
        logarithmic scales: an upper bound, because a smaller set can be no slower.
        """
        ordered = sorted(self.streams, key=lambda s: s.array_bytes)
        rates = np.maximum.accumulate([s.gb_per_s for s in ordered][::-1])[::-1]
        sizes = [math.log(s.working_set_bytes) for s in ordered]
        return float(math.exp(np.interp(math.log(max(working_set_bytes, 1.0)), sizes, np.log(rates))))

    def plateaus(self) -> list[Plateau]:
        """Group neighbouring sizes of about equal bandwidth; a step between two levels belongs to neither."""
        groups: list[list[Stream]] = []
        for stream in sorted(self.streams, key=lambda s: s.array_bytes):
            rates = [s.gb_per_s for s in groups[-1]] if groups else []
            if rates and max(*rates, stream.gb_per_s) < SAME * min(*rates, stream.gb_per_s):
                groups[-1].append(stream)
            else:
                groups.append([stream])
        return [
            Plateau(g[0].working_set_bytes, g[-1].working_set_bytes, float(np.median([s.gb_per_s for s in g])))
            for g in groups
            if len(g) > 1
        ]

    def floor_ns(self, macs: float, moved_bytes: float) -> float:
        """Return the least time of an operator: its MACs at the peak or its bytes at the bandwidth."""
        moving = moved_bytes / self.bandwidth_gb_per_s(moved_bytes) if moved_bytes else 0.0
        return max(macs / self.peak_gmacs_per_s, moving)

    def record(self) -> dict[str, object]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def read(cls, data: Unchecked) -> Roofline:
        """Make a roofline of what `record` gave.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        compute = tuple(Compute(**row) for row in data["compute"])
        streams = tuple(Stream(**row) for row in data["streams"])
        latencies = [c.latency_ns for c in compute] + [s.latency_ns for s in streams]
        if not compute or not streams or min(latencies) <= 0:
            raise ValueError("empty")
        return cls(**data | {"compute": compute, "streams": streams, "cores": tuple(data["cores"])})
