"""Does the interval of a percentile hold the truth? Simulated launches, through the function that judges a limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.stats.limit import percentile_interval

Array = NDArray[np.float64]
Shape = tuple[int, ...]  # launches and samples last
WITHIN = 0.01


def plain(rng: np.random.Generator, shape: Shape) -> Array:
    return np.zeros(shape)


def spikes(rng: np.random.Generator, shape: Shape) -> Array:
    """3% of the samples take 10 to 40% longer."""
    return np.where(rng.random(shape) < 0.03, rng.uniform(0.1, 0.4, shape), 0)


def bursts(rng: np.random.Generator, shape: Shape) -> Array:
    """4% of the blocks of 16 samples are slower, each sample by 5 to 30%."""
    slow = rng.random((*shape[:-1], -(-shape[-1] // 16))) < 0.04
    return np.where(np.repeat(slow, 16, axis=-1)[..., : shape[-1]], rng.uniform(0.05, 0.3, shape), 0)


def bimodal(rng: np.random.Generator, shape: Shape) -> Array:
    """One launch in ten is slower by 15%."""
    return np.where(rng.random((*shape[:-1], 1)) < 0.1, 0.15, 0) + np.zeros(shape)


KINDS: dict[str, Callable[[np.random.Generator, Shape], Array]] = {
    "lognormal": plain,
    "spikes": spikes,
    "bursts": bursts,
    "slow launches": bimodal,
}


def draw(rng: np.random.Generator, kind: str, between: float, shape: Shape) -> Array:
    """Return latencies around 1."""
    level, sample = rng.normal(0, between, (*shape[:-1], 1)), rng.normal(0, WITHIN, shape)
    latency: Array = np.exp(level + sample + KINDS[kind](rng, shape))
    return latency


def table(draws: int, seed: int) -> list[dict[str, Any]]:
    """Return a line for each kind of noise, percentile and number of launches."""
    lines = []
    for kind in KINDS:
        for between in (0.003, 0.02):
            rng = np.random.default_rng(seed)
            everything = draw(rng, kind, between, (20_000, 64)).ravel()
            for q in (50, 90, 99):
                true = float(np.quantile(everything, q / 100))
                lines += [_line(rng, kind, between, q, launches, true, draws) for launches in (5, 12, 40)]
    return lines


def _line(
    rng: np.random.Generator, kind: str, between: float, q: int, launches: int, true: float, draws: int
) -> dict[str, Any]:
    ends = np.array([percentile_interval(list(x), q) for x in draw(rng, kind, between, (draws, launches, 67))])
    lo, hi = ends.T
    closed = np.isfinite(hi)
    return {
        "noise": kind,
        "sd of launches": between,
        "percentile": q,
        "launches": launches,
        "covered": float(((lo <= true) & (true <= hi)).mean()),
        "false fail": float((lo > true).mean()),
        "false pass": float((hi < true).mean()),
        "open": float((~closed).mean()),
        "half-width": float(np.median((hi - lo)[closed]) / 2 / true) if closed.any() else float("nan"),
    }
