"""How often the rule of `bench.stats.verdict` cries wolf: the rule itself, on comparisons whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.stats.robust import Array, trimmed
from bench.stats.sequential import Looks
from bench.stats.verdict import verdicts

LEAST = 20  # recorded pairs of equal sides; of fewer, comparisons are simulated
DRAWS = 4000


@dataclass(frozen=True, slots=True)
class Alarms:
    """Shares of comparisons with a false verdict.

    `equal`: of equal sides, called slower or faster. `at_margin`: of sides that differ by exactly the margin, called
    slower. `recorded` is the number of pairs of equal sides that the comparisons were drawn from; 0: they are
    simulated, from the spread of the pairs at hand.
    """

    equal: float
    at_margin: float
    recorded: int


def alarms(
    recorded: Sequence[float], log_ratios: Sequence[float], margin: float, looks: Looks, confirming: Looks = ()
) -> Alarms:
    """Judge `DRAWS` comparisons of known truth as the one of `log_ratios` was.

    They are drawn from `recorded` log-ratios of a case with itself, with either sign, because its sides are
    exchangeable; with fewer than `LEAST`, from a normal distribution as wide as `log_ratios`. With the looks of a
    gate's `confirming` pairs an alarm is what these confirm, and only `slower` is one.
    """
    rng = np.random.default_rng(0)
    pool = np.asarray(recorded, dtype=np.float64)

    def draw(most: int) -> Array:
        if len(pool) >= LEAST:
            signed: Array = rng.choice(pool, (DRAWS, most)) * rng.choice([-1.0, 1.0], (DRAWS, most))
            return signed
        error = float(trimmed(np.asarray(log_ratios, dtype=np.float64))[1])
        return rng.normal(0, error * math.sqrt(len(log_ratios)), (DRAWS, most))

    def share(shift: float, words: tuple[str, ...]) -> float:
        rates = [float(np.isin(verdicts(draw(at[-1]) + shift, margin, at)[0], words).mean()) for at in rounds]
        return math.prod(rates)

    rounds = [looks, confirming] if confirming else [looks]
    equal = share(0.0, ("slower",) if confirming else ("slower", "faster"))
    return Alarms(equal, share(math.log1p(margin), ("slower",)), len(pool) if len(pool) >= LEAST else 0)
