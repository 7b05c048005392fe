"""What is said of predictions: their order, and what stands beside a measurement."""

from __future__ import annotations

import math
import sys

import pytest

from bench import backends
from bench.plan import zoo
from bench.plan.case import cross
from bench.predict import beside as side
from bench.predict.beside import beside, told
from bench.predict.predictor import Prediction, Sums
from bench.predict.ranking import apart, statement
from bench.rows.schema import Row
from bench.transport.local import LocalTransport
from tests.predict.synthetic import machine

SUMS = Sums(1e6, 0.0, 0.0, 0.0, 0.0, 10, 0.0, 0, 0.0, ())


def predicted(ms: float, half: float | None = 0.1) -> Prediction:
    if half is None:
        return Prediction(ms * 1e6, None, None, SUMS)
    return Prediction(ms * 1e6, ms * 1e6 * math.exp(-half), ms * 1e6 * math.exp(half), SUMS)


def test_two_are_told_apart_beyond_what_both_may_be_wrong() -> None:
    assert apart(predicted(1.0), predicted(1.2))  # log 0.18 against 0.14
    assert not apart(predicted(1.0), predicted(1.1))
    assert not apart(predicted(1.0), predicted(1.2, half=0.3))
    assert not apart(predicted(1.0), predicted(9.0, half=None))


def test_the_statement_counts_pairs_and_names_those_that_are_not_told_apart() -> None:
    found = [("a", predicted(1.0)), ("b", predicted(1.05)), ("c", predicted(2.0))]
    assert statement(found) == "2 of 3 pairs are told apart at 90%; not a and b"
    assert statement(found[1:]) == "1 of 1 pair is told apart at 90%"


def test_a_row_far_from_its_prediction_is_flagged_and_a_near_one_is_not() -> None:
    row = Row(model="net", backend="onnxruntime", latency_ms=1.1)
    assert told(row, predicted(1.0)) == "net on onnxruntime: predicted 1 ms (0.905 ms to 1.11 ms), measured 1.1 ms"
    assert told(row, predicted(2.0)).endswith("far outside, a mistake in one of them")
    assert "operators unknown" in told(row, predicted(1.0, half=None))


def test_a_table_of_another_installation_costs_a_measurement_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained with everything installed, read by the base install, which has the same cache."""
    plan = cross([zoo.resolve("shufflenetv2")], [backends.resolve("onnxruntime")])
    row = Row(case_id=plan.cases[0].id, model="shufflenetv2", backend="onnxruntime", status="ok", latency_ms=1.0)
    table = machine()
    table.calibration = [{"network": "net", "family": "f0", "seen": 0.01, "unsure": 0.0}]
    monkeypatch.setattr(side, "recall", lambda context: table)
    for lacks in ("sklearn.ensemble", "scipy.optimize"):
        monkeypatch.setitem(sys.modules, lacks, None)
    assert beside(plan, [row], LocalTransport(), [0], lambda text: None) == []
