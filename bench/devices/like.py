"""Which published devices is this one like, and how long would the other networks take on it?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.base.errors import UsageError
from bench.devices.settings import Known, Setting
from bench.devices.transfer import Table, left_out, predict, widths

LEAST_KNOWN = 2  # networks; one tells the speed and nothing else
ENOUGH = 10  # settings that have all known networks; where fewer do, some of the networks are not used


@dataclass(frozen=True)
class Near:
    """A published setting and how like it is: `apart` is the typical ratio of known latencies at equal speeds.

    ``speed`` is how many times as long the known networks take there.
    """

    setting: Setting
    apart: float
    speed: float


@dataclass(frozen=True)
class Estimate:
    """The latency in ms that a network of the tables would have, with its 90% interval."""

    network: str
    latency_ms: float
    lo_ms: float
    hi_ms: float
    settings: int


@dataclass(frozen=True)
class Like:
    """What the published devices say of one: the nearest first, and an estimate for every network not measured."""

    known: tuple[str, ...]
    near: tuple[Near, ...]
    estimates: tuple[Estimate, ...]


def like(times: Mapping[Known, float], table: Table, most: int = 5) -> Like:
    """Say what a device is like, of which latencies in ms are known.

    Raises:
        UsageError: fewer than two of the networks are in the tables.
    """
    names = {f"{model} {side} px": ms for (model, side), ms in times.items()}
    measured = [k for k, name in enumerate(table.columns) if name in names]
    probes = _common(measured, table)
    shared = [table.columns[k] for k in probes]
    if len(probes) < LEAST_KNOWN:
        found = f"only {shared[0]} is" if shared else "none is"
        raise UsageError(
            f"of the {len(names)} networks of these rows {found} in the published tables",
            "bench run --suite probe measures three that tell the most",
        )
    # Devices that have the known networks; the fewer they are, the more networks may be left out.
    there = table.having(probes)
    if there.sum() < 2:
        raise UsageError(f"no two published devices have all of {', '.join(shared)}", "give the rows of fewer networks")
    inside = table.keep(there)
    observed = np.log([names[name] for name in shared])
    level = inside.logs[:, probes].mean(axis=1)
    apart = np.sqrt(((inside.logs[:, probes] - level[:, None] - (observed - observed.mean())) ** 2).mean(axis=1))
    order = np.argsort(apart, kind="stable")[:most]
    near = tuple(
        Near(inside.settings[i], math.exp(float(apart[i])), math.exp(float(level[i] - observed.mean()))) for i in order
    )
    told = predict(inside.logs, inside.weights, probes, observed)
    reach = widths(left_out(inside, probes), inside.weights)
    counts = np.isfinite(inside.logs).sum(axis=0)
    estimates = tuple(
        Estimate(
            name,
            math.exp(float(told[k])),
            math.exp(float(told[k] - reach[k])),
            math.exp(min(float(told[k] + reach[k]), 700.0)),
            int(counts[k]),
        )
        for k, name in enumerate(table.columns)
        if k not in measured and math.isfinite(told[k]) and math.isfinite(reach[k])
    )
    return Like(tuple(shared), near, estimates)


def _common(measured: Sequence[int], table: Table) -> list[int]:
    """Return those of the measured networks that enough published settings have together, the most common first."""
    used: list[int] = []
    for k in sorted(measured, key=lambda k: -int(table.having([k]).sum())):
        if len(used) < LEAST_KNOWN or table.having([*used, k]).sum() >= ENOUGH:
            used.append(k)
    return sorted(used)
