"""What a session that can be profiled offers besides: the runtime's own time for each operator of its fused graph.

A session with a method ``profiler()`` has it; one without is told so in a line (`bench.measure.profiling`). A profiler
is a second session with the same settings, because a runtime's profiler cannot be switched on and off in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bench.backends.ort_kernels import KernelList

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TimedOperator:
    """One executed operator, in order of execution, as the runtime tells it.

    `raw_ns` has one time for each profiled inference, or a single mean where the runtime keeps no more. `origins` are
    names of source nodes or source tensors that the runtime says it comes from. `weight` is the stored shape of the
    second operand of a convolution or product (padded where the layout pads), `group` its groups. `events` is how many
    of the profiler's events it took: each costs its δ.
    """

    name: str
    kind: str
    raw_ns: Sequence[float]
    origins: tuple[str, ...] = ()
    weight: Shape = ()
    group: int = 1
    layout_in: str = ""
    layout_out: str = ""
    precision: str = ""
    implementation: str = ""
    shapes_in: tuple[Shape, ...] = ()
    shape_out: Shape = ()
    events: float = 1.0


@dataclass(frozen=True, slots=True)
class ProfilerCost:
    """What a profiler's clock adds to the time of one event, in ns: between `hot_ns` and `cold_ns`.

    Measured on trivial operators in a session of the same settings, next to each other (its code and data in cache)
    and with large operators between them (evicted). Negative where the counter truncates instead. `dispatch_ns` is
    what the runtime takes between two operators, `resolution_ns` the step of its clock.
    """

    hot_ns: float
    cold_ns: float
    dispatch_ns: float
    resolution_ns: float


@dataclass(frozen=True, slots=True)
class RawProfile:
    """What a profiler has to tell when all its blocks are done."""

    operators: tuple[TimedOperator, ...]
    cost: ProfilerCost


class Profiler(Protocol):
    """A profiled twin of a session, loaded and warm."""

    def block(self, n: int) -> list[int]:
        """Run `n` profiled inferences and return the latency of each in ns."""

    def read(self) -> RawProfile:
        """End the profiling; called once, after the last block."""


class KernelProfiler(Profiler, Protocol):
    """That of a backend whose capability is `kernel_times`."""

    def kernels(self) -> KernelList:
        """List the kernels whose times it tells, by the names of its operators."""


def middle(values: Sequence[float]) -> float:
    """Return the mean of the middle half: as steady as a median, and means add up where medians do not."""
    ordered = sorted(values)
    cut = len(ordered) // 4
    kept = ordered[cut : len(ordered) - cut]
    return sum(kept) / len(kept)
