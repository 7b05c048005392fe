"""A case on its way to a row."""

from __future__ import annotations

from typing import Any

import pytest

from bench.measure import state as states
from bench.measure.state import CaseState
from tests.measure.test_ratios import CASE, launches


def test_an_estimate_is_made_once_of_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    made, learn = [], states.learn

    def counted(*known: Any) -> Any:
        made.append(known)
        return learn(*known)

    monkeypatch.setattr(states, "learn", counted)
    state = CaseState(CASE, launches=launches([[0.0] * 2] * 3))
    first = state.estimate()
    assert state.estimate() is first is not None
    assert len(made) == 1
    state.launches += launches([[0.1] * 2])
    second = state.estimate()
    assert second is not None
    assert second.latency_ns > first.latency_ns
    state.restless = 3.0
    third = state.estimate()
    assert third is not None
    assert third.half_width > second.half_width
    assert len(made) == 3
