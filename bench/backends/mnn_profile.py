"""MNN's callbacks before and after every operator, as a profiler.

They are Python functions that MNN calls through its binding, which makes objects for the operator and its tensors each
time. So an event costs some microseconds, of which that part counts which lies between the two readings of the clock:
after the first callback has read it, and before the second has. What both cost together is found on the network itself,
with and without them in turns; the part that counts lies between nothing and all of that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bench.backends.loop import time_block
from bench.backends.profiling import ProfilerCost, RawProfile, Shape, TimedOperator, middle
from bench.base.errors import MeasureError

WARMUP = 3
ROUNDS = 5
PER_BLOCK = 3
Callback = Callable[..., bool]


class MnnProfiler:
    """Profiles the session's own network; `told` runs it with two callbacks, `infer` without."""

    def __init__(self, infer: Callable[[], None], told: Callable[[Callback, Callback], None]) -> None:
        self._infer, self._told = infer, told
        self._operators = self._names()
        self._begins: list[int] = []
        self._ends: list[int] = []
        now, begin, end = time.perf_counter_ns, self._begins.append, self._ends.append

        def before(tensors: object, info: object) -> bool:
            begin(now())
            return True

        def after(tensors: object, info: object) -> bool:
            end(now())
            return True

        self._callbacks = before, after
        self._run(WARMUP)
        self._forget()

    def block(self, n: int) -> list[int]:
        """Run `n` inferences with a reading of the clock around every operator."""
        return self._run(n)

    def read(self) -> RawProfile:
        """Sort the readings by operator."""
        size, total = len(self._operators), len(self._begins)
        if not size or total % size or total != len(self._ends):
            raise MeasureError(f"MNN told {total} operators in inferences of {size}: nothing to add up")
        taken = [end - begin for begin, end in zip(self._begins, self._ends, strict=True)]
        operators = tuple(
            TimedOperator(
                name=name, kind=kind, raw_ns=taken[i::size], origins=(name,), shapes_in=shapes_in, shape_out=shape_out
            )
            for i, (name, kind, shapes_in, shape_out) in enumerate(self._operators)
        )
        self._forget()
        return RawProfile(operators, self._calibrate())

    def _run(self, n: int) -> list[int]:
        told, (before, after) = self._told, self._callbacks
        return time_block(lambda: told(before, after), n)[0]

    def _forget(self) -> None:
        self._begins.clear()
        self._ends.clear()

    def _names(self) -> list[tuple[str, str, tuple[Shape, ...], Shape]]:
        """Let one inference tell its operators: name, kind, shapes of what goes in and of the first that comes out."""
        into: list[tuple[str, str, tuple[Shape, ...]]] = []
        out: list[Shape] = []

        def before(tensors: list[Any], info: Any) -> bool:
            into.append((info.getName(), info.getType(), tuple(_shape(t) for t in tensors)))
            return True

        def after(tensors: list[Any], info: Any) -> bool:
            out.append(_shape(tensors[0]) if tensors else ())
            return True

        self._told(before, after)
        return [(*told, shape) for told, shape in zip(into, out, strict=True)]

    def _calibrate(self) -> ProfilerCost:
        plain: list[int] = []
        profiled: list[int] = []
        for _ in range(ROUNDS):
            plain += time_block(self._infer, PER_BLOCK)[0]
            profiled += self._run(PER_BLOCK)
        self._forget()
        cost = max(0.0, (middle(profiled) - middle(plain)) / len(self._operators))
        return ProfilerCost(0.0, cost, 0.0, 1.0)


def _shape(tensor: Any) -> Shape:
    return tuple(tensor.getShape())
