from __future__ import annotations

import numpy as np
import pytest

from bench.stats.alarms import DRAWS, LEAST, alarms
from bench.stats.verdict import LOOKS

RNG = np.random.default_rng(3)


def test_recorded_pairs_of_equal_sides_say_how_often_the_rule_is_wrong() -> None:
    found = alarms(RNG.normal(0, 0.008, 40).tolist(), [0.05] * 10, 0.01, LOOKS)
    assert found.recorded == 40
    assert found.equal == 0
    assert found.at_margin <= 0.01
    # The same rule with no margin: what is left is its own rate, 0.5% on either side.
    assert alarms(RNG.normal(0, 0.008, 300).tolist(), [], 0.0, LOOKS).equal == pytest.approx(0.01, abs=0.006)


def test_which_side_is_a_does_not_matter() -> None:
    """A case that is always measured slower on one side is no alarm: the sides of equal pairs are exchangeable."""
    there = alarms([0.004 + 0.001 * i for i in range(-10, 11)], [], 0.01, LOOKS)
    back = alarms([-0.004 - 0.001 * i for i in range(-10, 11)], [], 0.01, LOOKS)
    assert there.equal == pytest.approx(back.equal, abs=4 / DRAWS)


def test_few_pairs_are_no_record() -> None:
    few = [0.5] * (LEAST - 1)
    found = alarms(few, RNG.normal(0.03, 0.01, 12).tolist(), 0.01, LOOKS)
    assert found.recorded == 0
    assert (found.equal, found.at_margin) == (0, pytest.approx(0.005, abs=0.004))


def test_a_gate_is_wrong_when_fresh_pairs_are_too() -> None:
    pool = RNG.normal(0, 0.01, 100).tolist()
    once, twice = alarms(pool, [], 0.0, LOOKS), alarms(pool, [], 0.0, LOOKS, (20, 25, 30))
    assert twice.at_margin < once.at_margin / 10
