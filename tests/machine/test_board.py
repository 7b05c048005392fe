"""Boards and phones made of files and of programs that are scripts: what slows them, and what they do not tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.machine import board, doctor, systems
from bench.machine.cores import kinds_of, quietest
from bench.machine.doctor import Symptom

CPU = "sys/devices/system/cpu"
SUPPLY = "sys/class/power_supply/battery"
COOLING = "sys/class/thermal/cooling_device0"


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if text.startswith("#!"):
            path.chmod(0o755)
    return root


def says(text: str, when: str = "") -> str:
    """Return a program that prints a text, where its arguments are these."""
    return f'#!/bin/sh\n[ "{when}" = "" ] || [ "$*" = "{when}" ] || exit 1\necho \'{text}\'\n'


def symptom(root: Path, check: str, threads: int = 1) -> Symptom:
    return next(one for one in doctor.examine(root, threads) if one.check == check)


# A phone with four little, three big and one prime core, as an app in a Linux userland sees it: /proc/stat,
# /proc/loadavg and thermal zones may not be read.
PHONE = {f"{CPU}/cpu{n}/cpu_capacity": str(c) for n, c in enumerate([325] * 4 + [870] * 3 + [1024])} | {
    f"{CPU}/cpu0/cpufreq/scaling_governor": "walt",
    "system/bin/getprop": says("14", "ro.build.version.release"),
    "proc/self/task/1/stat": "",
}


def test_a_phone_is_told_by_its_kinds_of_cores(tmp_path: Path) -> None:
    root = machine(tmp_path, PHONE)
    assert kinds_of(root) == [[7], [4, 5, 6], [0, 1, 2, 3]]
    assert symptom(root, "kinds of cores").state == "ok"
    many = symptom(root, "kinds of cores", threads=6)
    assert (many.state, "at most 1" in many.hint) == ("warning", True)


def test_the_fastest_cores_are_taken_where_nothing_can_be_watched(tmp_path: Path) -> None:
    """On some boards the big cores come first; an app on Android cannot see which are busy."""
    root = machine(tmp_path, {f"{CPU}/cpu{n}/cpu_capacity": "1024" if n < 2 else "400" for n in range(6)})
    assert quietest(1, list(range(6)), root) == [1]
    assert quietest(2, list(range(6)), root) == [0, 1]


def test_what_an_app_on_a_phone_cannot_see_is_said(tmp_path: Path) -> None:
    root = machine(tmp_path, PHONE)
    assert systems.untold(root) == ("stolen time and how busy other cores are", "throttling")
    found = symptom(root, "system")
    assert found.state == "warning"
    assert found.found.startswith("Android 14 does not tell stolen time")
    assert symptom(root, "governor").hint.startswith("a phone's stays as it is")
    assert symptom(root, "power").state == "unknown"


@pytest.mark.parametrize(
    ("files", "state", "told"),
    [
        ({"system/bin/settings": says("1", "get global low_power")}, "bad", "battery saver"),
        ({f"{SUPPLY}/type": "Battery", f"{SUPPLY}/status": "Discharging"}, "warning", "on battery"),
        ({f"{SUPPLY}/type": "Battery", f"{SUPPLY}/status": "Charging"}, "ok", "charger"),
        ({"sys/class/power_supply/ac/type": "Mains", "sys/class/power_supply/ac/online": "1"}, "ok", "no battery"),
    ],
)  # fmt: skip
def test_power(tmp_path: Path, files: dict[str, str], state: str, told: str) -> None:
    found = symptom(machine(tmp_path, files), "power")
    assert (found.state, told in found.found) == (state, True)


@pytest.mark.parametrize(
    ("files", "state", "told"),
    [
        ({f"{COOLING}/type": "thermal-cpufreq-0", f"{COOLING}/cur_state": "3"}, "bad", "cooled by thermal-cpufreq-0"),
        ({f"{COOLING}/type": "thermal-cpufreq-0", f"{COOLING}/cur_state": "0"}, "ok", "none"),
        ({f"{COOLING}/type": "pwm-fan", f"{COOLING}/cur_state": "3"}, "unknown", "nothing here tells"),
        ({"usr/bin/vcgencmd": says("throttled=0x50005", "get_throttled")}, "bad", "throttled; under-voltage"),
        ({"usr/bin/vcgencmd": says("throttled=0x50000", "get_throttled")}, "warning", "under-voltage since its start"),
        ({"usr/bin/vcgencmd": says("throttled=0x0", "get_throttled")}, "ok", "none"),
        ({board.FIRMWARE: "8"}, "bad", "soft temperature limit"),
        ({f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "7"}, "warning", "7 throttling events"),
        ({"system/bin/dumpsys": says("Thermal Status: 3", "thermalservice")}, "bad", "thermal status is severe"),
        ({"system/bin/dumpsys": says("Thermal Status: 0", "thermalservice")}, "unknown", "nothing here tells"),
    ],
)
def test_throttling(tmp_path: Path, files: dict[str, str], state: str, told: str) -> None:
    found = symptom(machine(tmp_path, files), "throttling")
    assert (found.state, told in found.found) == (state, True), found
    assert bool(found.hint) == (state in ("bad", "warning"))


def test_a_jetson_is_asked_to_fix_its_clocks(tmp_path: Path) -> None:
    clocks = {
        f"{CPU}/cpu0/cpufreq/scaling_governor": "schedutil",
        f"{CPU}/cpu0/cpufreq/scaling_min_freq": "729600",
        f"{CPU}/cpu0/cpufreq/scaling_max_freq": "1984000",
        "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
    }
    assert "jetson_clocks" in symptom(machine(tmp_path, clocks), "governor").hint
    fixed = machine(tmp_path, {f"{CPU}/cpu0/cpufreq/scaling_min_freq": "1984000"})
    assert "jetson_clocks" not in symptom(fixed, "governor").hint


def test_a_block_is_told_what_slowed_it(tmp_path: Path) -> None:
    counter, events = f"{CPU}/cpu1/thermal_throttle/core_throttle_count", "sys/class/hwmon/hwmon2/oc1_event_cnt"
    state = f"{COOLING}/cur_state"
    root = machine(
        tmp_path, {f"{COOLING}/type": "cpufreq-cpu0", state: "0", counter: "5", events: "1", board.FIRMWARE: "0"}
    )
    watch = board.Throttling(root)
    calm = watch.reading()
    assert watch.between(calm, watch.reading()) == []
    machine(root, {counter: "6"})
    assert watch.between(calm, watch.reading()) == ["thermal throttling"]
    machine(root, {counter: "5", events: "2", state: "1"})
    assert watch.between(calm, watch.reading()) == ["cooled by cpufreq-cpu0", "over-current"]
    machine(root, {events: "1", state: "0", board.FIRMWARE: "40000"})  # throttled in between, and not any more
    assert watch.between(calm, watch.reading()) == ["throttled"]
    assert watch.between(watch.reading(), watch.reading()) == []
    (root / state).unlink()
    assert watch.between(calm, watch.reading()) == ["throttled"]


def test_a_firmware_that_only_a_program_tells_of_is_asked_once_in_a_launch(tmp_path: Path) -> None:
    root = machine(tmp_path, {"usr/bin/vcgencmd": says("throttled=0x50000", "get_throttled")})
    assert board.asked(root) == 0x50000
    assert board.asked(machine(tmp_path / "other", {"etc/x": ""})) is None
    assert board.slowed(0x50000, 0x50000) == []
    assert board.slowed(0x50000, 0xD0008) == ["soft temperature limit"]
    assert board.asked(machine(tmp_path, {board.FIRMWARE: "0"})) is None  # a file tells it beside every block
