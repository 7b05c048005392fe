"""The rule, and that no verdict of any finding stands before its samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.findings.catalog import catalog
from bench.findings.evaluate import judge
from bench.findings.finding import Experiment
from bench.findings.verdict import INCONCLUSIVE, MARGIN, NOT_REPRODUCED, OPPOSITE, REPRODUCED, decide, exact
from bench.stats.ratio import Effect, effect

EXPERIMENTS = [(f.id, e) for f in catalog().values() for e in f.experiments]
ALL = pytest.mark.parametrize(
    "e", [e for _, e in EXPERIMENTS], ids=[f"{i}-{n}" for n, (i, _) in enumerate(EXPERIMENTS)]
)


def around(centre: float, sd: float, n: int = 8) -> Effect:
    """Samples whose mean is exactly `centre` and whose standard deviation is exactly `sd`."""
    x = np.linspace(-1, 1, n)
    return effect(list(centre + sd * x / x.std(ddof=1)))


def target(e: Experiment) -> float:
    """What the claim says, on the log scale; a direction alone stands for a fifth."""
    return e.log_published if e.log_published is not None else 0.2 * e.direction


@ALL
def test_the_published_effect_itself_is_reproduced(e: Experiment) -> None:
    assert judge(e, around(target(e), 1e-4)) == REPRODUCED


@ALL
def test_the_opposite_flips_the_verdict(e: Experiment) -> None:
    p = target(e)
    turned = -p if abs(p) > 2 * MARGIN else -math.copysign(0.5, p)
    expected = OPPOSITE if abs(p) > MARGIN else NOT_REPRODUCED
    assert judge(e, around(turned, 1e-4)) == expected


@ALL
def test_no_effect_at_all_does_not_reproduce_an_effect(e: Experiment) -> None:
    p = abs(target(e))
    if p <= MARGIN or (e.equals and p <= math.log(e.within)):
        assert judge(e, around(0.0, 1e-4)) == REPRODUCED
    else:
        assert judge(e, around(0.0, 1e-4)) == NOT_REPRODUCED


@ALL
@pytest.mark.parametrize("seed", range(3))
def test_pure_noise_is_inconclusive(e: Experiment, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=6)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    assert judge(e, effect(list(4 * max(abs(target(e)), 0.3) * noise))) == INCONCLUSIVE


def test_half_of_the_published_effect_is_where_it_turns() -> None:
    p = math.log(2)
    assert decide(around(0.51 * p, 1e-4), p) == REPRODUCED
    assert decide(around(0.49 * p, 1e-4), p) == NOT_REPRODUCED
    assert decide(around(0.49 * p, 0.05), p) == INCONCLUSIVE
    assert decide(around(0.49 * p, 1e-4), None, 1) == REPRODUCED


def test_equals_needs_the_whole_interval_inside() -> None:
    p = math.log(2.4)
    assert decide(exact(math.log(2.35)), p, equals=True) == REPRODUCED
    assert decide(exact(math.log(2.2)), p, equals=True) == NOT_REPRODUCED
    assert decide(around(math.log(2.3), 0.1), p, equals=True) == INCONCLUSIVE
    assert decide(exact(-p), p, equals=True) == OPPOSITE


@given(st.floats(-2, 2), st.floats(0, 1), st.floats(-2, 2).filter(lambda p: abs(p) > 1e-3))
def test_turning_claim_and_effect_round_changes_nothing(e: float, half: float, p: float) -> None:
    here, there = Effect(e, e - half, e + half, 5), Effect(-e, -e - half, -e + half, 5)
    assert decide(here, p) == decide(there, -p)


@given(st.floats(-2, 2), st.floats(0, 1), st.floats(0.05, 2))
def test_a_wider_interval_only_ever_says_less(e: float, half: float, p: float) -> None:
    narrow, wide = (decide(Effect(e, e - h, e + h, 5), p) for h in (half, half + 0.5))
    weaker = (NOT_REPRODUCED,) if narrow == OPPOSITE else ()
    assert wide in (narrow, INCONCLUSIVE, *weaker)


def test_an_interval_needs_three_finite_samples() -> None:
    for samples in ([], [0.1, 0.2], [0.1, math.nan, 0.2]):
        with pytest.raises(ValueError, match="interval"):
            effect(samples)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(7)
    hits = 0
    for _ in range(1000):
        found = effect(list(generator.normal(0.3, 0.02, 5)))
        hits += found.lo <= 0.3 <= found.hi
    assert 920 <= hits <= 975
