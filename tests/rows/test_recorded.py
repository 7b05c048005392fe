"""The gate on recorded launches: equal nights never trip it. `benchmarks/gate_false_alarms.py` gives the figures."""

from __future__ import annotations

from pathlib import Path

from benchmarks.gate_false_alarms import experiment, recorded

RECORDED = Path(__file__).parents[2] / "results" / "xeon-vm-2core" / "aa.csv"


def test_equal_nights_do_not_trip_the_gate_and_a_slowed_case_does() -> None:
    launches = recorded(RECORDED)
    assert {len(series) for sides in launches.values() for series in sides} == {100}
    assert experiment(launches, nights=5, draws=40, slowed=0.0, night_sd=0.0, seed=5)[1] == 0
    _, tripped, _ = experiment(launches, nights=20, draws=40, slowed=0.05, night_sd=0.0, seed=6)
    assert tripped >= 34  # 98% in the long run
