"""Which machine this is: by what it stays the same, and by what not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench.machine import baseline, roofs
from bench.machine.environment import local
from bench.machine.identity import all_cores, is_machine, machine_of, system_id
from bench.predict.table import Context

HERE = local()


def test_what_is_remembered_is_remembered_under_one_name() -> None:
    name = machine_of(HERE)
    assert baseline.path(HERE).stem == name
    assert roofs.path(name).name == f"{name}.roofline.json"
    assert Context.of(HERE, "fake", "1", 1).machine == name


@pytest.mark.parametrize("changed", [{"cores": 1}, {"memory_mb": 1}, {"kernel": "9"}, {"python": "4"}, {"os": "new"}])
def test_an_update_a_limit_or_a_new_name_make_no_other_machine(changed: dict[str, object]) -> None:
    assert machine_of(replace(HERE, **changed)) == machine_of(HERE)


@pytest.mark.parametrize(
    "changed", [{"cpu": "x"}, {"cpu_id": "x"}, {"arch": "x"}, {"all_cores": 99}, {"system_id": "x"}]
)
def test_another_cpu_board_or_system_is_another_machine(changed: dict[str, object]) -> None:
    assert machine_of(replace(HERE, **changed)) != machine_of(HERE)


def test_a_process_with_fewer_cores_is_on_the_same_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    local.cache_clear()
    try:
        assert local().cores == 1
        assert machine_of(local()) == machine_of(HERE)
    finally:
        monkeypatch.undo()
        local.cache_clear()


def test_the_systems_id_is_hashed_and_the_first_that_reads(tmp_path: Path) -> None:
    assert system_id(tmp_path) == ""
    (tmp_path / "sys/class/dmi/id").mkdir(parents=True)
    (tmp_path / "sys/class/dmi/id/product_uuid").write_text("1234-ABCD\n")
    board = system_id(tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("")  # as in an image
    assert system_id(tmp_path) == board != ""
    (tmp_path / "etc/machine-id").write_text("0123456789abcdef\n")
    assert system_id(tmp_path) not in ("", board)
    assert "0123" not in system_id(tmp_path)


def test_the_machines_cores_are_those_that_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "sys/devices/system/cpu"
    folder.mkdir(parents=True)
    (folder / "present").write_text("0-3,8-11\n")
    assert all_cores(tmp_path) == 8
    assert all_cores(tmp_path / "none") == os.cpu_count()


def test_a_record_is_of_this_machine_or_an_older_one_of_this_cpu() -> None:
    assert is_machine(HERE, {"machine": machine_of(HERE)})
    cpu = {"arch": HERE.arch, "cpu": HERE.cpu, "cpu_id": HERE.cpu_id, "cores": 999}
    assert not is_machine(HERE, {"machine": "another", "environment": cpu})
    assert is_machine(HERE, {"environment": cpu})
    assert not is_machine(HERE, {"environment": cpu | {"cpu_id": "x"}})
    assert not is_machine(HERE, {})
