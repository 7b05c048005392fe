"""The reference workload: a tiny fixed piece of work that tells whether the machine runs at its baseline speed.

Two parts, because neighbours are felt in two ways. `gemm_ns` is the median of a burst of products of two matrices that
stay in the first-level cache: it follows the clock of the core, and a hyper-thread beside it. `copy_ns` copies 2 MiB,
more than most private caches hold beside the copy: it feels the shared cache and memory. It runs only after a block,
because before one it would push the network out of the cache. A few tenths of a millisecond in all.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Protocol, TypedDict

import numpy as np

COPY_BYTES = 2 << 20
GEMM_SIDE = 48
BURST = 24


class Beside(TypedDict):
    """What was asked before and after a block."""

    canary: list[dict[str, int | float]]


class Workload(Protocol):
    """What the worker asks before and after a block; the scripted backend brings its own."""

    identity: str

    def before(self) -> dict[str, float]:
        """Return `gemm_ns`."""

    def after(self) -> dict[str, float]:
        """Return `gemm_ns` and `copy_ns`."""


class ReferenceWorkload:
    """Allocates its buffers once. `identity` names what else than the machine its readings depend on."""

    def __init__(self) -> None:
        self.identity = f"gemm{GEMM_SIDE} numpy-{np.__version__}"
        rng = np.random.default_rng(0)
        self._source = rng.standard_normal(COPY_BYTES // 8)
        self._sink = np.empty_like(self._source)
        self._a = rng.standard_normal((GEMM_SIDE, GEMM_SIDE), dtype=np.float32)
        self._b = np.ascontiguousarray(self._a.T)
        self._c = np.empty_like(self._a)
        for _ in range(3):
            self.after()

    def before(self) -> dict[str, float]:
        """Return the median time of one product in ns."""
        return {"gemm_ns": statistics.median(_times(self._gemm, BURST))}

    def after(self) -> dict[str, float]:
        """Return the same, and the fastest of three copies: the first ones fetch from a cold cache."""
        return self.before() | {"copy_ns": min(_times(self._copy, 3))}

    def _copy(self) -> None:
        np.copyto(self._sink, self._source)

    def _gemm(self) -> None:
        np.matmul(self._a, self._b, out=self._c)


def _times(work: Callable[[], None], n: int) -> list[int]:
    found = []
    for _ in range(n):
        begin = time.perf_counter_ns()
        work()
        found.append(time.perf_counter_ns() - begin)
    return found
