"""A few networks tell the others: latencies on a device of which only some are known, from devices that have them all.

Devices differ in speed, and beyond that in a few ways (threads, vector units, caches), so their log latencies have a
low rank. The prediction is a ridge regression of each network on the known ones, in which a device counts the more, the
more its known latencies are like those given: `predict`. How far to trust it is learnt from devices that were left out
(conformal, network by network): `widths`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.devices.settings import Setting
from bench.papers.device_records import DeviceNetwork
from bench.plan.zoo import canonical

Floats = NDArray[np.float64]

# Scales of the likeness, in logs: of the known latencies among each other, and of the speed as a whole. Chosen once, by
# leaving one device out; half or twice as much changes the median error by less than a percent point.
WIDTH, SPEED = 0.3, 1.5
FAR = 1e-6  # the weight of a device that is nothing alike: it decides where none is
RIDGE = 3e-3  # the variance of a log latency that says nothing: 5%
LEVEL = 0.9
# What nearly every device of the largest table has, timed in single precision.
FIFTEEN = (
    "squeezenet", "mobilenet", "mobilenet_v2", "mobilenet_v3", "shufflenet", "shufflenet_v2", "mnasnet",
    "proxylessnasnet", "efficientnet_b0", "regnety_400m", "blazeface", "googlenet", "resnet18", "alexnet", "resnet50",
)  # fmt: skip
CAP = 0.5  # of a log error, when probes are chosen: a device that is like none tells nothing of them


@dataclass(frozen=True)
class Table:
    """Log latencies (ln ms) of settings (rows) and networks (columns); NaN where a setting does not have one."""

    columns: tuple[str, ...]
    logs: Floats
    settings: tuple[Setting, ...]

    @cached_property
    def chips(self) -> NDArray[np.str_]:
        """The chip of each setting: settings of one are revisions of each other."""
        return np.array([one.device.chip for one in self.settings])

    @cached_property
    def weights(self) -> Floats:
        """A weight for each setting, so that chips count alike however many settings they have."""
        _, place, count = np.unique(self.chips, return_inverse=True, return_counts=True)
        weights: Floats = 1 / count[place]
        return weights

    def keep(self, mask: NDArray[np.bool_]) -> Table:
        """Return the settings that a mask picks."""
        return Table(self.columns, self.logs[mask], tuple(itertools.compress(self.settings, mask)))

    def having(self, columns: Iterable[int]) -> NDArray[np.bool_]:
        """Tell which settings have all of these columns."""
        return np.asarray(np.isfinite(self.logs[:, list(columns)]).all(axis=1), dtype=bool)


def tabulate(settings: Sequence[Setting], networks: Sequence[str] = ()) -> Table:
    """Lay settings out as a table; with `networks`, only those of the source, in that order, and who has them all."""
    if networks:
        settings = [s for s in settings if {n.network for n in s.times}.issuperset(networks)]
    times: list[dict[str, list[float]]] = []
    for setting in settings:
        mine: dict[str, list[float]] = {}
        for network, ms in setting.times.items():
            if not networks or network.network in networks:
                mine.setdefault(column_of(network), []).append(float(np.log(ms)))
        times.append(mine)
    names = list(dict.fromkeys(name for mine in times for name in mine))
    if networks:
        order = {column_of(n): networks.index(n.network) for s in settings for n in s.times if n.network in networks}
        names.sort(key=order.__getitem__)
    logs = np.array([[np.median(mine[name]) if name in mine else np.nan for name in names] for mine in times])
    return Table(tuple(names), logs.reshape(len(times), len(names)), tuple(settings))


def column_of(network: DeviceNetwork) -> str:
    """Name a column: the spec that a network was found to be and its resolution, or the source's name for it."""
    if network.match == "same":
        return f"{canonical(network.model)} {network.resolution} px"
    return f"{network.network} ({network.table})"


def predict(logs: Floats, weights: Floats, probes: Sequence[int], observed: Floats) -> Floats:
    """Predict the log latency of every column on a device.

    Args:
        logs: settings that have all `probes`; NaN elsewhere where a network is not known.
        weights: how much each counts.
        probes: the columns that are known on the device.
        observed: their log latencies there.
    """
    speed = observed.mean()
    known, level = observed - speed, logs[:, probes].mean(axis=1)
    shape = logs - level[:, None]
    sides = shape[:, probes]
    far = 3 * ((sides - known) ** 2).mean(axis=1) / WIDTH**2 + ((level - speed) / SPEED) ** 2
    there = np.isfinite(logs)
    w = (weights * (np.exp(-far / 2) + FAR))[:, None] * there  # (settings, columns)
    total = w.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        w = w / total
    values = np.where(there, shape, 0.0)
    mean, middle = (w * values).sum(axis=0), w.T @ sides
    among = np.einsum("nk,np,nq->kpq", w, sides, sides) - middle[:, :, None] * middle[:, None, :]
    across = np.einsum("nk,np->kp", w * values, sides) - middle * mean[:, None]
    reached = total > 0
    found = np.full(len(mean), np.nan)
    ridge = RIDGE * np.eye(len(probes))
    slopes = np.linalg.solve(among[reached] + ridge, across[reached][:, :, None])[:, :, 0]
    found[reached] = mean[reached] + ((known - middle[reached]) * slopes).sum(axis=1) + speed
    return found


def left_out(table: Table, probes: Sequence[int], groups: NDArray[np.str_] | None = None) -> Floats:
    """Return the errors (predicted less published, ln) of each setting from those of other `groups` (default: chips).

    NaN for the probes themselves, and where nothing is published.
    """
    groups = table.chips if groups is None else groups
    there = table.having(probes)
    errors = np.full(table.logs.shape, np.nan)
    for group in np.unique(groups[there]):
        train = table.keep(there & (groups != group))
        for i in np.flatnonzero(there & (groups == group)):
            if len(train.settings):
                observed = table.logs[i, list(probes)]
                errors[i] = predict(train.logs, train.weights, probes, observed) - table.logs[i]
    errors[:, list(probes)] = np.nan
    return errors


def choose(table: Table, candidates: Sequence[int], count: int = 3) -> list[int]:
    """Choose the probes that tell the most, one after the other: the least mean error on chips that are left out.

    What a choice leaves unknown is judged, and a probe, being known, counts as no error: so choices compare.
    """
    chosen: list[int] = []
    for _ in range(count):

        def cost(column: int) -> float:
            errors = np.minimum(np.abs(np.nan_to_num(left_out(table, [*chosen, column]))), CAP)
            return float(np.average(errors.mean(axis=1), weights=table.weights))

        chosen.append(min((c for c in candidates if c not in chosen), key=cost))
    return chosen


def widths(errors: Floats, weights: Floats, level: float = LEVEL) -> Floats:
    """Return how far (ln) the errors of each column reach in `level` of the cases, by the conformal rule.

    A case more than was seen is counted, with the weight of the mean one, and is as far off as can be: so a few cases
    give no narrow interval, and too few none (infinite). NaN where a column has no errors.
    """
    found = np.full(errors.shape[1], np.nan)
    for k, column in enumerate(np.abs(errors).T):
        there = np.isfinite(column)
        if there.any():
            order = np.argsort(column[there])
            w = weights[there][order]
            share = np.cumsum(w) / (w.sum() + w.mean())
            place = int(np.searchsorted(share, level))
            found[k] = column[there][order][place] if place < len(order) else np.inf
    return found
