"""Ways to foresee a device's latencies from those of a few networks on it, given what others published.

Each takes the log latencies of the devices that are known, which of the networks are probes, and the log latencies of
these on the new device. It returns a log latency of every network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench.devices.transfer import FIFTEEN, RIDGE, SPEED, WIDTH, Floats, Table, predict
from bench.papers.devices import networks
from bench.plan.zoo import resolve

Method = Callable[[Table, Sequence[int], Floats], Floats]


def ours(train: Table, probes: Sequence[int], observed: Floats) -> Floats:
    return predict(train.logs, train.weights, probes, observed)


def one_ridge(train: Table, probes: Sequence[int], observed: Floats) -> Floats:
    """All devices count alike: the low rank with ridge of a single covariance."""
    mean, spread = _moments(train)
    among = spread[np.ix_(probes, probes)] + RIDGE * np.eye(len(probes))
    return mean + spread[:, probes] @ np.linalg.solve(among, observed - mean[probes])


def rank_two(train: Table, probes: Sequence[int], observed: Floats) -> Floats:
    """Two principal components of the log latencies, fitted to the probes with ridge."""
    mean, spread = _moments(train)
    values, vectors = np.linalg.eigh(spread)
    low = (vectors[:, -2:] * values[-2:]) @ vectors[:, -2:].T
    among = low[np.ix_(probes, probes)] + RIDGE * np.eye(len(probes))
    return mean + low[:, probes] @ np.linalg.solve(among, observed - mean[probes])


def process(train: Table, probes: Sequence[int], observed: Floats) -> Floats:
    """A Gaussian process per network over devices, whose inputs are the probes: their speed, and their shape."""
    level = train.logs[:, probes].mean(axis=1)
    inputs = np.column_stack([(train.logs[:, probes] - level[:, None]) / WIDTH, level / SPEED])
    here = np.append((observed - observed.mean()) / WIDTH, observed.mean() / SPEED)
    shape = train.logs - level[:, None]
    mean = np.average(shape, axis=0, weights=train.weights)
    scale = np.average((shape - mean) ** 2, axis=0, weights=train.weights)

    def kernel(a: Floats, b: Floats) -> Floats:
        return np.exp(-((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2) / 2)

    among, across = kernel(inputs, inputs), kernel(here[None, :], inputs)[0]
    found = np.empty(len(mean))
    for k, variance in enumerate(scale):
        noise = RIDGE / max(variance, 1e-6) * np.eye(len(inputs))
        found[k] = mean[k] + across @ np.linalg.solve(among + noise, shape[:, k] - mean[k])
    return found + observed.mean()


def nearest(train: Table, probes: Sequence[int], observed: Floats) -> Floats:
    """The device whose probes are the most alike, scaled to the speed of this one."""
    level = train.logs[:, probes].mean(axis=1)
    apart = ((train.logs[:, probes] - level[:, None] - (observed - observed.mean())) ** 2).sum(axis=1)
    best = int(np.argmin(apart))
    return train.logs[best] - level[best] + observed.mean()


def by_macs(train: Table, probes: Sequence[int], observed: Floats) -> Floats:
    """A line through the probes: log latency over log MACs; NaN for networks that the zoo does not have."""
    logs = np.log([_count(column, "macs") for column in train.columns])
    slope, start = np.polyfit(logs[probes], observed, 1)
    return start + slope * logs


def by_macs_and_access(train: Table, probes: Sequence[int], observed: Floats) -> Floats:
    """So much per MAC and so much per byte, neither below zero; NaN for networks the zoo does not have."""
    from scipy.optimize import nnls

    counts = np.array([[_count(c, "macs"), _count(c, "zoo_access_mb")] for c in train.columns])
    if not np.isfinite(counts[probes]).all():
        return np.full(len(counts), np.nan)
    scale = np.exp(-observed)[:, None]  # relative errors count, as everywhere here
    fit, _ = nnls(counts[probes] * scale, np.ones(len(probes)))
    with np.errstate(divide="ignore"):
        return np.log(counts @ fit)


METHODS: dict[str, Method] = {
    "bench devices like": ours,
    "one ridge for all devices": one_ridge,
    "rank 2": rank_two,
    "Gaussian process over devices": process,
    "nearest device, scaled": nearest,
    "line through MACs": by_macs,
    "MACs and memory access": by_macs_and_access,
}


def _moments(train: Table) -> tuple[Floats, Floats]:
    weights = train.weights / train.weights.sum()
    mean = weights @ train.logs
    off = train.logs - mean
    return mean, (off * weights[:, None]).T @ off


def _count(column: str, field: str) -> float:
    """Return a count of the network that a column is of, as networks.csv has it; NaN where it has none."""
    for network in networks().values():
        if network.table == "ncnn" and network.network in FIFTEEN:
            name = f"{network.network} (ncnn)"
            if network.match == "same":
                name = f"{resolve(network.model).canonical} {network.resolution} px"
            if name == column:
                value = getattr(network, field)
                return float("nan") if value is None else float(value)
    return float("nan")
