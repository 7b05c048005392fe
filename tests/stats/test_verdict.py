from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats import verdict as rule
from bench.stats.robust import dependence, trimmed, trimmed_interval
from bench.stats.verdict import DECIDED, LOOKS, MIN_PAIRS, decide, decided, verdicts, zone

values = st.lists(st.floats(min_value=-1, max_value=1), min_size=MIN_PAIRS, max_size=40)
DELTA = math.log(1.01)


def slow_trimmed(x: list[float]) -> tuple[float, float]:
    """Trimmed mean and its standard error, by hand."""
    x = sorted(x)
    cut = int(0.1 * len(x))
    middle = x[cut : len(x) - cut]
    pulled = [middle[0]] * cut + middle + [middle[-1]] * cut
    mean = sum(pulled) / len(pulled)
    sd = math.sqrt(sum((v - mean) ** 2 for v in pulled) / (len(pulled) - 1))
    return sum(middle) / len(middle), sd / (len(middle) / len(x)) / math.sqrt(len(x))


@given(values)
def test_equals_the_slow_version_and_scipy(x: list[float]) -> None:
    from scipy import stats

    mean, error = slow_trimmed(x)
    centre, found, _ = trimmed(np.array([x, x]))
    assert centre == pytest.approx([mean, mean], abs=1e-12)
    assert centre[0] == pytest.approx(stats.trim_mean(x, 0.1), abs=1e-12)
    assert found == pytest.approx([error, error], abs=1e-12)


@given(values, st.floats(min_value=-0.5, max_value=0.5))
def test_moves_with_the_data(x: list[float], shift: float) -> None:
    plain, moved = trimmed_interval(x, 0.95), trimmed_interval([v + shift for v in x], 0.95)
    assert [m - shift for m in moved] == pytest.approx(list(plain), abs=1e-9)


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
        (0.016, 0.012, "changed below threshold"),
        (0.03, 0.3, "inconclusive"),
    ],
)
def test_verdicts(centre: float, spread: float, verdict: str) -> None:
    x = centre + spread * np.random.default_rng(1).permutation(np.linspace(-1.5, 1.5, 30))
    assert decide(list(x), 0.01).verdict == verdict


@given(st.floats(-0.1, 0.1), st.floats(0, 0.1), st.floats(1, 2), st.floats(0, 0.05))
def test_zones_meet_and_never_overlap(centre: float, shown: float, wider: float, margin: float) -> None:
    """Whatever a change is, it lies in one zone: nothing beyond the margin is equivalent, nothing within it slower."""
    d, sure = math.log1p(margin), shown * wider
    said = str(zone((centre - sure, centre + sure), (centre - shown, centre + shown), margin))
    if said == "equivalent":
        assert abs(centre) <= d
    if said in ("slower", "faster"):
        assert abs(centre) > d
        assert (centre > 0) == (said == "slower")


@pytest.mark.parametrize("true", [1.000, 1.005, 1.010, 1.015, 1.020])
def test_no_change_is_called_either_by_chance(true: float) -> None:
    rng = np.random.default_rng(8)
    said, _ = verdicts(math.log(true) + rng.normal(0, 0.008, (4000, 30)), 0.01)
    slower, equal = (float((said == word).mean()) for word in ("slower", "equivalent"))
    assert min(slower, equal) <= 0.007
    if true <= 1.01:
        assert slower <= 0.007  # 0.5% and the chance of 4000 draws
    if true >= 1.01:
        assert equal <= 0.035
    if true == 1.02:
        assert slower >= 0.99


@pytest.mark.parametrize("noise", ["normal", "wild", "skewed"])
def test_false_alarms_just_at_the_margin(noise: str) -> None:
    rng = np.random.default_rng(9)
    x = rng.normal(0, 0.008, (8000, 30))
    if noise == "wild":
        x = np.where(rng.random(x.shape) < 0.1, rng.normal(0, 0.1, x.shape), x)
    if noise == "skewed":
        x = (rng.lognormal(0, 0.5, x.shape) - 1) * 0.012  # its trimmed mean is the truth it is judged by
        x -= trimmed(rng.permutation(x.ravel())[None])[0]
    said, _ = verdicts(DELTA + x, 0.01)
    assert (said == "slower").mean() <= 0.0065
    assert np.isin(verdicts(x, 0.01)[0], ("slower", "faster")).mean() == 0


@given(st.floats(-0.03, 0.03), st.floats(0.001, 0.02), st.integers(0, 10**6))
def test_a_verdict_stands_whatever_more_pairs_say(centre: float, sd: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(centre, sd, 30).tolist()
    for n in LOOKS:
        if decided(x[:n], 0.01):
            then = decide(x[:n], 0.01)
            assert then.verdict in DECIDED
            contrary = [*x[:n], *rng.normal(-10 * centre, sd, 30 - n)]
            assert decide(contrary, 0.01) == then
            assert decide([*x, *x], 0.01) == then
            break


def test_many_are_judged_as_one_is() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(rng.choice([0.0, 0.01, 0.02], (300, 1)), rng.choice([0.003, 0.01], (300, 1)), (300, 30))
    said, used = verdicts(x, 0.01)
    one_by_one = [decide(row.tolist(), 0.01) for row in x]
    assert said.tolist() == [found.verdict for found in one_by_one]
    assert used.tolist() == [found.pairs for found in one_by_one]
    assert len(set(said.tolist())) >= 3


def test_the_printed_interval_belongs_to_the_rule() -> None:
    """It covers at all looks together: also for who stops because of what it says."""
    rng = np.random.default_rng(4)
    hits = 0
    for row in rng.normal(0.006, 0.008, (600, 30)):
        found = decide(row.tolist(), 0.01)
        hits += found.lo <= math.exp(0.006) <= found.hi
        if found.verdict == "equivalent":
            assert -DELTA <= math.log(found.lo) < math.log(found.hi) <= DELTA
        if found.verdict == "slower":
            assert math.log(found.lo) > DELTA
    assert hits / 600 >= 0.95


def test_wild_pairs_do_not_move_the_verdict() -> None:
    calm = list(np.random.default_rng(0).permutation(np.linspace(-0.004, 0.004, 27)))
    assert decide([*calm, 0.24, 0.24, -0.3], 0.01).verdict == "equivalent"


def alike(rng: np.random.Generator, by: float, shape: tuple[int, int]) -> np.ndarray:
    """First-order autoregressive noise of standard deviation one."""
    x = rng.normal(size=shape)
    for i in range(1, shape[1]):
        x[:, i] = by * x[:, i - 1] + math.sqrt(1 - by**2) * x[:, i]
    return x


def test_pairs_that_are_alike_widen_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    assert (dependence(rng.normal(size=(4000, 30))) > 1).mean() <= 0.08
    assert dependence(np.tile([1.0, 1.0, -1.0, -1.0], 7)[None]).item() == 1.0  # neighbours that are no more alike
    assert dependence(np.ones((1, 12))).item() == 1.0
    x = DELTA + 0.008 * alike(rng, 0.6, (4000, 30))
    assert (dependence(x) > 1).mean() >= 0.7
    with_it = (verdicts(x, 0.01)[0] == "slower").mean()
    monkeypatch.setattr(rule, "dependence", lambda values: np.ones(values.shape[0]))
    without = (verdicts(x, 0.01)[0] == "slower").mean()
    assert with_it < without / 2


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
    with pytest.raises(ValueError, match="no interval"):
        trimmed_interval([0.1], 0.95)
