from __future__ import annotations

from pathlib import Path

import pytest

from bench.base.errors import OutputError
from bench.devices.own import likeness, own
from bench.rows.frame import load
from tests.devices.made import network, setting
from tests.rows.rows import row, write

MODELS = {
    "mobilenetv1": 9.0,
    "mobilenetv2": 6.0,
    "shufflenetv2": 4.0,
    "shufflenetv1": 5.0,
    "mnasnet": 7.0,
    "pplcnet": 3.0,
}


def test_own_rows_by_setting_and_network(tmp_path: Path) -> None:
    rows = [row(ms, model=model, backend=b) for b in ("onnxruntime", "openvino") for model, ms in MODELS.items()]
    rows += [
        row(99.0, model="mobilenetv1", batch=8),
        row(1.0, model="net.onnx"),
        row(None, status="failed", model="resnet18"),
        row(8.0, model="mobilenetv1", started_at="2026-05-01T00:00:00+00:00"),
    ]
    found = own(load([str(write(tmp_path / "r.csv", rows))]))
    assert len(found) == 2
    assert sorted(times["mobilenetv1", 224] for times in found.values()) == [8.0, 9.0]
    assert all(("mnasnet-b1", 224) in times for times in found.values())
    assert all(len(times) == len(MODELS) for times in found.values())


def test_rows_without_a_network_of_the_zoo_say_so(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no network of the zoo"):
        own(load([str(write(tmp_path / "r.csv", [row(1.0, model="net.onnx")]))]))


def test_the_better_predictor_is_the_nearer_order() -> None:
    ours = {"here": {(_canonical(model), 224): ms for model, ms in MODELS.items()}}
    times = {network(model, model, macs=10.0 - ms): ms for model, ms in MODELS.items()}
    (same,) = likeness(ours, [setting(times)])
    assert (same.own.value, same.macs.value, same.better) == (pytest.approx(1), pytest.approx(-1), True)
    assert likeness(ours, [setting(dict(list(times.items())[:5]))]) == []


def _canonical(model: str) -> str:
    from bench.plan.zoo import canonical

    return canonical(model)
