"""From the kernels of a network to its latency, with its interval: what they add up to, and the law on it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.backends.kernel import Kernel
from bench.base.errors import ArtifactError, BenchError
from bench.predict.features import moved_bytes, weight_bytes
from bench.predict.law import CROWD_BYTES, LAST_BYTES, PRIOR, Array, crowded, fit_law, half_width
from bench.predict.regressor import LEAST, Regressor
from bench.predict.table import KernelList, KernelTable

WEIGHTY_BYTES = 16 << 10  # weights from which a cold kernel mostly waits for them
ALIKE = 3  # timed kernels of one operator from which another of it may be predicted


@dataclass(frozen=True, slots=True)
class Sums:
    """What the kernels of a network add up to, in ns.

    `weights_ns` and `others_ns` are what they take longer when cold; `unseen_ns` is the part of `hot_ns` that was
    predicted, not timed.
    """

    hot_ns: float
    weights_ns: float
    others_ns: float
    crowded_ns: float
    fetched_bytes: float
    kernels: int
    unseen_ns: float
    unseen: int
    unknown: tuple[str, ...]

    @property
    def share_unseen(self) -> float:
        """Share of the hot time that was predicted."""
        return self.unseen_ns / self.hot_ns if self.hot_ns else 0.0

    def row(self) -> list[float]:
        """The terms of the law."""
        return [
            self.hot_ns,
            self.crowded_ns,
            self.fetched_bytes,
            self.weights_ns,
            self.others_ns,
            float(self.kernels),
            1.0,
        ]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A latency with its 90% interval (None where too few networks were measured, or an operator is unknown)."""

    latency_ns: float
    lo_ns: float | None
    hi_ns: float | None
    sums: Sums

    @property
    def complete(self) -> bool:
        """Whether every operator was timed or predicted."""
        return not self.sums.unknown


@dataclass
class Predictor:
    """Fitted on a table. `hidden` are keys it must not look up: it predicts them, to see how well it does."""

    table: KernelTable
    hidden: Collection[str] = ()
    families_left_out: Collection[str] = ()
    seed: int = 0
    _regressor: Regressor | None = field(default=None, init=False)
    _predicted: dict[str, tuple[float, float]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        baseline_ns = self.table.baseline_gemm_ns
        self._timed = {
            key: (timing.hot_ns(baseline_ns), timing.cold_ns(baseline_ns))
            for key, timing in self.table.timings.items()
            if timing.runs and key not in self.hidden
        }
        self._alike: dict[str, int] = {}
        for key in self._timed:
            op = operator_of(self.table.timings[key].kernel)
            self._alike[op] = self._alike.get(op, 0) + 1
        self.terms = self._fit()

    def anchors(self) -> list[KernelList]:
        """Return the measured networks the law is fitted on."""
        return [
            n
            for n in self.table.networks.values()
            if n.latency_ns and not n.lost and n.family not in self.families_left_out
        ]

    def sums(self, network: KernelList) -> Sums:
        """Add the kernels of a network up."""
        kernels = [self.table.timings[key].kernel for key in network.keys]
        self._predict_missing([k for k in kernels if k.key not in self._timed])
        hot = weights = others = unseen_ns = 0.0
        times: list[tuple[float, int]] = []
        held: list[tuple[float, int]] = []
        unseen, unknown = 0, list(network.lost)
        for kernel in kernels:
            if kernel.moves_nothing:
                continue
            if kernel.key in self._timed:
                h, c = self._timed[kernel.key]
            elif kernel.key in self._predicted:
                h, c = self._predicted[kernel.key]
                unseen_ns += h
                unseen += 1
            else:
                why = self.table.timings[kernel.key].failed
                unknown.append(kernel.label + (f" ({why})" if why else ""))
                continue
            hot += h
            times.append((h, moved_bytes(kernel)))
            held.append((weight_bytes(kernel), moved_bytes(kernel)))
            if weight_bytes(kernel) > WEIGHTY_BYTES:
                weights += max(0.0, c - h)
            else:
                others += max(0.0, c - h)
        return Sums(
            hot,
            weights,
            others,
            crowded(times, CROWD_BYTES),
            crowded(held, LAST_BYTES),
            len(kernels),
            unseen_ns,
            unseen,
            tuple(unknown),
        )

    def predict(self, network: KernelList) -> Prediction:
        """Predict a network's latency."""
        sums = self.sums(network)
        latency = max(float(np.dot(self.terms, sums.row())), 0.3 * sums.hot_ns, 1.0)  # b may be negative
        half = half_width(self.table.calibration, sums.share_unseen)
        if half is None or sums.unknown:
            return Prediction(latency, None, None, sums)
        return Prediction(latency, latency * math.exp(-half), latency * math.exp(half), sums)

    def time_ns(self, kernel: Kernel) -> tuple[float, str]:
        """Return the hot time of a kernel and how it is known: timed, predicted, dispatch or unknown."""
        if kernel.moves_nothing:
            return 0.0, "dispatch"
        if kernel.key in self._timed:
            return self._timed[kernel.key][0], "timed"
        if kernel.key in self._predicted:
            return self._predicted[kernel.key][0], "predicted"
        return 0.0, "unknown"

    def _predict_missing(self, kernels: Sequence[Kernel]) -> None:
        """Predict the kernels that may be: enough others of the same operator were timed."""
        todo = {
            k.key: k
            for k in kernels
            if not k.moves_nothing and k.key not in self._predicted and self._alike.get(operator_of(k), 0) >= ALIKE
        }
        known = [key for key in self._timed if not self.table.timings[key].kernel.moves_nothing]
        if not todo or len(known) < LEAST:
            return
        if self._regressor is None:
            hot, cold = (np.array([self._timed[key][i] for key in known]) for i in (0, 1))
            self._regressor = Regressor([self.table.timings[key].kernel for key in known], hot, cold, self.seed)
        hot, cold = self._regressor.predict(list(todo.values()))
        for key, h, c in zip(todo, hot, cold, strict=True):
            self._predicted[key] = (float(h), float(c))

    def _fit(self) -> Array:
        anchors = self.anchors()
        rows = []
        for network in anchors:
            sums = self.sums(network)
            if not sums.unknown:
                rows.append(np.array(sums.row()) / float(network.latency_ns or 1))
        return fit_law(np.array(rows).reshape(-1, len(PRIOR)))


def ready(table: KernelTable) -> None:
    """Raise ArtifactError where a table has nothing to predict from."""
    if sum(bool(t.runs) for t in table.timings.values()) < LEAST or not any(
        n.latency_ns for n in table.networks.values()
    ):
        raise NotTrained(table)


class NotTrained(ArtifactError):
    """Nothing was measured for prediction with this runtime on this machine yet."""

    exit_code = 2

    def __init__(self, table: KernelTable) -> None:
        where = f"{table.context.backend} {table.context.version}, {table.context.threads} threads"
        threads = f" --threads {table.context.threads}" if table.context.threads > 1 else ""
        BenchError.__init__(
            self,
            f"nothing was measured for prediction on this machine with {where}",
            f"bench predict --train --backend {table.context.backend}{threads}",
        )


def operator_of(kernel: Kernel) -> str:
    """Name what must be alike for one kernel to be predicted from others: the operator, whatever its layout."""
    return kernel.op.rpartition(".")[2].removeprefix("Fused")
