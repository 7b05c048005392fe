"""Many verdicts at once: how many to expect wrong, and the core set judged so that all hold together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.findings.evaluate import Result, judge
from bench.findings.verdict import holds
from bench.stats.distributions import normal_quantile
from bench.stats.ratio import Effect

FAMILY_ERROR = 0.05
POINTS = 99  # quantiles of what another run may find


@dataclass(frozen=True, slots=True)
class Expected:
    """Of how many verdicts: how many another run would word otherwise, and how many it would turn into the contrary."""

    verdicts: int
    reworded: float
    contrary: float


def expected(results: Iterable[Result]) -> Expected:
    """Ask of every measured effect what verdicts other runs on the same machine would give.

    Another run's effect lies around this one's with the variance of both, and its interval is as wide.
    """
    steps = [normal_quantile((i + 0.5) / POINTS) for i in range(POINTS)]
    verdicts, reworded, contrary = 0, 0.0, 0.0
    for result in results:
        e, found = result.experiment, result.found
        if e is None or found is None or not found.n:
            continue
        verdicts += 1
        half = (found.hi - found.lo) / 2
        sd = 2**0.5 * half / 1.96
        others = [judge(e, Effect(log, log - half, log + half, found.n)) for log in (found.log + sd * z for z in steps)]
        reworded += sum(other != result.grade for other in others) / POINTS
        held = holds(result.grade, e.equals)
        contrary += (
            sum(None not in (held, there := holds(other, e.equals)) and there != held for other in others) / POINTS
        )
    return Expected(verdicts, reworded, contrary)


def confidence(results: Sequence[Result]) -> float:
    """Return the confidence that each of these effects needs for all to hold together (Bonferroni)."""
    return 1 - FAMILY_ERROR / max(1, sum(r.found is not None and r.found.n > 0 for r in results))
