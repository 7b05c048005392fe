"""The rule, and that no verdict of any finding stands before its samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.findings.catalog import catalog
from bench.findings.evaluate import judge
from bench.findings.finding import SHARES, Experiment
from bench.findings.verdict import (
    AGREES,
    DIFFERS,
    FOLLOWS,
    GRADES,
    INCONCLUSIVE,
    MARGIN,
    NONE,
    OPPOSITE,
    SAME,
    STAYS,
    STRAYS,
    STRONGER,
    WEAKER,
    exact,
    grade,
    grade_share,
    verdict,
)
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
def test_the_published_effect_itself_agrees(e: Experiment) -> None:
    assert judge(e, around(target(e), 1e-4)) == (AGREES if e.published is not None else SAME)


@ALL
def test_the_opposite_is_told(e: Experiment) -> None:
    p = target(e)
    if e.quantity in SHARES:
        assert judge(e, exact(math.log(1 - math.exp(p)))) == (DIFFERS if abs(1 - 2 * math.exp(p)) > 0.1 else AGREES)
        return
    none = abs(p) <= max(MARGIN, e.blur)
    far = 2 * (math.log(e.within) + e.blur) if e.equals else 0.0
    turned = -math.copysign(0.5, p) if none else -max(abs(p), 2 * MARGIN, far) * math.copysign(1, p)
    assert judge(e, around(turned, 1e-4)) == (DIFFERS if none else OPPOSITE)


@ALL
def test_no_effect_at_all_is_none_where_one_is_published(e: Experiment) -> None:
    p = abs(target(e))
    if e.quantity in SHARES:
        return
    close = p <= max(MARGIN, e.blur) or (e.equals and p <= math.log(e.within) + e.blur)
    assert judge(e, around(0.0, 1e-4)) == (AGREES if close else NONE)


@ALL
def test_pure_noise_is_inconclusive(e: Experiment) -> None:
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(size=6)
        noise = (noise - noise.mean()) / noise.std(ddof=1)
        assert judge(e, effect(list(4 * max(abs(target(e)), 0.3) * noise))) == INCONCLUSIVE


def test_five_grades_of_one_published_effect() -> None:
    p = math.log(2)
    found = {x: grade(around(x * p, 1e-4), p) for x in (-0.5, 0.0, 0.4, 0.74, 0.76, 1.0, 1.24, 1.26, 3.0)}
    assert found == {-0.5: OPPOSITE, 0.0: NONE, 0.4: WEAKER, 0.74: WEAKER, 0.76: AGREES, 1.0: AGREES, 1.24: AGREES,
                     1.26: STRONGER, 3.0: STRONGER}  # fmt: skip


def test_an_interval_that_meets_the_band_agrees_only_where_it_tells_the_size() -> None:
    p = math.log(2)
    assert grade(Effect(0.8 * p, 0.51 * p, 1.1 * p, 5), p) == AGREES
    assert grade(Effect(0.8 * p, 0.49 * p, 1.1 * p, 5), p) == SAME
    assert grade(Effect(1.4 * p, 0.8 * p, 2.1 * p, 5), p) == SAME
    assert grade(Effect(0.5 * p, -0.1 * p, 1.1 * p, 5), p) == INCONCLUSIVE
    assert grade(Effect(0.2 * p, -0.1 * p, 0.45 * p, 5), p) == NONE


def test_a_direction_alone_is_told_so() -> None:
    assert grade(around(0.5, 1e-4), None, 1) == SAME
    assert grade(around(0.5, 1e-4), None, -1) == OPPOSITE
    assert grade(around(0.0, 1e-4), None, -1) == NONE


def test_equals_needs_the_whole_interval_inside() -> None:
    p = math.log(2.4)
    assert grade(exact(math.log(2.35)), p, equals=True) == AGREES
    assert grade(exact(math.log(2.2)), p, equals=True) == WEAKER
    assert grade(exact(math.log(2.6)), p, equals=True) == STRONGER
    assert grade(around(math.log(2.3), 0.1), p, equals=True) == INCONCLUSIVE
    assert grade(exact(-p), p, equals=True) == OPPOSITE


def test_rounding_widens_what_is_published() -> None:
    """2.3 over 2.2 may have been 2.25 over 2.25; 2.3 over 1.8 is an effect of 1.22 to 1.34."""
    from bench.findings.finding import blur

    assert blur(2.3, 2.2) == pytest.approx(0.05 / 2.3 + 0.05 / 2.2)
    assert blur(40.0, 57) == pytest.approx(0.05 / 40 + 0.5 / 57)
    nothing = around(0.0, 1e-4)
    assert grade(nothing, math.log(2.3 / 2.2), blur=blur(2.3, 2.2)) == AGREES
    p, rounded = math.log(2.3 / 1.8), blur(2.3, 1.8)
    assert grade(around(1.3 * p, 1e-4), p) == STRONGER
    assert grade(around(1.3 * p, 1e-4), p, blur=rounded) == AGREES
    assert grade(nothing, p, blur=rounded) == NONE


def test_shares_are_compared_in_points() -> None:
    """As ratios 0.697 was as good as 0.50 and as 0.87, and 0.964 was not 0.89."""
    here = exact(math.log(0.697))
    assert grade_share(here, 0.50, 0.1) == grade_share(here, 0.87, 0.1) == DIFFERS
    assert grade_share(exact(math.log(0.964)), 0.89, 0.1) == AGREES
    assert grade_share(Effect(math.log(0.6), math.log(0.5), math.log(0.7), 3), 0.65, 0.1) == INCONCLUSIVE
    for points in (0.05, 0.2):
        for one in (0.3, 0.6):
            assert grade_share(exact(math.log(one + points)), one, 0.1) == grade_share(
                exact(math.log(1 - one - points)), 1 - one, 0.1
            )


def test_nothing_is_refuted_under_other_conditions() -> None:
    assert {verdict(g, like=False) for g in (NONE, OPPOSITE, DIFFERS)} == {STAYS}
    assert all(OPPOSITE not in verdict(g, like=False) for g in GRADES)
    assert verdict(AGREES, like=True) == "reproduced"
    assert verdict(OPPOSITE, like=True) == OPPOSITE
    assert {verdict(g, like=False) for g in (AGREES, WEAKER, STRONGER, SAME)} == {
        "transfers", "transfers, weaker", "transfers, stronger", "transfers, direction"
    }  # fmt: skip
    assert verdict(STRONGER, like=False, equals=True) == STAYS  # "at almost no cost", and it costs a third
    assert verdict(STRONGER, like=True, equals=True) == STRONGER
    assert verdict(AGREES, like=False, ours=True) == FOLLOWS
    assert verdict(DIFFERS, like=True, ours=True) == STRAYS


@given(st.floats(-2, 2), st.floats(0, 1), st.floats(-2, 2).filter(lambda p: abs(p) > 1e-3))
def test_turning_claim_and_effect_round_changes_nothing(e: float, half: float, p: float) -> None:
    here, there = Effect(e, e - half, e + half, 5), Effect(-e, -e - half, -e + half, 5)
    assert grade(here, p) == grade(there, -p)


@given(st.floats(-2, 2), st.floats(0, 1), st.floats(0.05, 2))
def test_a_wider_interval_never_finds_an_effect_that_a_narrow_one_does_not(e: float, half: float, p: float) -> None:
    narrow, wide = (grade(Effect(e, e - h, e + h, 5), p) for h in (half, half + 0.5))
    shown = (AGREES, WEAKER, STRONGER, SAME)
    assert wide not in shown or narrow in shown
    assert wide != OPPOSITE or narrow == OPPOSITE


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
