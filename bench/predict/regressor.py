"""Predicts the time of kernels that were never timed, from those that were.

The target is the logarithm of the time over a padded roofline of the table itself, so that the trees learn how far
from the roof a kind of kernel stays and need not learn what size is. Extremely randomised trees (Geurts et al.,
Machine Learning 2006), hot and cold time together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.backends.kernel import Kernel
from bench.base.errors import MissingExtra
from bench.predict.features import macs, matrix, moved_bytes

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesRegressor

Array = NDArray[np.float64]
TREES = 200
LEAST = 20  # kernels below which nothing is learnt
DISPATCH_NS = 1000.0


@dataclass(frozen=True, slots=True)
class Roof:
    """Peak (MACs per ns) and bandwidth (bytes per ns) that the timed kernels reach."""

    peak: float
    bandwidth: float

    @classmethod
    def of(cls, kernels: Sequence[Kernel], hot_ns: Array) -> Roof:
        """Take the peak of the best kernel and the bandwidth of the best tenth."""
        times = np.maximum(hot_ns, 1.0)
        peak = max((macs(k) / t for k, t in zip(kernels, times, strict=True)), default=1.0)
        rates = [moved_bytes(k) / t for k, t in zip(kernels, times, strict=True)]
        return cls(max(peak, 1e-3), max(float(np.quantile(rates, 0.9)), 1e-3))

    def floor_ns(self, kernel: Kernel) -> float:
        """Return the least time of a kernel, with what a dispatch takes."""
        return DISPATCH_NS + max(macs(kernel) / self.peak, moved_bytes(kernel) / self.bandwidth)


class Regressor:
    """Fitted on kernels and their hot and cold times in ns."""

    def __init__(self, kernels: Sequence[Kernel], hot_ns: Array, cold_ns: Array, seed: int = 0) -> None:
        self.roof = Roof.of(kernels, hot_ns)
        self._forest = forest(seed)
        floors = np.array([self.roof.floor_ns(k) for k in kernels])
        targets = np.column_stack([np.log(hot_ns / floors), np.log(cold_ns / floors)])
        self._forest.fit(matrix(kernels), targets)

    def predict(self, kernels: Sequence[Kernel]) -> tuple[Array, Array]:
        """Return hot and cold times in ns."""
        floors = np.array([self.roof.floor_ns(k) for k in kernels])
        logs = self._forest.predict(matrix(kernels))
        return floors * np.exp(logs[:, 0]), floors * np.exp(logs[:, 1])


def forest(seed: int) -> ExtraTreesRegressor:
    """Return an unfitted forest.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import ExtraTreesRegressor
    except ImportError as error:
        raise MissingExtra("scikit-learn, which predicts kernels that were never timed,", "predict") from error
    return ExtraTreesRegressor(TREES, min_samples_leaf=1, max_features=0.5, random_state=seed, n_jobs=1)
