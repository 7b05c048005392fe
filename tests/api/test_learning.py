"""What `bench doctor --learn` measures, also on the base install; and it says what it did not learn."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from bench.api import learning, measuring
from bench.measure import launch, runner
from bench.plan import protocol
from bench.plan.protocol import Protocol
from bench.rows.schema import Row


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what takes a minute one launch, without PyTorch."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *of: None if name == "torch" else find(name, *of))
    monkeypatch.setattr(learning, "RUNS", 1)
    monkeypatch.setattr(protocol, "LEARNING", Protocol(launches=1, max_launches=1, rounds=1, budget_s=1))
    monkeypatch.setattr(launch, "runtimes", lambda _: {"onnxruntime": True, "openvino": False})


def learnt() -> dict[str, str]:
    with measuring.reached("local") as (there, transport):
        return learning.learn(there, transport, 1, lambda _: None)


def test_a_device_without_pytorch_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[Row] = []
    run = runner.Runner.run

    def watched(self: runner.Runner) -> Any:
        for row in run(self):
            rows.append(row)
            yield row

    monkeypatch.setattr(runner.Runner, "run", watched)
    said = learnt()
    (row,) = rows
    assert row.latency_ms is not None, row.error
    assert row.macs is not None
    assert 20e6 < row.macs < 300e6
    assert not said or row.set_aside == 1  # a neighbour while this test ran


def test_what_was_not_learnt_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        Row(backend="onnxruntime", status="noisy", latency_ms=2.0, set_aside=1.0, error="a neighbour"),
        Row(backend="openvino", status="failed", error="it broke"),
        Row(backend="openvino", status="ok", latency_ms=2.0, set_aside=0.1),
    ]
    monkeypatch.setattr(runner.Runner, "run", lambda _: iter(rows))
    assert learnt() == {"onnxruntime": "a neighbour"}
