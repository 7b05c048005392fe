"""Pairs of equal sides, remembered per machine and backend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.machine import alarms
from bench.machine.environment import local

HERE = replace(local(), cpu="a machine of this test")
THERE = replace(HERE, cpu="another one")
KEY = alarms.key("openvino", 1)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path))


def test_the_latest_pairs_are_kept_for_machine_and_backend() -> None:
    alarms.remember(HERE, KEY, [0.1] * 5)
    alarms.remember(HERE, KEY, [0.2] * 5)
    assert alarms.recall(HERE, [KEY], 10) == [0.1] * 5 + [0.2] * 5
    assert alarms.recall(HERE, [KEY], 11) == []
    assert alarms.recall(THERE, [KEY], 1) == []
    alarms.remember(HERE, KEY, [0.3] * alarms.KEPT)
    assert alarms.recall(HERE, [KEY], 1) == [0.3] * alarms.KEPT


def test_two_backends_need_pairs_of_both() -> None:
    other = alarms.key("torch", 2)
    alarms.remember(HERE, KEY, [0.1] * 5)
    assert alarms.recall(HERE, [KEY, other], 3) == []
    alarms.remember(HERE, other, [0.2] * 5)
    assert alarms.recall(HERE, [KEY, other], 3) == [0.1] * 5 + [0.2] * 5
    assert alarms.recall(HERE, [KEY, KEY], 3) == [0.1] * 5


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"a": 1}', '{"a": ["x"]}'])
def test_a_damaged_memory_is_as_good_as_none(damage: str) -> None:
    alarms.path(HERE).write_text(damage)
    assert alarms.recall(HERE, [KEY], 1) == []
    alarms.remember(HERE, KEY, [0.1])
    assert alarms.recall(HERE, [KEY], 1) == [0.1]


def test_a_cache_that_cannot_be_written_costs_the_memory_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "file"))
    alarms.remember(HERE, KEY, [0.1])
