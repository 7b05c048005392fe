"""Does the interval hold where the truth is known? Ten made-up machines, measured by the program's own rules.

Each machine is a series of launches: log latency, and what the reference workloads show beside it. Runs take launches
one after the other until they would stop, then the machine is left alone for a while, and every run learns from those
before it. Its interval is held against the machine's own mean at the baseline speed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.plan.protocol import Protocol
from bench.stats.repeats import SLOPE, Run, learn
from bench.stats.summary import Estimate, confidence, estimate

Array = NDArray[np.float64]
LAUNCH_S = 1.0
PAUSE = 60  # launches' time between two runs
KEPT = 30
MS = 2e6


def _white(rng: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    nothing = np.zeros(n)
    return rng.normal(0, 0.015, n), nothing, nothing


def _restless(rng: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    return 2 * rng.normal(0, 0.015, n), np.zeros(n), np.zeros(n)


def _skewed(rng: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    tails = np.where(rng.random(n) < 0.1, rng.exponential(0.05, n), 0.0)
    return rng.normal(0, 0.01, n) + tails - 0.005, np.zeros(n), np.zeros(n)


def _heavy(rng: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    return 0.01 * rng.standard_t(3, n), np.zeros(n), np.zeros(n)


def _wandering(rng: np.random.Generator, n: int, sd: float, lasts: float) -> Array:
    """An autoregressive process of first order with this standard deviation, which forgets after so many launches."""
    keep = math.exp(-1 / lasts)
    found = np.empty(n)
    level = rng.normal(0, sd)
    for i, step in enumerate(rng.normal(0, sd * math.sqrt(1 - keep**2), n)):
        level = keep * level + step
        found[i] = level
    return found


def _clock(rng: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    slow = np.abs(_wandering(rng, n, 0.05, 40))
    return rng.normal(0, 0.012, n) + 0.8 * slow, slow, np.zeros(n)


def _blind(rng: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    return rng.normal(0, 0.012, n) + _wandering(rng, n, 0.01, 15), np.zeros(n), np.zeros(n)


def _blind_for_minutes(rng: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    return rng.normal(0, 0.012, n) + _wandering(rng, n, 0.025, 120), np.zeros(n), np.zeros(n)


def _mixed(rng: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    slow = _wandering(rng, n, 0.03, 40)
    unseen = _wandering(rng, n, 0.01, 60)
    return 0.01 * rng.standard_t(5, n) + SLOPE * slow + unseen, slow + rng.normal(0, 0.005, n), np.zeros(n)


def _drift(rng: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    there = 0.01 * np.sin(2 * np.pi * (np.arange(n) / 600 + rng.random()))
    return rng.normal(0, 0.012, n) + there, np.zeros(n), np.zeros(n)


def _crowded(rng: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    crowd = 0.6 * (_wandering(rng, n, 1.0, 80) > 0.5) + rng.normal(0, 0.02, n)
    return rng.normal(0, 0.012, n) + 0.16 * crowd, np.zeros(n), crowd


MACHINES: dict[str, Callable[[np.random.Generator, int], tuple[Array, Array, Array]]] = {
    "launches differ by 1.5%": _white,
    "launches differ by 3%": _restless,
    "one launch in ten is slow by 5%": _skewed,
    "launches have tails (t with 3 degrees)": _heavy,
    "the clock wanders by 5% for 40 launches": _clock,
    "something unseen moves it by 1% for 15 launches": _blind,
    "something unseen moves it by 2.5% for 120 launches": _blind_for_minutes,
    "tails, a clock of 3%, something unseen of 1%": _mixed,
    "a drift nothing sees, 1% over 600 launches": _drift,
    "a neighbour fills the cache for 80 launches": _crowded,
}


def coverage(name: str, machines: int = 20, runs: int = 25, seed: int = 0) -> dict[str, Any]:
    """Return how often the interval of a run holds what the machine does on average, over made-up machines of a kind.

    `ok` counts only rows that the program would call so; `early` those that stopped at the first look.
    """
    rng = np.random.default_rng(seed)
    protocol = Protocol()
    told: list[tuple[bool, bool, bool, float]] = []
    for _ in range(machines):
        logs, product, copy = MACHINES[name](rng, runs * (protocol.max_launches + PAUSE))
        truth = float((logs - _true_slopes(logs, product, copy)).mean())
        past: list[Run] = []
        at = 0
        for _ in range(runs):
            found, run = _run(logs[at:], product[at:], copy[at:], past, protocol)
            past = [*past, run][-KEPT:]
            at += len(run.logs) + PAUSE
            assert found.lo_ns is not None
            assert found.hi_ns is not None
            holds = math.log(found.lo_ns / MS) <= truth <= math.log(found.hi_ns / MS)
            told.append(
                (holds, found.half_width <= protocol.widest, len(run.logs) <= protocol.launches, found.half_width)
            )
    fine = [holds for holds, ok, _, _ in told if ok]
    early = [holds for holds, _, first, _ in told if first]
    return {
        "machine": name,
        "runs": len(told),
        "holds": statistics.fmean(holds for holds, *_ in told),
        "ok": len(fine) / len(told),
        "holds_ok": statistics.fmean(fine) if fine else None,
        "holds_early": statistics.fmean(early) if early else None,
        "half_width": statistics.median(width for *_, width in told),
    }


def _true_slopes(logs: Array, product: Array, copy: Array) -> Array:
    """Return the part of the latency that the reference workloads truly carry: their regression over the whole life."""
    beside = np.column_stack([product, copy, np.ones(len(logs))])
    slopes = np.linalg.lstsq(beside, logs, rcond=None)[0]
    slopes[2] = 0.0
    return np.asarray(beside @ slopes, dtype=np.float64)


def _run(logs: Array, product: Array, copy: Array, past: list[Run], protocol: Protocol) -> tuple[Estimate, Run]:
    repeats = learn(past, MS)
    for look in protocol.stopping.looks():
        n = min(look, protocol.max_launches, len(logs))
        run = Run(
            tuple(math.log(MS) + logs[:n]),
            tuple(zip(product[:n].tolist(), copy[:n].tolist(), strict=True)),
            (n - 1) * LAUNCH_S,
        )
        level = confidence(n, protocol.launches)
        found = estimate([[math.exp(log)] for log in run.logs], run.offsets, repeats, run.over_s, level)
        if n < look or n >= protocol.max_launches or found.within_half_width <= protocol.tolerance:
            return found, run
    raise AssertionError("looks never end")
