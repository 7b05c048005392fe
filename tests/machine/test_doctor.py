from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.machine.doctor import CHECKS, Symptom, examine
from bench.machine.environment import emulated
from tests.conftest import Bench


def machine(root: Path, files: dict[str, str]) -> dict[str, Symptom]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {symptom.check: symptom for symptom in examine(root)}


CPU = "sys/devices/system/cpu"
SICK = {
    "governor": ({f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave\n"}, "warning"),
    "turbo": ({f"{CPU}/intel_pstate/no_turbo": "0"}, "warning"),
    "SMT siblings": ({f"{CPU}/cpu0/topology/thread_siblings_list": "0,4"}, "warning"),
    "CPU quota": ({"sys/fs/cgroup/cpu.max": "50000 100000"}, "bad"),
    "steal": ({"proc/stat": "cpu  100 0 100 1000 0 0 0 100 0 0\n"}, "warning"),
    "load": ({"proc/loadavg": "1.50 1.0 1.0 1/100 99"}, "warning"),
    "swap": ({"proc/meminfo": "SwapTotal: 1000000 kB\nSwapFree: 500000 kB\n"}, "warning"),
    "temperature": ({"sys/class/thermal/thermal_zone0/temp": "91000"}, "warning"),
    "virtualisation": ({"proc/cpuinfo": "flags\t: fpu hypervisor sse\n"}, "warning"),
}
WELL = {
    "governor": {f"{CPU}/cpu0/cpufreq/scaling_governor": "performance\n"},
    "turbo": {f"{CPU}/cpufreq/boost": "0"},
    "SMT siblings": {f"{CPU}/cpu0/topology/thread_siblings_list": "0"},
    "CPU quota": {"sys/fs/cgroup/cpu.max": "max 100000"},
    "steal": {"proc/stat": "cpu  100 0 100 1000 0 0 0 0 0 0\n"},
    "load": {"proc/loadavg": "0.05 1.0 1.0 1/100 99"},
    "swap": {"proc/meminfo": "SwapTotal: 0 kB\nSwapFree: 0 kB\n"},
    "temperature": {"sys/class/thermal/thermal_zone0/temp": "41000"},
    "virtualisation": {"proc/cpuinfo": "flags\t: fpu sse\n"},
}


@pytest.mark.parametrize("check", SICK)
def test_a_sick_machine_is_told_what_to_do(tmp_path: Path, check: str) -> None:
    files, state = SICK[check]
    found = machine(tmp_path, files)[check]
    assert found.state == state
    assert found.hint


@pytest.mark.parametrize("check", WELL)
def test_a_healthy_machine_is_left_alone(tmp_path: Path, check: str) -> None:
    found = machine(tmp_path, WELL[check])[check]
    assert (found.state, found.hint) == ("ok", "")


def test_what_cannot_be_seen_is_not_called_well(tmp_path: Path) -> None:
    states = {s.check: s.state for s in examine(tmp_path)}
    blind = set(WELL) - {"virtualisation"}
    assert {states[check] for check in blind} == {"unknown"}


def test_an_emulator_is_recognised(tmp_path: Path) -> None:
    """By the program that really runs; in an emulator itself: tests/arm."""
    assert not emulated(tmp_path)
    program = tmp_path / "proc/thread-self/exe"
    program.parent.mkdir(parents=True)
    program.symlink_to("/home/qemu-users/bin/python3")
    assert not emulated(tmp_path)
    program.unlink()
    program.symlink_to("/usr/bin/qemu-aarch64-static")
    assert emulated(tmp_path)


@pytest.mark.parametrize(
    "name", ["QEMU TCG CPU version 2.5+", "QEMU Virtual CPU version 2.5+", "VirtualApple @ 2.50GHz"]
)
def test_an_emulated_cpu_is_recognised_by_its_name(tmp_path: Path, name: str) -> None:
    machine(tmp_path, {"proc/cpuinfo": f"processor\t: 0\nmodel name\t: {name}\n"})
    assert emulated(tmp_path)


def test_the_command(bench: Bench) -> None:
    found = json.loads(bench("doctor", "--json").stdout)
    assert len(found) == len(CHECKS) + 2  # and what was learnt of its speed, and of how it repeats
    assert {row["state"] for row in found} <= {"ok", "warning", "bad", "unknown"}
    too_many = bench("doctor", "--threads", 4096)
    assert too_many.returncode == 1
    assert "at most" in too_many.stdout
