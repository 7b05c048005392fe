from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.robust import trimmed_interval, trimmed_mean, winsorised_sd
from bench.stats.verdict import MIN_PAIRS, decide, half_width

values = st.lists(st.floats(min_value=-1, max_value=1), min_size=MIN_PAIRS, max_size=40)


def slow_trimmed(x: list[float]) -> tuple[float, float]:
    """Trimmed mean and Winsorised sd, by hand."""
    x = sorted(x)
    cut = int(0.2 * len(x))
    middle = x[cut : len(x) - cut]
    pulled = [middle[0]] * cut + middle + [middle[-1]] * cut
    mean = sum(pulled) / len(pulled)
    return sum(middle) / len(middle), math.sqrt(sum((v - mean) ** 2 for v in pulled) / (len(pulled) - 1))


@given(values)
def test_equals_the_slow_version_and_scipy(x: list[float]) -> None:
    from scipy import stats

    mean, sd = slow_trimmed(x)
    assert trimmed_mean(x) == pytest.approx(mean, abs=1e-12)
    assert trimmed_mean(x) == pytest.approx(stats.trim_mean(x, 0.2), abs=1e-12)
    assert winsorised_sd(x) == pytest.approx(sd, abs=1e-12)


@given(values, st.floats(min_value=-0.5, max_value=0.5))
def test_moves_with_the_data(x: list[float], shift: float) -> None:
    plain, moved = trimmed_interval(x, 0.95), trimmed_interval([v + shift for v in x], 0.95)
    assert [m - shift for m in moved] == pytest.approx(list(plain), abs=1e-9)


@given(values, st.randoms())
def test_order_of_pairs_does_not_matter(x: list[float], random: object) -> None:
    shuffled = list(x)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert decide(shuffled, 0.01).verdict == decide(x, 0.01).verdict


@given(values)
def test_swapping_the_sides_mirrors_the_verdict(x: list[float]) -> None:
    there, back = decide(x, 0.01), decide([-v for v in x], 0.01)
    mirror = {"slower": "faster", "faster": "slower"}
    assert back.verdict == mirror.get(there.verdict, there.verdict)
    assert back.ratio == pytest.approx(1 / there.ratio)
    assert back.lo == pytest.approx(1 / there.hi)


@pytest.mark.parametrize(
    ("centre", "spread", "verdict"),
    [
        (0.05, 0.005, "slower"),
        (-0.05, 0.005, "faster"),
        (0.0, 0.005, "equivalent"),
        (0.0, 0.2, "inconclusive"),
        (0.025, 0.021, "changed below threshold"),
        (0.03, 0.3, "inconclusive"),
    ],
)
def test_verdicts(centre: float, spread: float, verdict: str) -> None:
    x = centre + spread * np.linspace(-1.5, 1.5, 20)
    assert decide(list(x), 0.01).verdict == verdict


def test_wild_pairs_do_not_move_the_verdict() -> None:
    calm = list(np.linspace(-0.004, 0.004, 17))
    assert decide([*calm, 0.24, 0.24, -0.3], 0.01).verdict == "equivalent"


def test_the_interval_covers() -> None:
    """Nominal 95% covers 93 to 97%, on normal noise and on noise with heavy tails."""
    rng = np.random.default_rng(3)
    for draw in (lambda: rng.normal(size=12), lambda: rng.standard_t(3, size=12)):
        hits = 0
        for _ in range(3000):
            _, lo, hi = trimmed_interval(draw(), 0.95)
            hits += lo <= 0 <= hi
        assert 0.93 <= hits / 3000 <= 0.97


def test_too_little_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="too few"):
        decide([0.1] * (MIN_PAIRS - 1), 0.01)
    with pytest.raises(ValueError, match="finite"):
        decide([0.1] * 9 + [math.nan], 0.01)
    assert half_width([0.1]) == math.inf
