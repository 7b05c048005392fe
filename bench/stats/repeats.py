"""What another run on the same machine would find: the part of an interval that no launch of one run can show.

Runs minutes apart differ by more than their launches imply. Three things are told apart here. What the reference
workloads see (the clock, a crowded cache) moves latency by slopes that differ by network and machine; the slopes are
learnt and carry their uncertainty. What they do not see differs from run to run with standard deviation `tau`. And
what is left differs from launch to launch.

A random effect of the run, estimated from whole runs, with moderated variance (Smyth 2004, Statistical Applications in
Genetics and Molecular Biology 3, equation 4): before a machine has shown its own, what others showed counts like
`PRIOR_WEIGHT` runs. Figures behind the constants: docs/method.md.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats.distributions import normal_quantile, t_quantile

Array = NDArray[np.float64]

# How much log latency rises with the log of the small product's time: mean and standard deviation.
SLOPE, SLOPE_SD = 0.65, 0.2
# The same for the copy, at SMALL_MS: networks that short live in the caches and feel who shares them; longer ones feel
# it in proportion less.
COPY_SLOPE, COPY_SLOPE_SD = 0.2, 0.08
# Between-run standard deviation of a network of SMALL_MS; it falls with the root of the latency.
TAU, LEAST_TAU, MOST_TAU = 0.02, 0.006, 0.05
SMALL_MS = 2.0
PRIOR_DF = 6.0
# Weight of that in a variance, in degrees of freedom: calm machines repeat five times better than restless ones, so
# what was assumed has to give way soon.
PRIOR_WEIGHT = 1.5
MACHINE_WEIGHT = 6.0  # the same for what is assumed of a machine
# Spread between launches: what is believed at first, with how many degrees of freedom, and at least.
LAUNCH_SD, LAUNCH_DF, LEAST_SD = 0.012, 2.0, 0.005
# What moves a latency unseen lasts so long: launches closer together share it, launches spread out average it.
LASTS_S = 15.0
# That share of the variance lasts longer than any run does.
STAYS = 0.1
# By how much runs differ from one hour to another, beyond what runs of one hour show: shared machines get other
# neighbours. Runs of several hours show it themselves, so that each further hour takes its part of this away.
HOURS_SD = 0.03
APART_S = 1800.0  # runs closer together than this met the same hour
ROUNDS = 6  # slopes and variances depend on each other; a few rounds settle them


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a case: log latency of each launch, and how far the reference workloads were from their baseline.

    `offsets` are logs of product and copy over the baseline speed, shape (launches, 2); `over_s` is how long it took
    from the first launch to the last, `at_s` when that was.
    """

    logs: tuple[float, ...]
    offsets: tuple[tuple[float, float], ...]
    over_s: float = 0.0
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Repeats:
    """How a case repeats on a machine: slopes with their covariance, and the spread between runs and launches.

    `tau` is the standard deviation between runs of no duration, with `df` degrees of freedom; `runs` says how many
    were behind it, in how many different `hours`. `seen` is what the case's
    own runs say, as a multiple of the variance that was assumed at first, and
    `own` its degrees of freedom: other cases of the machine learn from that.
    """

    slopes: Array
    covariance: Array
    tau: float
    df: float
    launch_sd: float
    runs: int = 0
    seen: float = 1.0
    own: float = 0.0
    hours: int = 1

    def between(self, over_s: float) -> float:
        """Return the standard deviation between runs whose launches are spread over so many seconds."""
        return math.hypot(self._within_hours(over_s), self._between_hours)

    def half(self, over_s: float, upper: float) -> float:
        """Return half an interval for what runs differ by (a log), up to this quantile (0.975 of a 95% interval)."""
        known = t_quantile(self.df, upper) * self._within_hours(over_s)
        return math.hypot(known, normal_quantile(upper) * self._between_hours)

    def _within_hours(self, over_s: float) -> float:
        return self.tau * math.sqrt(share_left(over_s))

    @property
    def _between_hours(self) -> float:
        return HOURS_SD / math.sqrt(self.hours)


