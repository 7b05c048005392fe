"""The report on a machine whose kernels follow the law: from files to figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.predict.table import KernelTable
from benchmarks import predict_measure, predict_networks, predict_report
from benchmarks.predict_export import append
from tests.predict.synthetic import machine

GEMM_NS = 1000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is committed of one machine: trained on eight families, held against four others and two of the zoo."""
    monkeypatch.chdir(predict_networks.ROOT)
    monkeypatch.setattr(predict_report, "BUDGETS_S", (600.0,))
    monkeypatch.setattr(predict_report, "BACKENDS", {"onnxruntime": ("outside", "zoo")})
    monkeypatch.setattr(predict_report, "GROUPS", {"f0": ("f0",), "f1": ("f1",)})
    table = machine(families=12, alone=200)
    held_out = {name for name, n in table.networks.items() if n.family in ("f8", "f9", "f10", "f11")}
    trained = KernelTable(table.context, dict(table.timings), file=tmp_path / "predict-onnxruntime.json.gz")
    trained.networks = {name: n for name, n in table.networks.items() if name not in held_out}
    theirs = {key for name in held_out for key in table.networks[name].keys}
    ours = {key for n in trained.networks.values() for key in n.keys}
    trained.timings = {k: t for k, t in table.timings.items() if k in ours or k not in theirs}
    trained.save()
    other = KernelTable(table.context, file=predict_measure.kernels_of(tmp_path, "onnxruntime"))
    asked = {n: network for n, network in table.networks.items() if n in held_out or network.family in ("f0", "f1")}
    other.timings = {k: table.timings[k] for network in asked.values() for k in network.keys}
    other.networks = {n: replace(network, latency_ns=None, macs=10**6) for n, network in asked.items()}
    other.save()
    for name, network in asked.items():
        about = {"network": name, "set": "outside" if name in held_out else "zoo", "family": network.family}
        append(tmp_path / "predict-networks.jsonl", [about | {"left_out": ""}])
        block = [round(float(network.latency_ns or 0)), GEMM_NS, 1, 9]
        row = about | {"backend": "onnxruntime", "session": 1, "sound": True, "latency_ns": block[0], "at": "2026"}
        append(tmp_path / "predict-latencies.jsonl", [row | {"launches": [[block], [block]]}])
        if name in held_out:
            again = row | {"session": 2, "launches": [[[round(block[0] * 1.02), GEMM_NS, 1, 9]]]}
            append(tmp_path / "predict-latencies.jsonl", [again])
    return tmp_path


def test_the_report_tells_a_law_from_what_knows_none(folder: Path) -> None:
    found = predict_report.evaluate(folder)
    row = {(r["set"], r["predictor"]): r for r in found["rows"]}
    assert row["outside", "bench predict"]["networks"] == 12
    assert row["zoo", "bench predict"]["networks"] == 6
    assert all(r["refused"] == 0 for r in found["rows"])
    assert row["outside", "every kernel timed"]["mape"] < 0.05  # the machine follows the law
    assert row["outside", "every kernel timed"]["mape"] < row["outside", "bench predict"]["mape"]
    assert row["outside", "bench predict"]["mape"] < row["outside", "FLOPs"]["mape"]  # all have the same MACs
    assert row["outside", "measured twice"]["mape"] == pytest.approx(0.02, abs=0.001)
    assert found["frozen"] == {"law": "was not fixed"}
    assert len(found["networks"]) == 18


def test_training_that_has_met_what_is_held_out_is_refused(folder: Path) -> None:
    trained = predict_report.read(folder / "predict-onnxruntime.json.gz")
    append(folder / "predict-networks.jsonl", [{"network": "f3-0", "set": "outside", "family": "f3", "left_out": ""}])
    assert trained.networks["f3-0"].latency_ns
    with pytest.raises(SystemExit, match="f3-0"):
        predict_report.evaluate(folder)
