"""From the kernels of a network to its latency, with its interval: what they add up to, and the law on it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.backends.kernel import Kernel
from bench.base.errors import ArtifactError, BenchError
from bench.base.words import counted
from bench.predict.features import moved_bytes, weight_bytes
from bench.predict.law import CROWD_BYTES, LAST_BYTES, NOISE, PRIOR, Array, crowded, fit_law, half_width
from bench.predict.regressor import LEAST, Regressor
from bench.predict.table import KernelList, KernelTable

WEIGHTY_BYTES = 16 << 10  # weights from which a cold kernel mostly waits for them
UNSURE_NOISE = 0.5  # what an anchor's predicted kernels add to its spread around the law, times how unsure they are


@dataclass(frozen=True, slots=True)
class Sums:
    """What the kernels of a network add up to, in ns.

    `weights_ns` and `others_ns` are what they take longer when cold; `unseen_ns` is the part of `hot_ns` that was
    predicted, not timed, and `unsure` how unsure its logarithm is: of all `unseen` kernels the share times what the
    trees are apart. `unknown` are operators that could not be read.
    """

    hot_ns: float
    weights_ns: float
    others_ns: float
    crowded_ns: float
    fetched_bytes: float
    kernels: int
    unseen_ns: float
    unseen: int
    unsure: float
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
    """A latency with its 90% interval (None where an operator could not be read)."""

    latency_ns: float
    lo_ns: float | None
    hi_ns: float | None
    sums: Sums

    @property
    def complete(self) -> bool:
        """Whether every operator could be read, and was timed or predicted."""
        return not self.sums.unknown


@dataclass
class Predictor:
    """Fitted on a table. `hidden` are keys it must not look up: it predicts them, to see how well it does."""

    table: KernelTable
    hidden: Collection[str] = ()
    families_left_out: Collection[str] = ()
    seed: int = 0
    like: Predictor | None = None  # one with the same hidden keys, whose trees are taken over
    _regressor: Regressor | None = field(default=None, init=False)
    _predicted: dict[str, list[float]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        baseline_ns = self.table.baseline_gemm_ns
        self._timed = {
            key: (timing.hot_ns(baseline_ns), timing.cold_ns(baseline_ns))
            for key, timing in self.table.timings.items()
            if timing.runs and key not in self.hidden
        }
        if not self.hidden:
            self._predicted = self.table.guesses
        if self.like is not None:
            self._regressor, self._predicted = self.like._regressor, self.like._predicted
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
        hot = weights = others = unseen_ns = unsure_ns = 0.0
        times: list[tuple[float, int]] = []
        held: list[tuple[float, int]] = []
        unseen = 0
        for kernel in kernels:
            if kernel.moves_nothing:
                continue
            if kernel.key in self._timed:
                h, c = self._timed[kernel.key]
            else:
                h, c, sd = self._predicted[kernel.key]
                unseen_ns += h
                unsure_ns += h * sd
                unseen += 1
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
            unsure_ns / hot if hot else 0.0,
            network.lost,
        )

    def predict(self, network: KernelList) -> Prediction:
        """Predict a network's latency."""
        sums = self.sums(network)
        latency = max(float(np.dot(self.terms, sums.row())), 0.3 * sums.hot_ns, 1.0)  # b may be negative
        if sums.unknown:
            return Prediction(latency, None, None, sums)
        half = half_width(self.table.calibration, sums.unsure)
        return Prediction(latency, latency * math.exp(-half), latency * math.exp(half), sums)

    def time_ns(self, kernel: Kernel) -> tuple[float, str]:
        """Return the hot time of a kernel and how it is known: timed, predicted or a dispatch."""
        if kernel.moves_nothing:
            return 0.0, "dispatch"
        if kernel.key in self._timed:
            return self._timed[kernel.key][0], "timed"
        self._predict_missing([kernel])
        return self._predicted[kernel.key][0], "predicted"

    def _predict_missing(self, kernels: Sequence[Kernel]) -> None:
        """Predict kernels from those that were timed."""
        todo = {k.key: k for k in kernels if not k.moves_nothing and k.key not in self._predicted}
        if not todo:
            return
        if self._regressor is None:
            known = [key for key in self._timed if not self.table.timings[key].kernel.moves_nothing]
            if len(known) < LEAST:
                raise NotTrained(self.table)
            hot, cold = (np.array([self._timed[key][i] for key in known]) for i in (0, 1))
            self._regressor = Regressor([self.table.timings[key].kernel for key in known], hot, cold, self.seed)
        found = self._regressor.predict(list(todo.values()))
        for key, h, c, sd in zip(todo, *found, strict=True):
            self._predicted[key] = [round(float(h), 1), round(float(c), 1), round(float(sd), 4)]

    def _fit(self) -> Array:
        rows, spreads = [], []
        anchors = self.anchors()
        # All at once: a forest is slow to ask, whatever for.
        keys = dict.fromkeys(key for network in anchors for key in network.keys if key not in self._timed)
        self._predict_missing([self.table.timings[key].kernel for key in keys])
        for network in anchors:
            sums = self.sums(network)
            rows.append(np.array(sums.row()) / float(network.latency_ns or 1))
            spreads.append(math.hypot(NOISE, UNSURE_NOISE * sums.unsure))
        return fit_law(np.array(rows).reshape(-1, len(PRIOR)), np.array(spreads), self.table.told)


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
        where = f"{table.context.backend} {table.context.version}, {counted(table.context.threads, 'thread')}"
        threads = f" --threads {table.context.threads}" if table.context.threads > 1 else ""
        BenchError.__init__(
            self,
            f"nothing was measured for prediction on this machine with {where}",
            f"bench predict --train --backend {table.context.backend}{threads}",
        )
