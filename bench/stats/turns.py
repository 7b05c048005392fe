"""What another run would find for the ratio of two cases that took turns: more than the replicates of one run say.

What drifts for both sides cancels within a replicate, yet sessions minutes or hours apart still differ: by where memory
lands, what shares the caches, and what the clock does to one side more than to the other. So the variance of an effect
has two parts: between replicates, moderated by what all effects of the evidence show (Smyth 2004, Statistical
Applications in Genetics and Molecular Biology 3, equation 4), and between sessions, from the pairs of cases that were
measured in several.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.stats.distributions import t_quantile
from bench.stats.ratio import LEAST, Effect

# A 2-core Xeon VM, one campaign of some hours (results/xeon-vm-2core/findings.jsonl): the median standard deviation
# between replicates, and that between sessions. They stand in where the evidence says little itself.
WITHIN_SD, BETWEEN_SD = 0.012, 0.010
WITHIN_DF = 4.0  # how alike effects are in their spread, as degrees of freedom
BETWEEN_DF = 6.0  # weight of BETWEEN_SD beside what the evidence shows

Sessions = Sequence[Sequence[float]]  # log-ratios of a pair of cases, one list per session


@dataclass(frozen=True, slots=True)
class Spread:
    """By what effects of one machine differ: standard deviations of a log-ratio between replicates and sessions.

    `sessions` counts how often the same cases met in several sessions; `df` are the degrees of freedom of `between`.
    """

    within: float = WITHIN_SD
    between: float = BETWEEN_SD
    df: float = BETWEEN_DF
    sessions: int = 0


def learn(groups: Iterable[Sequence[Sessions]]) -> Spread:
    """Learn how effects spread from those of a machine; the pairs of a group were measured in the same replicates.

    Such pairs say the same of what differs between sessions: a group counts once.
    """
    squares, freedom = 0.0, 0
    between: list[float] = []
    for group in groups:
        moved = []
        for sessions in group:
            square = math.fsum(_square(session) for session in sessions)
            own = sum(len(session) - 1 for session in sessions)
            squares, freedom = squares + square, freedom + own
            if len(sessions) > 1:
                noise = (square + WITHIN_DF * WITHIN_SD**2) / (own + WITHIN_DF)
                noise *= math.fsum(1 / len(session) for session in sessions) / len(sessions)
                means = [math.fsum(session) / len(session) for session in sessions]
                moved.append(_square(means) / (len(means) - 1) - noise)
        if moved:
            between.append(math.fsum(moved) / len(moved))
    within = math.sqrt(squares / freedom) if freedom and squares else WITHIN_SD
    df = BETWEEN_DF + len(between)
    variance = (BETWEEN_DF * BETWEEN_SD**2 + math.fsum(between)) / df
    return Spread(within, math.sqrt(max(variance, (BETWEEN_SD / 3) ** 2)), df, len(between))


def another(sessions: Sessions, spread: Spread, confidence: float = 0.95) -> Effect:
    """Return the mean of the log-ratios with the interval in which the mean of other runs lies.

    Raises:
        ValueError: there are fewer than `LEAST` log-ratios, or one is not finite.
    """
    logs = [log for session in sessions for log in session]
    n = len(logs)
    if n < LEAST or not all(map(math.isfinite, logs)):
        raise ValueError(f"{n} samples give no interval")
    free = n - len(sessions)
    square = math.fsum(_square(session) for session in sessions)
    inner = (square + WITHIN_DF * spread.within**2) / (free + WITHIN_DF) / n
    outer = spread.between**2 * math.fsum((len(session) / n) ** 2 for session in sessions)
    df = (inner + outer) ** 2 / (inner**2 / (free + WITHIN_DF) + outer**2 / spread.df)  # Satterthwaite
    half = t_quantile(df, (1 + confidence) / 2) * math.sqrt(inner + outer)
    mean = math.fsum(logs) / n
    return Effect(mean, mean - half, mean + half, n)


def _square(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values)