def share_left(over_s: float) -> float:
    """Return the share of the between-run variance that spreading launches over so many seconds leaves.

    That of the mean of an Ornstein-Uhlenbeck process over a window, with the time constant `LASTS_S`.
    """
    x = over_s / LASTS_S
    left = 1.0 if x < 1e-3 else 2 * (x - 1 + math.exp(-x)) / x**2
    return STAYS + (1 - STAYS) * left


def restlessness(cases: Iterable[tuple[float, float]]) -> float:
    """Return by what factor a machine's between-run spread exceeds what is assumed at first.

    `cases` are pairs of `seen` and `own` of what was measured there. The variances are averaged by their degrees of
    freedom, one that says 1 among them with `MACHINE_WEIGHT`.
    """
    total, weight = MACHINE_WEIGHT, MACHINE_WEIGHT
    for seen, own in cases:
        total, weight = total + own * seen, weight + own
    return math.sqrt(total / weight)


def expected(latency_ns: float, restless: float = 1.0) -> Repeats:
    """Return what to expect of a case that was never measured on this machine, which is so `restless`."""
    ms = latency_ns / 1e6
    small = min(1.0, SMALL_MS / ms)
    return Repeats(
        np.array([SLOPE, COPY_SLOPE * small]),
        np.diag([SLOPE_SD**2, COPY_SLOPE_SD**2]),
        restless * float(np.clip(TAU * math.sqrt(SMALL_MS / ms), LEAST_TAU, MOST_TAU)),
        PRIOR_DF,
        LAUNCH_SD,
    )


def learn(runs: Sequence[Run], latency_ns: float, restless: float = 1.0) -> Repeats:
    """Return how a case repeats, from its earlier runs; `latency_ns` is about how long it takes.

    `restless` is the machine's `restlessness`, from all that was measured there.
    """
    prior = expected(latency_ns, restless)
    if not runs:
        return prior
    tables = [np.column_stack([run.logs, np.asarray(run.offsets).reshape(-1, 2)]) for run in runs]
    counts = np.array([len(table) for table in tables])
    means = np.array([table.mean(axis=0) for table in tables])
    inside = np.concatenate([table - table.mean(axis=0) for table in tables])
    left = np.array([share_left(run.over_s) for run in runs])
    launch, tau = LAUNCH_SD**2, prior.tau**2
    precision = np.linalg.inv(prior.covariance)
    slopes, covariance, df = prior.slopes, prior.covariance, prior.df
    ratio, own = 1.0, 0.0
    times = sorted(run.at_s for run in runs)
    hours = 1 + sum(later - earlier > APART_S for earlier, later in itertools.pairwise(times))
    for _ in range(ROUNDS):
        weights = 1 / (tau * left + launch / counts)
        apart = means - (weights[:, None] * means).sum(axis=0) / weights.sum()
        between = (apart[:, 1:] * weights[:, None]).T @ apart[:, 1:]
        told = precision @ prior.slopes + inside[:, 1:].T @ inside[:, 0] / launch
        told += (apart[:, 1:] * weights[:, None]).T @ apart[:, 0]
        covariance = np.linalg.inv(precision + inside[:, 1:].T @ inside[:, 1:] / launch + between)
        slopes = covariance @ told
        rest = inside[:, 0] - inside[:, 1:] @ slopes
        freedom = LAUNCH_DF + max(0, len(inside) - len(runs))
        launch = max((LAUNCH_DF * LAUNCH_SD**2 + float(rest @ rest)) / freedom, LEAST_SD**2)
        if len(runs) > 1:
            levels = means[:, 0] - means[:, 1:] @ slopes
            own = max(0.5, len(runs) - 1 - float(np.trace(between @ covariance)))
            shared = launch * float(np.mean(1 / counts))
            seen = float(((levels - levels.mean()) ** 2).sum())
            all_of_it = (PRIOR_WEIGHT * (prior.tau**2 * left.mean() + shared) + seen) / (PRIOR_WEIGHT + own)
            ratio = max(0.0, seen / own - shared) / left.mean() / expected(latency_ns).tau ** 2
            tau = max((all_of_it - shared) / left.mean(), (0.3 * prior.tau) ** 2)
            df = PRIOR_DF + own
    return Repeats(slopes, covariance, math.sqrt(tau), df, math.sqrt(launch), len(runs), float(ratio), own, hours)
