"""What goes with the rank correlation of MACs and latency, as far as the tables tell: threads, class, runtime.

A linear regression of Fisher's z of Spearman's rho. Settings of one chip are alike, so the uncertainty comes from
drawing whole chips anew. It describes the tables; it is no experiment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.devices.ranks import Ranked

DRAWS = 1000
EDGE = 0.99  # rho of eight networks in the same order is 1, whose z is endless


@dataclass(frozen=True)
class Term:
    """By how much rho's z is higher with this than without, with its 95% interval; ``n`` settings have it."""

    name: str
    value: float
    lo: float
    hi: float
    n: int


def explain(ranked: Sequence[Ranked]) -> tuple[list[Term], float]:
    """Regress rho's z on the class (against big cores) and the doublings of threads; return the terms and R squared.

    Settings whose threads are not told count as one thread with a term of their own, so that they stay in.
    """
    kinds = sorted({one.setting.kind for one in ranked} - {"big core"})
    runtimes = sorted({_family(one) for one in ranked} - {"ncnn"})
    names = ["doubling of threads", "threads not told", *kinds, *runtimes]
    rows = []
    for one in ranked:
        threads = one.setting.threads
        rows.append(
            [1.0, math.log2(threads or 1), float(threads is None and one.setting.unit == "cpu")]
            + [float(one.setting.kind == kind) for kind in kinds]
            + [float(_family(one) == runtime) for runtime in runtimes]
        )
    x = np.array(rows)
    y = np.arctanh(np.clip([one.spearman.value for one in ranked], -EDGE, EDGE))
    chips = np.array([one.setting.device.chip for one in ranked])
    fit = np.linalg.lstsq(x, y, rcond=None)[0]
    share = 1 - float(((y - x @ fit) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    rng = np.random.default_rng(0)
    every = np.unique(chips)
    members = {chip: np.flatnonzero(chips == chip) for chip in every}
    drawn = []
    for _ in range(DRAWS):
        take = np.concatenate([members[chip] for chip in rng.choice(every, len(every))])
        drawn.append(np.linalg.lstsq(x[take], y[take], rcond=None)[0])
    lo, hi = np.percentile(drawn, (2.5, 97.5), axis=0)
    terms = [
        Term(name, float(fit[i]), float(lo[i]), float(hi[i]), int((x[:, i] != 0).sum()))
        for i, name in enumerate(names, 1)
        if (x[:, i] != 0).any()
    ]
    return terms, share


def _family(one: Ranked) -> str:
    return one.setting.runtime.split(" ")[0]
