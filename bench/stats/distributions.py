"""Student's t, the normal and the beta distribution, with nothing but the standard library.

SciPy has them, too, at 143 MB, which a device that only measures should not have to carry. What is here is good to 1e-9
relative where intervals are made of it (`tests/stats/test_distributions.py` holds it against SciPy).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

TINY, EPS = 1e-300, 1e-15
NORMAL_DF = 1e4  # from here on Student's quantile is told by its expansion around the normal one
HALVINGS = 200


def normal_cdf(x: float) -> float:
    """Return the probability that a standard normal value is below `x`; a small one keeps its digits."""
    return math.erfc(-x / math.sqrt(2)) / 2


def normal_quantile(p: float) -> float:
    """Return the value below which a standard normal value lies with probability `p`, 0 < p < 1 (Wichura's AS 241)."""
    return NormalDist().inv_cdf(p)


def t_cdf(df: float, t: float) -> float:
    """Return the probability that a value of Student's t with `df` > 0 degrees of freedom is below `t`.

    As `scipy.special.stdtr`. Infinitely many degrees of freedom are the normal distribution.
    """
    if math.isinf(df):
        return normal_cdf(t)
    square = t * t
    tail = beta_cdf(df / 2, 0.5, df / (df + square), square / (df + square)) / 2
    return 1 - tail if t > 0 else tail


@lru_cache(maxsize=4096)
def t_quantile(df: float, p: float) -> float:
    """Return the value below which a value of Student's t with `df` degrees of freedom lies with probability `p`.

    As `scipy.special.stdtrit`: not a number where there is none.
    """
    if not (df > 0 and 0 < p < 1):
        return math.nan
    if df > NORMAL_DF:
        return _nearly_normal(df, normal_quantile(p))
    if p == 0.5:
        return 0.0
    aim, high = math.log(min(p, 1 - p)), 1.0

    def above(t: float) -> float:
        return math.log(max(t_cdf(df, -t), TINY)) - aim

    while above(high) > 0:
        high *= 2
    found = root(above, 0.0 if high == 1 else high / 2, high)
    return found if p > 0.5 else -found


def _nearly_normal(df: float, z: float) -> float:
    """Return Student's quantile by its expansion (Abramowitz and Stegun 26.7.5) around the normal one."""
    if math.isinf(df):
        return z
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / df + second / df**2 + third / df**3


def beta_quantile(a: float, b: float, p: float) -> float:
    """Return the value below which a value of the beta distribution lies with probability `p`, as `betaincinv`."""
    if not (a > 0 and b > 0 and 0 <= p <= 1):
        return math.nan
    return root(lambda x: beta_cdf(a, b, x, 1 - x) - p, 0.0, 1.0) if 0 < p < 1 else p


def beta_cdf(a: float, b: float, x: float, y: float) -> float:
    """Return the regularised incomplete beta function at `x`, with `y` = 1 - x told apart, as one of them may be small.

    By its continued fraction (DLMF 8.17.22), on the side on which that converges fast.
    """
    if x <= 0 or y <= 0:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(b, a, y, x)
    front = a * math.log(x) + b * math.log(y) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(front) / a / _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction 1 + d1/(1 + d2/(1 + ...)) by Lentz's method."""
    value = numerator = 1.0
    denominator = 0.0
    for m in range(1, 100_000):
        half = m // 2
        if m % 2:
            d = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            d = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        denominator = 1 / ((1 + d * denominator) or TINY)
        numerator = (1 + d / numerator) or TINY
        step = denominator * numerator
        value *= step
        if abs(step - 1) < EPS:
            break
    return value


def root(of: Callable[[float], float], low: float, high: float, precision: float = 4e-15) -> float:
    """Return where a continuous function is zero between two places at which it has opposite signs.

    Chandrupatla's method (Advances in Engineering Software 28, 1997): inverse quadratic interpolation where that is
    safe, halving where not. `precision` is relative.

    Raises:
        ValueError: the signs are equal.
    """
    b, a = low, high
    fa, fb = of(a), of(b)
    if fa == 0 or fb == 0:
        return a if fa == 0 else b
    if (fa > 0) == (fb > 0):
        raise ValueError("no change of sign between the ends")
    c, fc, t = a, fa, 0.5
    for _ in range(HALVINGS):
        x = a + t * (b - a)
        fx = of(x)
        if (fx > 0) == (fa > 0):
            c, fc = a, fa
        else:
            c, fc, b, fb = b, fb, a, fa
        a, fa = x, fx
        best, least = (a, fa) if abs(fa) < abs(fb) else (b, fb)
        room = (precision * abs(best) + TINY) / abs(b - a) if b != a else 1.0
        if least == 0 or room > 0.5:
            return best
        share, rise = (a - b) / (c - b), (fa - fb) / (fc - fb)
        if rise * rise < share and (1 - rise) ** 2 < 1 - share:
            t = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        else:
            t = 0.5
        t = min(1 - room, max(room, t))
    return best
