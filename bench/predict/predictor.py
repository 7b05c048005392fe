"""From kernels to the latency of a network, with its interval.

    latency = a * hot + g * crowded + m * fetched + w * weights + o * others + b * kernels + c

`hot` is the sum of all kernels alone, over and over, with their operands in the cache. In a network they push each
other's out: `crowded` is the part of `hot` that suffers from it, none of it in a tiny network, and nothing of a kernel
whose own operands are too large for the cache anyway. `fetched` is the same for the last cache: the bytes of weights
that a network of this size has to fetch from memory. `weights` and `others` are what the kernels with and without
weights take longer alone when cold. A run of one kernel alone has the overhead of a whole run, which a network has
once: hence b is below what a dispatch takes, even below zero. The seven terms are fitted on networks that were measured
end to end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.backends.kernel import Kernel
from bench.base.errors import ArtifactError, BenchError
from bench.predict.features import moved_bytes, weight_bytes
from bench.predict.regressor import LEAST, Regressor
from bench.predict.table import Calibration, KernelList, KernelTable

Array = NDArray[np.float64]
Told = Callable[[str], None]
COVERAGE = 0.9
# What is believed of (a, g, m in ns per byte, w, o, b in ns, c in ns) before any network was measured, how firmly,
# and what is possible.
PRIOR = (0.9, 0.2, 0.01, 0.3, 0.3, -500.0, 2000.0)
PRIOR_SD = (0.15, 0.15, 0.02, 0.4, 0.4, 2000.0, 20000.0)
BOUNDS = ((0.6, 0.0, 0.0, 0.0, 0.0, -5000.0, 0.0), (1.6, 1.0, 0.2, 2.0, 2.0, 20000.0, 500000.0))
CROWD_BYTES = 8 << 20  # operands with which a network is half crowded: a few times a private cache
LAST_BYTES = 128 << 20  # the same for the last cache
WEIGHTY_BYTES = 16 << 10  # weights from which a cold kernel mostly waits for them
NOISE = 0.03  # relative spread of a network's latency around the law
LEAST_SHARE = 0.02  # share of predicted time below which an error says nothing of the regressor
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
            op = _operator(self.table.timings[key].kernel)
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
            if not k.moves_nothing and k.key not in self._predicted and self._alike.get(_operator(k), 0) >= ALIKE
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


def crowded(parts: Sequence[tuple[float, int]], cache_bytes: int) -> float:
    """Return what of the parts suffers from a crowded cache; each is a time (or bytes) and the bytes of its operands.

    A kernel suffers in proportion to F / (F + B) * B / (B + f), with F bytes of operands in all, f of its own, and B
    of the cache.
    """
    everything = sum(size for _, size in parts)
    crowd = everything / (everything + cache_bytes)
    return sum(part * crowd * cache_bytes / (cache_bytes + size) for part, size in parts)


def fit_law(rows: Array) -> Array:
    """Return (a, g, m, w, o, b, c) by relative least squares under prior and bounds; `rows` are terms / latencies."""
    from scipy.optimize import lsq_linear

    strength = NOISE / np.array(PRIOR_SD)
    matrix = np.vstack([rows, np.diag(strength)])
    target = np.concatenate([np.ones(len(rows)), strength * np.array(PRIOR)])
    scale = np.array(PRIOR_SD)  # equal scales: the terms differ by orders of magnitude
    low, high = (np.array(b) / scale for b in BOUNDS)
    found = lsq_linear(matrix * scale, target, bounds=(low, high))
    return np.asarray(found.x * scale, dtype=np.float64)


def calibrate(
    table: KernelTable, seed: int = 0, told: Told = lambda text: None, strict: bool = False
) -> list[Calibration]:
    """Predict every measured network as if it had not been, and say how wrong that was.

    One record each: `seen` is the log ratio of prediction to measurement with all its kernels timed, `unseen` with
    those that only its family has hidden (see `hidden_keys` for `strict`), `share` the part of the time that was
    predicted then. Families are left out whole. A prediction with an unknown operator is left out.
    """
    found = []
    measured = [n for n in table.networks.values() if n.latency_ns]
    for family in sorted({n.family for n in measured}):
        told(f"calibrating without {family}")
        here = Predictor(table, (), (family,), seed)
        blind = Predictor(table, hidden_keys(table, family, strict), (family,), seed)
        both: tuple[tuple[Literal["seen", "unseen"], Predictor], ...] = (("seen", here), ("unseen", blind))
        for network in (n for n in measured if n.family == family):
            record: Calibration = {"network": network.name, "family": family}
            for name, predictor in both:
                one = predictor.predict(network)
                if one.complete:
                    record[name] = math.log(one.latency_ns / float(network.latency_ns or 1))
                    record["share"] = one.sums.share_unseen
            found.append(record)
    return found


def hidden_keys(table: KernelTable, family: str, strict: bool = True) -> set[str]:
    """Return the keys that only a family has, among the networks of a table.

    Without `strict` operators of which too few would be left to predict another from stay: a network that has one is
    refused, so that an interval needs not cover it.
    """
    own = {key for n in table.networks.values() if n.family == family for key in n.keys}
    others = {key for n in table.networks.values() if n.family != family for key in n.keys}
    hidden = own - others
    if strict:
        return hidden
    left: dict[str, int] = {}
    for key, timing in table.timings.items():
        if timing.runs and key not in hidden:
            left[_operator(timing.kernel)] = left.get(_operator(timing.kernel), 0) + 1
    return {key for key in hidden if left.get(_operator(table.timings[key].kernel), 0) >= ALIKE}


def half_width(calibration: Sequence[Calibration], share_unseen: float) -> float | None:
    """Return half the 90% interval of a log latency; None where too few networks were measured to tell.

    Split conformal prediction: the quantile of the errors in `calibration` (see `calibrate`) that holds for one more
    network. The part of the time that was predicted adds in proportion to its share, in squares.
    """
    base = conformal([abs(row["seen"]) for row in calibration if "seen" in row])
    if base is None:
        return None
    rates = [
        math.sqrt(max(0.0, row["unseen"] ** 2 - base**2)) / row["share"]
        for row in calibration
        if "unseen" in row and row["share"] > LEAST_SHARE
    ]
    slope = conformal(rates) if share_unseen else 0.0
    return None if slope is None else math.hypot(base, slope * share_unseen)


def conformal(scores: Sequence[float], coverage: float = COVERAGE) -> float | None:
    """Return the score that one more exchangeable one stays below with probability `coverage`; None for too few."""
    rank = math.ceil((len(scores) + 1) * coverage)
    return sorted(scores)[rank - 1] if 0 < rank <= len(scores) else None


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


def _operator(kernel: Kernel) -> str:
    """Name what must be alike for one kernel to be predicted from others: the operator, whatever its layout."""
    return kernel.op.rpartition(".")[2].removeprefix("Fused")
