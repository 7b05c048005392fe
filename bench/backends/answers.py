"""What a worker answers, field by field: plain data, which travel as JSON and are kept as raw samples.

Times in ns. A field that a backend cannot tell is None; one that a block does not have is left out. A field that is
added to an answer has to be named here, or it is lost on the way (`bench.base.wire.take`).
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

from bench.base.wire import Unchecked
from bench.machine.gpu import Facts, Reading
from bench.machine.workload import Beside


class Mark(TypedDict, total=False):
    """Which turn a block was: the parent marks it."""

    round: int
    turn: int
    quad: int
    load: int
    side: str
    at_s: float  # since its group began, where cases are kept going


class Block(Beside, Mark):
    """A block of inferences and what surrounded it; `device` is read before and after it, where it ran on one.

    Where several ran at once, `latency_ns` are those under load, one stream after the other; `sample_ns` is the time
    per sample, and `cpu_share` the CPU time over wall time while all of them ran. `slowed` says what throttled the CPU
    meanwhile.
    """

    latency_ns: list[int]
    covariates: dict[str, int | float]
    start_ns: int | float
    scripted: bool
    host_ns: NotRequired[list[int]]
    late_ns: NotRequired[list[int]]
    sample_ns: NotRequired[float]
    cpu_share: NotRequired[float]
    device: NotRequired[list[Reading]]
    heat: NotRequired[dict[str, float]]  # clock and temperature after it, where that was asked
    slowed: NotRequired[list[str]]


class Ran(TypedDict):
    """`bench.backends.base.Effective`, with its `Placement` and settings as text."""

    version: str
    device: str
    precision: str
    threads: int | None
    placement: Unchecked
    settings: dict[str, str]
    unmet: tuple[str, ...]
    remarks: tuple[str, ...]
    streams: NotRequired[int | None]


class Inspected(TypedDict):
    """What really ran; numbers of operators and MACs are None where the runtime does not tell its graph.

    `between` counts the operators that only quantise or dequantise.

    `device` and the energy of an inference in mJ are told where the session ran on another device than the CPU.
    """

    effective: Ran
    operators: int | None
    macs_executed: int | None
    macs_needed: int | None
    macs_padded: int | None
    opaque: list[str]
    macs_by_precision: dict[str, int] | None
    between: int | None
    largest_macs: int
    busy_threads: int | None
    parity_rel_l2: float
    device: NotRequired[Facts]
    energy_mj: NotRequired[float | None]


class Energy(TypedDict):
    """The energy of one inference in mJ beyond what is drawn when idle (W), or why there is none; `by` is the meter."""

    mj: float | None
    idle_w: float | None
    by: str
    why_not: str


class Closed(TypedDict):
    """What is known at the end of a launch: its peak of memory, and how far its last output is from the reference.

    `slowed` is what throttled the CPU at some time in it, where only that is told.
    """

    peak_rss_bytes: int
    parity_rel_l2: float
    slowed: NotRequired[list[str]]


class Load(TypedDict):
    """One load of a profiled launch; `operators` and `cost` are `bench.backends.profiling.RawProfile`."""

    alone_ns: NotRequired[list[int]]
    unprofiled_ns: list[int]
    profiled_ns: list[int]
    operators: list[dict[str, object]]
    cost: dict[str, float]


class Launched(TypedDict):
    """A profiled launch; `inspected` is told by the first one."""

    loaded: Unchecked
    n: int
    blocks: list[Block]
    loads: list[Load]
    inspected: NotRequired[Inspected]
