"""The canary: a tiny fixed workload that tells whether the machine runs at its usual speed.

Two parts, because neighbours are felt in two ways. `copy_ns` copies 2 MiB, more than fits a private cache beside its
copy, so it feels the shared cache and memory; `gemm_ns` multiplies two matrices that stay in the private cache, so it
feels a core that is shared, stolen or clocked down. Together well under a millisecond, on the core of the inference.
"""

from __future__ import annotations

import time

import numpy as np

COPY_BYTES = 2 << 20
GEMM_SIDE = 128


class Canary:
    """Allocates its buffers once; `read` runs both parts."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._source = rng.standard_normal(COPY_BYTES // 8)
        self._sink = np.empty_like(self._source)
        self._a = rng.standard_normal((GEMM_SIDE, GEMM_SIDE), dtype=np.float32)
        self._b = np.ascontiguousarray(self._a.T)
        self._c = np.empty_like(self._a)
        for _ in range(3):
            self.read()

    def read(self) -> dict[str, int]:
        """Return the time of each part in ns: the fastest of three, because the first ones fetch from a cold cache."""
        return {"copy_ns": min(self._copy() for _ in range(3)), "gemm_ns": min(self._gemm() for _ in range(3))}

    def _copy(self) -> int:
        begin = time.perf_counter_ns()
        np.copyto(self._sink, self._source)
        return time.perf_counter_ns() - begin

    def _gemm(self) -> int:
        begin = time.perf_counter_ns()
        np.matmul(self._a, self._b, out=self._c)
        return time.perf_counter_ns() - begin
