"""How often rules of stopping and deciding are wrong, and how much they find: simulated pairs, and recorded ones.

Every rule asks of the same 30 pairs whether B is slower than A by more than the margin, at a nominal 0.5%. What they
differ in is when they ask, and what they make of having asked before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.plan.protocol import PairProtocol
from bench.rows import file as records
from bench.stats.distributions import t_quantile
from bench.stats.robust import trimmed
from bench.stats.verdict import verdicts

Array = NDArray[np.float64]
Said = tuple[NDArray[np.bool_], NDArray[np.intp]]  # slower, and after how many pairs it ended
LOOKS = PairProtocol().looks
FIRST, MOST = LOOKS[0], LOOKS[-1]
SURE = 0.005  # what each rule promises at the margin
PRECISE = 0.004  # half-width of the 95% interval at which the rule before this one stopped
SD = 0.008


def fixed(x: Array, d: float) -> Said:
    """Student's t on the mean of all pairs, asked once."""
    lower = x.mean(axis=1) - t_quantile(MOST - 1, 1 - SURE) * x.std(axis=1, ddof=1) / math.sqrt(MOST)
    return lower > d, np.full(len(x), MOST)


def precision(x: Array, d: float) -> Said:
    """Stop at a look when the interval is narrow, then ask once."""
    slower, used = np.zeros(len(x), dtype=bool), np.full(len(x), MOST)
    going = np.ones(len(x), dtype=bool)
    for n in LOOKS:
        centre, error, df = trimmed(x[:, :n])
        ends = going & ((t_quantile(df, 0.975) * error <= PRECISE) | (n == MOST))
        slower |= ends & (centre - t_quantile(df, 1 - SURE) * error > d)
        used[ends], going = n, going & ~ends
    return slower, used


def peeking(x: Array, d: float) -> Said:
    """Ask after every pair as if it were the only time."""
    return _first(x, lambda n: _lower(x[:, :n]) > d, range(FIRST, MOST + 1))


def _lower(x: Array) -> Array:
    centre, error, df = trimmed(x)
    return centre - t_quantile(df, 1 - SURE) * error


def confidence_sequence(x: Array, d: float) -> Said:
    """Ask after every pair by a normal-mixture confidence sequence, tightest at 20 pairs (Waudby-Smith et al. 2024)."""
    alpha = 2 * SURE
    rho2 = (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / 20

    def crossed(n: int) -> NDArray[np.bool_]:
        half = math.sqrt(2 * (n * rho2 + 1) / (n * n * rho2) * math.log(math.sqrt(n * rho2 + 1) / alpha))
        found: NDArray[np.bool_] = x[:, :n].mean(axis=1) - half * x[:, :n].std(axis=1, ddof=1) > d
        return found

    return _first(x, crossed, range(FIRST, MOST + 1))


def bench_ab(x: Array, d: float) -> Said:
    """The rule of `bench ab`."""
    said, used = verdicts(x, math.expm1(d), LOOKS)
    return said == "slower", used


def _first(x: Array, crossed: Callable[[int], NDArray[np.bool_]], looks: Iterable[int]) -> Said:
    slower, used = np.zeros(len(x), dtype=bool), np.full(len(x), MOST)
    for n in looks:
        now = crossed(n) & ~slower
        used[now] = n
        slower |= now
    return slower, used


RULES: dict[str, Callable[[Array, float], Said]] = {
    "t on the mean, 30 pairs": fixed,
    "trimmed t, stops by precision": precision,
    "trimmed t, asked after every pair": peeking,
    "confidence sequence, every pair": confidence_sequence,
    "bench ab: O'Brien-Fleming, 5 looks": bench_ab,
}


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.normal(0, SD, shape)


def wild(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Every tenth pair met something else."""
    return np.where(rng.random(shape) < 0.1, rng.normal(0, 0.1, shape), rng.normal(0, SD, shape))


def alike(by: float) -> Callable[[np.random.Generator, tuple[int, int]], Array]:
    """Make neighbours in time alike: a first-order process with this correlation."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
        x = rng.normal(0, SD, shape)
        for i in range(1, shape[1]):
            x[:, i] = by * x[:, i - 1] + math.sqrt(1 - by * by) * x[:, i]
        return x

    return draw


NOISES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]] = {
    "normal, sd 0.8%": normal,
    "10% of pairs with sd 10%": wild,
    "autocorrelation 0.3": alike(0.3),
    "autocorrelation 0.6": alike(0.6),
}


def table(
    noises: dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]], draws: int, margin: float, seed: int
) -> list[dict[str, Any]]:
    """Return a line per noise and rule: shares called slower of equal sides, at the margin, and twice the margin."""
    lines = []
    d = math.log1p(margin)
    for noise, draw in noises.items():
        x = draw(np.random.default_rng(seed), (draws, MOST))
        for name, rule in RULES.items():
            found = {shift: rule(x + math.log1p(shift), d) for shift in (0.0, margin, 2 * margin)}
            lines.append(
                {
                    "pairs that are": noise,
                    "rule": name,
                    "equal": float(found[0.0][0].mean()),
                    "at the margin": float(found[margin][0].mean()),
                    "twice the margin": float(found[2 * margin][0].mean()),
                    "pairs used": float(found[2 * margin][1].mean()),
                }
            )
    return lines


def recorded(outputs: Iterable[Path]) -> dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]]:
    """Return a source of noise for each case that was compared with itself: its pairs, drawn with either sign."""
    pools: dict[str, list[float]] = {}
    for output in outputs:
        for r in records.read_samples(output) if records.samples_path(output).exists() else ():
            if "log_ratio" in r and (r["wanted"] == 0 if "wanted" in r else r.get("a") == r.get("b")):
                name = r.get("name") or f"{r['a']['model']}@{r['a']['backend']}"
                pools.setdefault(f"{name}, {output.name.removesuffix('.csv')}", []).append(r["log_ratio"])
    return {f"{name} ({_described(pool)})": _drawn(pool) for name, pool in pools.items()}


def _described(pool: list[float]) -> str:
    x = np.asarray(pool) - np.median(pool)
    x = np.clip(x, *np.quantile(x, (0.1, 0.9)))
    lag = float(x[1:] @ x[:-1] / (x @ x)) if x.any() else 0.0
    return f"{len(pool)} pairs, sd {np.std(pool):.1%}, lag-1 correlation {lag:+.2f}"


def _drawn(pool: list[float]) -> Callable[[np.random.Generator, tuple[int, int]], Array]:
    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
        signed: Array = rng.choice(np.asarray(pool), shape) * rng.choice([-1.0, 1.0], shape)
        return signed

    return draw
