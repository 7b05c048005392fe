"""From the samples of an effect to a verdict: one rule for every finding (``docs/method.md`` gives reasons).

With e the log of the effect here, [lo, hi] its 95% interval, p the log of the published effect (turned round where
p < 0, so that p > 0), m = log 1.02 what does not matter:

=================== ====================================================================================
opposite            hi < -m: there is an effect, the other way
reproduced          lo > m, and e is at least half of p
not reproduced      hi < max(m, p / 2): no effect, or clearly less than half of the published
inconclusive        otherwise
=================== ====================================================================================

A claim that gives a direction only has p = 0 in the rule above. A claim of a figure ("equals", such as "no cost", and
any published effect within m) is reproduced if the interval lies within a factor of the published effect, opposite as
above where |p| > m, not reproduced if it lies outside that factor, inconclusive otherwise.
"""

from __future__ import annotations

import math

from bench.stats.ratio import Effect

MARGIN = math.log(1.02)
REPRODUCED, NOT_REPRODUCED, OPPOSITE = "reproduced", "not reproduced", "opposite"
INCONCLUSIVE, NOT_TESTABLE = "inconclusive", "not testable here"
VERDICTS = (REPRODUCED, NOT_REPRODUCED, OPPOSITE, INCONCLUSIVE, NOT_TESTABLE)


def exact(log: float) -> Effect:
    """Return an effect that was counted and has no spread."""
    return Effect(log, log, log, 0)


def decide(
    found: Effect, published: float | None, direction: int = 0, equals: bool = False, within: float = 1.05
) -> str:
    """Judge an effect by the rule of this module.

    Args:
        found: the effect here.
        published: log of the published effect; None where the paper gives a direction only.
        direction: +1 or -1 where `published` is None.
        equals: the claim is the figure itself.
        within: the factor in which a figure counts as met.
    """
    p = published or 0.0
    equals = equals or (published is not None and abs(p) <= MARGIN)
    sign = -1 if p < 0 or (published is None and direction < 0) else 1
    e, lo, hi = found.log, *((found.lo, found.hi) if sign > 0 else (found.hi, found.lo))
    e, lo, hi, p = sign * e, sign * lo, sign * hi, sign * p
    if hi < -MARGIN and (not equals or p > MARGIN):
        return OPPOSITE
    if equals:
        tolerance = math.log(within)
        if p - tolerance <= lo and hi <= p + tolerance:
            return REPRODUCED
        return NOT_REPRODUCED if hi < p - tolerance or lo > p + tolerance else INCONCLUSIVE
    if lo > MARGIN and e >= p / 2:
        return REPRODUCED
    return NOT_REPRODUCED if hi < max(MARGIN, p / 2) else INCONCLUSIVE
