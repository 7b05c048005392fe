"""What `bench predict` is held against: other ways to predict the same latencies from the same measurements.

Those that learn from networks (`learned`) get every network that was measured and is not of the family to predict:
far more of them than the few anchors of `bench predict --train`. Those that learn from kernels (`from_kernels`) get the
kernels that training timed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.backends.kernel import Kernel
from bench.predict.features import KINDS, macs, moved_bytes, simple, weight_bytes
from bench.predict.regressor import Roof
from bench.predict.table import KernelList, KernelTable

Array = NDArray[np.float64]
TREES = 300
Terms = Callable[[KernelTable, KernelList], list[float]]  # of a network, in its table
# Of networks: their table, those to learn from and their latencies in ns, those to predict; returns latencies in ns.
Learned = Callable[[KernelTable, Sequence[KernelList], Array, Sequence[KernelList]], Array]


def kernels_of(table: KernelTable, network: KernelList) -> list[Kernel]:
    """Return the kernels of a network that do anything."""
    found = (table.timings[key].kernel for key in network.keys)
    return [kernel for kernel in found if not kernel.moves_nothing]


def flops(table: KernelTable, network: KernelList) -> list[float]:
    return [float(network.macs), 1.0]


def flops_and_bytes(table: KernelTable, network: KernelList) -> list[float]:
    return [float(network.macs), float(sum(moved_bytes(k) for k in kernels_of(table, network))), 1.0]


def roofline(table: KernelTable, network: KernelList) -> list[float]:
    """Each kernel at the peak or at the bandwidth that the timed kernels of the table reach."""
    roof = _roof(table)
    times = (max(macs(k) / roof.peak, moved_bytes(k) / roof.bandwidth) for k in kernels_of(table, network))
    return [sum(times), 1.0]


def flattened(table: KernelTable, network: KernelList) -> list[float]:
    """Describe a whole network in numbers, as NNLQP's static features: totals, and per operator number, MACs, bytes."""
    kernels = kernels_of(table, network)
    kinds = {kind: [0.0, 0.0, 0.0] for kind in (*KINDS, "else")}
    for kernel in kernels:
        name = kernel.op.rpartition(".")[2]
        row = kinds[name if name in kinds else "else"]
        for i, value in enumerate((1.0, float(macs(kernel)), float(moved_bytes(kernel)))):
            row[i] += value
    held = sum(weight_bytes(k) for k in kernels)
    totals = [float(len(kernels)), float(network.macs), sum(row[2] for row in kinds.values()), float(held)]
    return [math.log1p(value) for value in (*totals, *(x for row in kinds.values() for x in row))]


def told_of(terms: Terms, table: KernelTable, of: Sequence[KernelList]) -> Array:
    """Return the terms of networks, one row each; worked out once, as every family that is left out wants them."""
    _roof(table)  # keeps the table, so that its id stays its own
    for network in of:
        at = id(table), terms.__name__, network.name
        if at not in _told:
            _told[at] = terms(table, network)
    return np.array([_told[id(table), terms.__name__, network.name] for network in of])


_told: dict[tuple[int, str, str], list[float]] = {}


def linear(terms: Terms) -> Learned:
    """Return a law of non-negative coefficients, fitted by relative least squares."""

    def learned(table: KernelTable, known: Sequence[KernelList], ns: Array, own: Sequence[KernelList]) -> Array:
        from scipy.optimize import nnls

        rows, test = (told_of(terms, table, part) for part in (known, own))
        scale = np.maximum(rows.max(axis=0), 1e-9)
        found, _ = nnls(rows / scale / ns[:, None], np.ones(len(ns)))
        return np.asarray(test / scale @ found)

    return learned


