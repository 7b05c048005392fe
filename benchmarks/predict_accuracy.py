"""What a predictor says of networks, and how far that is from what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.predict.predictor import Predictor
from bench.predict.table import KernelTable

Line = dict[str, Any]


@dataclass
class Found:
    """What a predictor says of networks, by name: a latency in ns (absent where it refuses), and its interval."""

    ns: dict[str, float] = field(default_factory=dict)
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)
    share: dict[str, float] = field(default_factory=dict)  # of the time that was predicted, not timed


def predicted(predictor: Predictor, table: KernelTable, names: Sequence[str] | Mapping[str, Any]) -> Found:
    """Ask a predictor."""
    found = Found()
    for name in names:
        one = predictor.predict(table.networks[name])
        if not one.complete:
            continue
        found.ns[name] = one.latency_ns
        found.share[name] = one.sums.share_unseen
        if one.lo_ns is not None and one.hi_ns is not None:
            found.interval[name] = one.lo_ns, one.hi_ns
    return found


def figures(found: Found, truth: Mapping[str, float]) -> Line:
    """Return the accuracy on all networks of `truth`: what is refused is within nothing and covered by nothing."""
    errors = {n: found.ns[n] / ns - 1 for n, ns in truth.items() if n in found.ns}
    off = [abs(error) for error in errors.values()]
    inside = [found.interval[n][0] <= ns <= found.interval[n][1] for n, ns in truth.items() if n in found.interval]
    widths = sorted(math.log(hi / lo) / 2 for n, (lo, hi) in found.interval.items() if n in truth)
    shares = sorted(found.share[n] for n in truth if n in found.share)
    return {
        "networks": len(truth),
        "refused": len(truth) - len(errors),
        "within_10": round(sum(x <= 0.1 for x in off) / len(truth), 4),
        "within_5": round(sum(x <= 0.05 for x in off) / len(truth), 4),
        "mape": round(sum(off) / len(off), 4) if off else None,
        "bias": round(sum(errors.values()) / len(off), 4) if off else None,
        "spearman": _spearman([found.ns[n] for n in errors], [truth[n] for n in errors]),
        "covered": round(sum(inside) / len(truth), 4) if inside else None,
        "half_width": round(math.expm1(widths[len(widths) // 2]), 4) if widths else None,
        "predicted_share": round(shares[len(shares) // 2], 3) if shares else None,
    }


def _spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    from scipy.stats import spearmanr

    return round(float(spearmanr(a, b).statistic), 4) if len(a) > 2 and len(set(a)) > 1 and len(set(b)) > 1 else None
