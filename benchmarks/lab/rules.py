"""Same data, whose verdict: the decision rules of other tools, re-implemented, on recorded pairs.

Each rule gets the latencies of A and B, launch by launch, and says whether they differ. What the tools do around the
rule (calibration, warm-up) is not played: it is the same data for all. Read in their sources:

- pyperf (`_utils.py`, is_significant): pooled Student t over all values of all processes, two-sided 95%.
- Google Benchmark (`tools/gbench/report.py`): Mann-Whitney U over repetitions, two-sided, 0.05.
- criterion (`analysis/compare.rs`, `report.rs`): bootstrapped t on the pooled sample below 0.05, and the 95% interval
  of the change of the mean beyond 1%; one process a side.
- asv (`_stats.py`, `compare.py`): Mann-Whitney below 0.002, and a factor of 1.1 between the medians; two processes.
- DuckDB (`scripts/regression`): ratio of medians of 1.1; 10 pairs in turns, 30 fresh ones if outside 2%.
- a bare median: differs by more than 5%.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats.verdict import decide

Array = NDArray[np.float64]
BOOTSTRAPS = 400


@dataclass(frozen=True, slots=True)
class Launches:
    """One side: per process its block means in ns, and per process the log-ratio of its pair."""

    a: list[Array]
    b: list[Array]
    log_ratios: list[float]


def pyperf(data: Launches) -> bool:
    """Student t on all values of all processes."""
    from scipy.stats import ttest_ind

    return bool(ttest_ind(np.concatenate(data.a), np.concatenate(data.b)).pvalue < 0.05)


def google_benchmark(data: Launches) -> bool:
    """Mann-Whitney U on repetitions."""
    return mann_whitney(np.concatenate(data.a), np.concatenate(data.b)) < 0.05


def criterion(data: Launches) -> bool:
    """Bootstrap t on one process a side, and a change of the mean beyond 1%."""
    a, b = data.a[0], data.b[0]
    rng = np.random.default_rng(0)

    def t(x: Array, y: Array) -> Array:
        spread = np.sqrt(x.var(-1, ddof=1) / x.shape[-1] + y.var(-1, ddof=1) / y.shape[-1])
        return np.asarray((y.mean(-1) - x.mean(-1)) / np.maximum(spread, 1e-12))

    pool = np.concatenate([a, b])
    null = t(rng.choice(pool, (BOOTSTRAPS, len(a))), rng.choice(pool, (BOOTSTRAPS, len(b))))
    p = float(np.mean(np.abs(null) >= abs(float(t(a, b)))))
    change = rng.choice(b, (BOOTSTRAPS, len(b))).mean(1) / rng.choice(a, (BOOTSTRAPS, len(a))).mean(1) - 1
    lo, hi = np.quantile(change, (0.025, 0.975))
    return p < 0.05 and bool(lo > 0.01 or hi < -0.01)


def asv(data: Launches) -> bool:
    """Mann-Whitney below 0.002 on two processes a side, and a factor of 1.1."""
    a, b = np.concatenate(data.a[:2]), np.concatenate(data.b[:2])
    factor = float(np.median(b) / np.median(a))
    return mann_whitney(a, b) < 0.002 and not 1 / 1.1 < factor < 1.1


def duckdb(data: Launches) -> bool:
    """Ratio of medians of 1.1 on the second half, looked at only if the first is outside 2%."""
    half = len(data.a) // 2

    def ratio(a: Sequence[Array], b: Sequence[Array]) -> float:
        return float(np.median([np.median(x) for x in b]) / np.median([np.median(x) for x in a]))

    if 0.98 < ratio(data.a[:half], data.b[:half]) < 1.02:
        return False
    return not 1 / 1.1 < ratio(data.a[half:], data.b[half:]) < 1.1


def bare_median(data: Launches) -> bool:
    """Medians more than 5% apart, nothing else asked."""
    ratio = np.median(np.concatenate(data.b)) / np.median(np.concatenate(data.a))
    return not 1 / 1.05 < ratio < 1.05


def bench_ab(data: Launches) -> bool:
    """The rule of `bench ab`, on pairs."""
    return decide(data.log_ratios, 0.01).verdict in ("slower", "faster")


RULES: dict[str, Callable[[Launches], bool]] = {
    "pyperf": pyperf,
    "Google Benchmark": google_benchmark,
    "criterion": criterion,
    "asv": asv,
    "DuckDB": duckdb,
    "median beyond 5%": bare_median,
    "bench ab": bench_ab,
}


def mann_whitney(a: Array, b: Array) -> float:
    """Return the two-sided p of the Mann-Whitney U test."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(a, b, alternative="two-sided").pvalue)


def shares(
    a: Sequence[Array], b: Sequence[Array], ratios: Sequence[float], launches: int, turns: bool
) -> dict[str, float]:
    """Return how often each rule says that A and B differ, over all windows of so many launches a side.

    `turns`: A's and B's launches are those of the same pairs; else B's come after A's, as tools that measure one side
    after the other would have met them (`bench ab` always gets pairs: that is what it is).
    """
    said: dict[str, int] = dict.fromkeys(RULES, 0)
    n = 0
    for start in range(0, len(a) - 2 * launches + 1, max(1, launches // 2)):
        first, second = slice(start, start + launches), slice(start + launches, start + 2 * launches)
        data = Launches(list(a[first]), list(b[first if turns else second]), list(ratios[first]))
        n += 1
        for name, rule in RULES.items():
            said[name] += rule(data)
    return {name: count / n for name, count in said.items()} if n else {}
