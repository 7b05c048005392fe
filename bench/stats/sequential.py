"""How often one may look: boundaries with which a comparison is asked again and again at one rate of false alarms.

O'Brien and Fleming (Biometrics 35, 1979): after n of N observations the standardised difference has to pass
C sqrt(N / n), so that early looks cost almost nothing. C follows from the joint distribution of the looks by recursive
integration (Armitage, McPherson and Rowe 1969; Jennison and Turnbull, Group Sequential Methods, chapter 19). An
interval with these quantiles in place of the usual one is a repeated confidence interval: it covers at all looks
together, whenever one stops (Jennison and Turnbull 1989).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.stats.distributions import normal_cdf, root

NODES = 400
Looks = tuple[int, ...]


@cache
def _nodes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points and weights of Gauss and Legendre: finding them takes longer than all that is done with them."""
    points, weights = np.polynomial.legendre.leggauss(NODES)
    return points, weights


def crossed(looks: Looks, bounds: tuple[float, ...]) -> float:
    """Return how likely the standardised mean of `looks[k]` independent normal values exceeds `bounds[k]` at any look.

    One-sided, with nothing to be found.
    """
    points, weights = _nodes()
    found, sums, density, before = 0.0, np.zeros(1), np.ones(1), 0
    for n, bound in zip(looks, bounds, strict=True):
        step, edge = math.sqrt(n - before), bound * math.sqrt(n)
        found += float(density @ [normal_cdf(x) for x in ((sums - edge) / step).tolist()])
        low = min(-9 * math.sqrt(n), edge)  # nothing to speak of lies below
        here = (points + 1) / 2 * (edge - low) + low
        kernel = np.exp(-(((here[:, None] - sums) / step) ** 2) / 2) / (step * math.sqrt(2 * math.pi))
        density = (kernel @ density) * weights * (edge - low) / 2
        sums, before = here, n
    return found


@lru_cache(maxsize=256)
def boundary(looks: Looks, error: float) -> tuple[float, ...]:
    """Return the one-sided boundary, a standard normal quantile per look, that is crossed by chance at rate `error`."""
    shape = [math.sqrt(looks[-1] / n) for n in looks]
    constant = _solve(lambda c: crossed(looks, tuple(c * s for s in shape)), error)
    return tuple(constant * s for s in shape)


@lru_cache(maxsize=256)
def last(looks: Looks, n: int, error: float) -> float:
    """Return the quantile at which a comparison is judged that ends after `n`, whatever was planned for later.

    It spends what the boundary of `looks` has not spent before `n`. That is fair where the end has nothing to do with
    what was found: at the planned number, or because the time is over.
    """
    before = tuple(look for look in looks if look < n)
    spent = boundary(looks, error)[: len(before)]
    return _solve(lambda c: crossed((*before, n), (*spent, c)), error)


def _solve(rate: Callable[[float], float], error: float) -> float:
    return root(lambda c: rate(c) - error, -1.0, 40.0, precision=1e-9)