def forest(table: KernelTable, known: Sequence[KernelList], ns: Array, own: Sequence[KernelList]) -> Array:
    """Trees on the flattened features; the target is the logarithm of latency over a roofline, as that is easier."""
    from sklearn.ensemble import ExtraTreesRegressor

    base, there = (np.log(told_of(roofline, table, part)[:, 0]) for part in (known, own))
    trees = ExtraTreesRegressor(TREES, max_features=0.5, random_state=0, n_jobs=1)
    trees.fit(told_of(flattened, table, known), np.log(ns) - base)
    return np.asarray(np.exp(there + trees.predict(told_of(flattened, table, own))))


LEARNED: dict[str, Learned] = {
    "FLOPs": linear(flops),
    "FLOPs and bytes": linear(flops_and_bytes),
    "roofline": linear(roofline),
    "features of the whole network (NNLQP)": forest,
}


def nn_meter(
    table: KernelTable, own: Sequence[KernelList], hidden: Collection[str] = (), sampled: KernelTable | None = None
) -> Array:
    """A random forest per operator on shapes, as nn-Meter's (Zhang et al., MobiSys 2021), times summed; in ns.

    It learns from the timed kernels of the table that are not hidden; where `sampled` is given, from those for the
    operators that it has (nn-Meter's own sampling). An operator of which none was timed adds nothing.
    """
    from sklearn.ensemble import RandomForestRegressor

    learnt = _timed(table, hidden)
    if sampled is not None:
        learnt |= _timed(sampled, ())
    todo: dict[str, dict[str, Kernel]] = {}
    for network in own:
        for kernel in kernels_of(table, network):
            todo.setdefault(_operator(kernel), {})[kernel.key] = kernel
    ns: dict[str, float] = {}
    for op, kernels in todo.items():
        if op in learnt:
            known, times = zip(*learnt[op], strict=True)
            trees = RandomForestRegressor(100, random_state=0, n_jobs=1)
            trees.fit([simple(k) for k in known], times)
            ns |= dict(zip(kernels, trees.predict([simple(k) for k in kernels.values()]).tolist(), strict=True))
    return np.array([sum(ns.get(k.key, 0.0) for k in kernels_of(table, n)) for n in own])


def _timed(table: KernelTable, hidden: Collection[str]) -> dict[str, list[tuple[Kernel, float]]]:
    baseline_ns, found = table.baseline_gemm_ns, dict[str, list[tuple[Kernel, float]]]()
    for key, timing in table.timings.items():
        if timing.runs and key not in hidden:
            found.setdefault(_operator(timing.kernel), []).append((timing.kernel, timing.hot_ns(baseline_ns)))
    return found


def _operator(kernel: Kernel) -> str:
    return kernel.op.rpartition(".")[2]


def _roof(table: KernelTable) -> Roof:
    if id(table) not in _roofs:
        timed = [t for t in table.timings.values() if t.runs]
        baseline_ns = table.baseline_gemm_ns
        _roofs[id(table)] = Roof.of([t.kernel for t in timed], np.array([t.hot_ns(baseline_ns) for t in timed])), table
    return _roofs[id(table)][0]


_roofs: dict[int, tuple[Roof, KernelTable]] = {}  # a table is kept with its roof, so that its id stays its own


def by_family(
    method: Learned,
    table: KernelTable,
    known: Mapping[str, tuple[KernelList, float, str]],
    own: Mapping[str, tuple[KernelList, str]],
) -> dict[str, float]:
    """Predict each network by a method that has learnt from those of other families; by name, in ns.

    `known` has network, latency and family by name, `own` network and family.
    """
    found: dict[str, float] = {}
    for family in sorted({family for _, family in own.values()}):
        rest = [(network, ns) for network, ns, other in known.values() if other != family]
        mine = {name: network for name, (network, own_family) in own.items() if own_family == family}
        latencies = np.array([ns for _, ns in rest])
        predicted = method(table, [network for network, _ in rest], latencies, list(mine.values()))
        found |= {name: float(ns) for name, ns in zip(mine, predicted, strict=True)}
    return found
