"""A case against its limits: the interval of each quantity that has one, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.measure.evidence import Weighing
from bench.plan.limit import HEADLINE, Limit
from bench.rows.schema import MEASURED
from bench.stats.limit import INCONCLUSIVE, VERDICTS, Interval, judge, mean_interval, percentile_interval


def limit_columns(
    limits: Sequence[Limit], row: Mapping[str, Any], evidence: Weighing, loaded: Sequence[Mapping[str, Any]]
) -> dict[str, str | None]:
    """Return a row's columns on its limits; `row` is what else is in it, `loaded` what each launch told of its load.

    The worst verdict counts. Where the machine was disturbed all the time, or is emulated, nothing is decided. What was
    not measured as asked has none.
    """
    if not limits:
        return {}
    found = [_interval(limit, row, evidence, loaded) for limit in limits]
    told = " ".join(f"{limit} ({_told(interval)})" for limit, interval in zip(limits, found, strict=True))
    if row["status"] not in MEASURED:
        return {"limit": told, "limit_verdict": None}
    said = [judge(interval, limit.ms) for limit, interval in zip(limits, found, strict=True)]
    if not evidence.sound or row.get("emulated"):
        said = [INCONCLUSIVE]
    return {"limit": told, "limit_verdict": max(said, key=VERDICTS.index)}


def _interval(
    limit: Limit, row: Mapping[str, Any], evidence: Weighing, loaded: Sequence[Mapping[str, Any]]
) -> Interval:
    """Return the 95% interval of a quantity, in ms."""
    if limit.quantity == HEADLINE:
        return row.get("latency_lo_ms") or 0.0, row.get("latency_hi_ms") or math.inf
    if limit.quantity == "first":
        return mean_interval([one["first_ns"] / 1e6 for one in loaded])
    launches = [np.asarray(launch) / 1e6 for launch in evidence.launches]
    if limit.quantity == "mean":
        return mean_interval([float(launch.mean()) for launch in launches])
    return percentile_interval(launches, int(limit.quantity[1:]))


def _told(interval: Interval) -> str:
    lo, hi = interval
    if not math.isfinite(hi):
        return f"{lo:.4g} or more" if lo else "unknown"
    return f"{lo:.4g} to {hi:.4g}"
