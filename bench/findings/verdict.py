"""From an effect to a grade, and from a grade to a verdict: one rule for every finding (``docs/findings-method.md``).

With e the log of the effect here, [lo, hi] its interval, p the log of the published effect (turned round where p < 0,
so that p > 0), m = log 1.02 what does not matter:

========================= ============================================================================
opposite                  hi < -m: there is an effect, the other way
same direction, weaker    lo > m, and hi < 0.75 p
agrees                    lo > m and lo >= p / 2, hi <= 2 p, and the interval meets 0.75 p to 1.25 p
same direction, stronger  lo > 1.25 p
same direction            lo > m otherwise: its size is not known well enough to say more
none                      hi < max(m, p / 2) otherwise: no effect is shown, or a small part of the published
inconclusive              otherwise
========================= ============================================================================

A claim of a direction alone has p = 0 and ends at *same direction*. A claim of a figure ("equals", such as "no cost", a
count, and any published effect within m) agrees where the whole interval lies within a factor of it; outside it is
weaker, stronger or opposite as above, or *differs* where the published effect is none. What rounding may have moved the
published effect by widens every bound of it: 2.3 over 2.2 images per second may be none at all. A share is held against
the published one in points, because one is bounded: 0.70 is as far from 0.50 as 0.90 is.

Where the effect was not measured under the published conditions (`bench.findings.conditions`) nothing is reproduced or
refuted: it *transfers* or *does not transfer*.
"""

from __future__ import annotations

import math

from bench.stats.ratio import Effect

MARGIN = math.log(1.02)
BAND = 0.25  # of the published log effect, on either side
AGREES, WEAKER, STRONGER = "agrees", "same direction, weaker", "same direction, stronger"
SAME, NONE, OPPOSITE, DIFFERS = "same direction", "none", "opposite", "differs"
INCONCLUSIVE, NOT_TESTABLE = "inconclusive", "not testable here"
GRADES = (AGREES, WEAKER, STRONGER, SAME, NONE, OPPOSITE, DIFFERS, INCONCLUSIVE, NOT_TESTABLE)

REPRODUCED, TRANSFERS, STAYS = "reproduced", "transfers", "does not transfer"
_LIKE = {AGREES: REPRODUCED}
_UNLIKE = {
    AGREES: TRANSFERS,
    WEAKER: f"{TRANSFERS}, weaker",
    STRONGER: f"{TRANSFERS}, stronger",
    SAME: f"{TRANSFERS}, direction",
}
# Of our own questions, which no paper asks: does time follow the MACs?
FOLLOWS, STRAYS = "follows the MACs", "does not follow the MACs"
VERDICTS = tuple(
    dict.fromkeys([*(_LIKE.get(g, g) for g in GRADES[:-2]), *_UNLIKE.values(), STAYS, FOLLOWS, STRAYS, *GRADES[-2:]])
)


def exact(log: float) -> Effect:
    """Return an effect that was counted and has no spread."""
    return Effect(log, log, log, 0)


def grade(
    found: Effect,
    published: float | None,
    direction: int = 0,
    equals: bool = False,
    within: float = 1.05,
    blur: float = 0.0,
) -> str:
    """Grade an effect by the rule of this module.

    Args:
        found: the effect here.
        published: log of the published effect; None where the paper gives a direction only.
        direction: +1 or -1 where `published` is None.
        equals: the claim is the figure itself.
        within: the factor in which a figure counts as met.
        blur: how far rounding to the printed digits may have moved the log of the published effect.
    """
    p = published or 0.0
    none = published is not None and abs(p) <= max(MARGIN, blur)
    sign = -1 if p < 0 or (published is None and direction < 0) else 1
    lo, hi = (found.lo, found.hi) if sign > 0 else (found.hi, found.lo)
    lo, hi, p = sign * lo, sign * hi, sign * p
    if equals or none:
        tolerance = math.log(within) + blur
        if p - tolerance <= lo and hi <= p + tolerance:
            return AGREES
        if not (hi < p - tolerance or lo > p + tolerance):
            return INCONCLUSIVE
        if none:
            return DIFFERS
        low, high = p - tolerance, p + tolerance
    else:
        low, high = (1 - BAND) * p - blur, (1 + BAND) * p + blur
    if hi < -MARGIN:
        return OPPOSITE
    if lo > MARGIN:
        if published is None:
            return SAME
        if hi < low:
            return WEAKER
        if lo > high:
            return STRONGER
        return AGREES if lo >= p / 2 - blur and hi <= 2 * p + blur else SAME
    return NONE if hi < max(MARGIN, p / 2) else INCONCLUSIVE


def grade_share(found: Effect, published: float, within: float) -> str:
    """Grade a share: it agrees where the whole interval lies within so many points (0.1 is ten) of the published."""
    _, lo, hi = found.ratios
    hi = min(hi, 1.0)
    if published - within <= lo and hi <= published + within:
        return AGREES
    return DIFFERS if hi < published - within or lo > published + within else INCONCLUSIVE


def holds(grade: str, equals: bool = False) -> bool | None:
    """Tell whether a claim holds by its grade; None where that is open.

    One of a figure, such as "at almost no cost", does not hold by an effect that is larger.
    """
    if grade in (INCONCLUSIVE, NOT_TESTABLE):
        return None
    return grade == AGREES or (grade in (WEAKER, STRONGER, SAME) and not equals)


def verdict(grade: str, like: bool, ours: bool = False, equals: bool = False) -> str:
    """Return what is said of a grade: under `like` conditions, elsewhere, or of a question of our own."""
    if ours:
        return {AGREES: FOLLOWS, INCONCLUSIVE: INCONCLUSIVE, NOT_TESTABLE: NOT_TESTABLE}.get(grade, STRAYS)
    if not like and holds(grade, equals) is False:
        return STAYS
    return (_LIKE if like else _UNLIKE).get(grade, grade)
