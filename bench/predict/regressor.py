"""Predicts the time of kernels that were never timed, from those that were.

The target is the logarithm of the time over a padded roofline of the table itself, so that the trees learn how far
from the roof a kind of kernel stays and need not learn what size is. Extremely randomised trees (Geurts et al.,
Machine Learning 2006) and boosted trees, averaged: their errors differ. How far the trees are apart tells how sure
a prediction is; what is like nothing that was timed is predicted from its class and what it moves, and is unsure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.backends.kernel import Kernel
from bench.base.errors import MissingExtra
from bench.predict.features import macs, matrix, moved_bytes

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesRegressor

Array = NDArray[np.float64]
TREES, FEW_TREES = 60, 24
BOOSTS = 400
LEAST = 20  # kernels below which nothing is learnt
ALIKE = 3  # timed kernels of one operator below which another of it is unlike all that was timed
UNLIKE_SD = 0.5  # of the logarithm of the time of such a kernel
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
    """Fitted on kernels and their hot and cold times in ns. A `rough` one is fitted in a fraction of the time."""

    def __init__(
        self, kernels: Sequence[Kernel], hot_ns: Array, cold_ns: Array, seed: int = 0, rough: bool = False
    ) -> None:
        self.roof = Roof.of(kernels, hot_ns)
        self._forest = forest(seed, FEW_TREES, 0.25) if rough else forest(seed)
        self._alike = Counter(operator_of(k) for k in kernels)
        floors = np.array([self.roof.floor_ns(k) for k in kernels])
        told = matrix(kernels)
        hot, colder = np.log(hot_ns / floors), np.log(cold_ns / hot_ns)
        self._forest.fit(told, np.column_stack([hot, colder]))
        with _one_thread():
            self._boosted = [] if rough else [boosted(seed).fit(told, target) for target in (hot, colder)]

    def predict(self, kernels: Sequence[Kernel]) -> tuple[Array, Array, Array]:
        """Return hot and cold times in ns, and how unsure the logarithm of the hot one is."""
        floors = np.array([self.roof.floor_ns(k) for k in kernels])
        told = matrix(kernels)
        trees = np.array([tree.predict(told) for tree in self._forest.estimators_])
        hot, colder = trees.mean(axis=0).T
        spread = trees[:, :, 0].std(axis=0)
        if self._boosted:
            with _one_thread():
                more = [m.predict(told) for m in self._boosted]
            hot, colder = ((a + b) / 2 for a, b in zip((hot, colder), more, strict=True))
        unlike = np.array([self._alike[operator_of(k)] < ALIKE for k in kernels])
        hot_ns = floors * np.exp(hot)
        return hot_ns, hot_ns * np.exp(np.maximum(colder, 0.0)), np.where(unlike, np.hypot(spread, UNLIKE_SD), spread)


def _one_thread() -> Any:
    """Keep OpenMP to one thread: two that wait for each other beside anything else take many times as long."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="openmp")


def operator_of(kernel: Kernel) -> str:
    """Name what must be alike for one kernel to be predicted well from others: the operator, whatever its layout."""
    return kernel.op.rpartition(".")[2].removeprefix("Fused")


def forest(seed: int, trees: int | None = None, share: float = 0.3) -> ExtraTreesRegressor:
    """Return an unfitted forest.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import ExtraTreesRegressor
    except ImportError as error:
        raise MissingExtra("scikit-learn, which predicts kernels that were never timed,", "predict") from error
    return ExtraTreesRegressor(trees or TREES, min_samples_leaf=1, max_features=share, random_state=seed, n_jobs=1)


def boosted(seed: int) -> Any:
    """Return unfitted boosted trees."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=BOOSTS, learning_rate=0.06, max_leaf_nodes=20, min_samples_leaf=4, l2_regularization=1.0,
        early_stopping=False, random_state=seed,
    )  # fmt: skip
