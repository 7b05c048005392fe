"""The worker's part of ``bench profile``: unprofiled and profiled blocks take turns in one process.

So both meet the same clock speed and the same neighbours, and what the profiler costs is their difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench.errors import Unsupported
from bench.measure.loop import Clock, time_block

if TYPE_CHECKING:
    from bench.backends.base import Session
    from bench.backends.profiling import Profiler


def start(session: Session) -> Profiler:
    """Load the profiled twin of a session.

    Raises:
        Unsupported: the session cannot be profiled.
    """
    make: Callable[[], Profiler] | None = getattr(session, "profiler", None)
    if make is None:
        raise Unsupported(
            "this backend cannot tell the time of an operator",
            "its session needs a profiler() (bench.backends.profiling); onnxruntime, openvino and torch have one",
        )
    return make()


def profile(
    session: Session, profiler: Profiler, rounds: int, n: int, clock: Clock, device_ns: Clock | None
) -> dict[str, Any]:
    """Run `rounds` pairs of blocks of `n` inferences; which of the two comes first alternates.

    Returns latencies of both kinds in ns, in order, and the raw profile.
    """
    plain: list[int] = []
    profiled: list[int] = []
    for i in range(rounds):
        for with_profiler in (i % 2 == 1, i % 2 == 0):
            if with_profiler:
                profiled += profiler.block(n)
            else:
                plain += time_block(session.infer, n, clock, device_ns)[0]
    raw = profiler.read()
    return {
        "unprofiled_ns": plain,
        "profiled_ns": profiled,
        "operators": [asdict(operator) for operator in raw.operators],
        "cost": asdict(raw.cost),
    }
