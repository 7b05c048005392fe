"""Floors of rows that were measured before the roofline: filled in where the row says all, and never another's."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

from bench.machine import roofs
from bench.machine.environment import local
from bench.measure.rows import floor_ns
from bench.rows.seal import SEAL
from benchmarks import fill_floors
from tests.measure.test_roofline import roof
from tests.rows.rows import row, write

CPU = local().cpu_id


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "cache"))
    roofs.remember(local(), roof(backend="onnxruntime", version="1.0"))


def rows(tmp_path: Path, **changed: object) -> list[dict[str, str]]:
    told = {"cpu_id": CPU, "macs_executed": 4_000_000, "artifact_sha256": "a"} | changed
    path = write(tmp_path / "r.csv", [row(1.0, **told)])
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def test_an_empty_floor_is_that_of_artifact_and_roofline(tmp_path: Path, tiny: Path, known: None) -> None:
    (found,) = there = rows(tmp_path)
    assert fill_floors.fill(there, local(), {"a": tiny}) == (1, [])
    assert float(found["floor_ms"]) == pytest.approx(floor_ns(tiny, roof()) / 1e6, rel=1e-4)
    assert float(found["attainable_share"]) == pytest.approx(4_000_000 / 50 / 1e6)
    assert fill_floors.fill(there, local(), {"a": tiny}) == (0, [])  # and it is the check of the next time


@pytest.mark.parametrize(
    "changed",
    [
        {"cpu_id": "another"}, {"artifact_sha256": "b"}, {"status": "mismatch"}, {"batch": 8}, {"macs_executed": None},
        {"precision_effective": "bf16"}, {"backend_version": "2.0"}, {"threads_effective": 2},
    ],
)  # fmt: skip
def test_what_the_roofline_is_not_of_stays_empty(
    tmp_path: Path, tiny: Path, known: None, changed: dict[str, object]
) -> None:
    (found,) = there = rows(tmp_path, **changed)
    assert fill_floors.fill(there, local(), {"a": tiny}) == (0, [])
    assert found["floor_ms"] == ""


def test_a_sealed_row_is_left_alone(tmp_path: Path, tiny: Path, known: None) -> None:
    (found,) = there = rows(tmp_path)
    found[SEAL] = "0" * 64
    assert fill_floors.fill(there, local(), {"a": tiny}) == (0, [])


def test_a_floor_of_another_roofline_stops_it(
    tmp_path: Path, tiny: Path, known: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "two.csv", [
        row(1.0, model=model, cpu_id=CPU, macs_executed=4_000_000, artifact_sha256="a", floor_ms=floor)
        for model, floor in (("told", 9.0), ("empty", None))
    ])  # fmt: skip
    before = path.read_bytes()
    monkeypatch.setattr(fill_floors, "artifacts", lambda: {"a": tiny})
    monkeypatch.setattr(sys, "argv", ["fill_floors", str(path)])
    assert fill_floors.main() == 1
    assert "told on onnxruntime: 9 ms in the row" in capsys.readouterr().err
    assert path.read_bytes() == before
