"""What slows a CPU for want of cooling or power, as far as its system tells: boards, phones, and x86 machines.

Counters and states that are read beside every block (`Throttling`), from files alone: of the kernel's cooling devices,
of Intel's counters, of a Jetson's over-current events, of a Raspberry Pi's firmware. Programs are asked once in a
launch at most (`asked`), because to start one disturbs what is measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.machine import systems
from bench.machine.sysfs import number, text

ROOT = Path("/")
# Bits of a Raspberry Pi's `vcgencmd get_throttled`: now, and since its start.
PI = {0: "under-voltage", 1: "the clock is capped", 2: "throttled", 3: "soft temperature limit"}
SINCE = 16
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
# What of Android's thermal service lowers clocks (PowerManager.THERMAL_STATUS_*, from moderate on).
ANDROID_STATUS = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")


@dataclass
class Throttling:
    """Finds what tells of throttling once, and reads it before and after a block; some tens of microseconds each."""

    root: Path = ROOT
    cooling: list[tuple[Path, str]] = field(init=False)
    counters: list[tuple[Path, str]] = field(init=False)
    firmware: list[Path] = field(init=False)

    def __post_init__(self) -> None:
        self.cooling = [
            (folder / "cur_state", kind)
            for folder in sorted(self.root.glob("sys/class/thermal/cooling_device*"))
            if _slows(kind := text(folder / "type"))
        ]
        counts = self.root.glob("sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count")
        self.counters = [(path, "thermal throttling") for path in sorted(counts)]
        currents = self.root.glob("sys/class/hwmon/hwmon*/oc[0-9]*_event_cnt")
        self.counters += [(path, "over-current") for path in sorted(currents)]
        self.firmware = [self.root / FIRMWARE] if number(self.root / FIRMWARE, 16) is not None else []

    def reading(self) -> dict[str, int]:
        """Read every counter and state there is; what cannot be read is left out."""
        found = {}
        for path, base in [(path, 10) for path, _ in (*self.cooling, *self.counters)] + [
            (p, 16) for p in self.firmware
        ]:
            value = number(path, base)
            if value is not None:
                found[str(path)] = value
        return found

    def between(self, before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
        """Say what slowed the CPU between two readings: a state at either end, a counter that rose."""
        told = []
        for path, kind in self.cooling:
            if max(before.get(str(path), 0), after.get(str(path), 0)) > 0:
                told.append(f"cooled by {kind}")
        for path, what in self.counters:
            if after.get(str(path), 0) > before.get(str(path), after.get(str(path), 0)):
                told.append(what)
        for path in self.firmware:
            told += _pi(before.get(str(path), 0), after.get(str(path), 0))
        return sorted(set(told))


def asked(root: Path = ROOT) -> int | None:
    """Ask a Raspberry Pi's firmware where no file tells it; None where this is none."""
    if number(root / FIRMWARE, 16) is not None:
        return None
    found = re.search(r"throttled=(0x[0-9a-fA-F]+)", systems.ask(root, "vcgencmd", "get_throttled"))
    return int(found.group(1), 16) if found else None


def slowed(before: int | None, after: int | None) -> list[str]:
    """Say what slowed a Raspberry Pi at either end of a launch, or within it."""
    return sorted(set(_pi(before or 0, after or 0)))


def now(root: Path = ROOT) -> tuple[list[str], list[str]]:
    """Return what slows the CPU now, and what did since the machine's start, in phrases."""
    found = Throttling(root)
    reading = found.reading()
    current = found.between(reading, reading)
    firmware = asked(root)
    bits = [firmware] if firmware is not None else [reading[str(path)] for path in found.firmware]
    if firmware is not None:
        current += slowed(firmware, firmware)
    earlier = [f"{PI[bit]} since its start" for value in bits for bit in PI if value >> (bit + SINCE) & 1]
    rose = sum(reading.get(str(path), 0) for path, _ in found.counters)
    earlier += [f"{rose} throttling events since start"] if rose else []
    status = re.search(r"Thermal Status: (\d)", systems.ask(root, "dumpsys", "thermalservice"))
    if status and 2 <= int(status.group(1)) < len(ANDROID_STATUS):
        current.append(f"Android's thermal status is {ANDROID_STATUS[int(status.group(1))]}")
    return current, earlier


def told(root: Path = ROOT) -> bool:
    """Tell whether anything here would say that the CPU was slowed."""
    found = Throttling(root)
    return bool(found.reading()) or asked(root) is not None


def model(root: Path = ROOT) -> str:
    """Return the board's name, as its device tree has it; nothing on other machines."""
    return text(root / "proc/device-tree/model").rstrip("\0")


def _slows(kind: str) -> bool:
    """Tell whether a cooling device lowers the CPU's clock or rests it; a fan does not, and others cool others."""
    return kind.startswith(("thermal-cpufreq", "cpufreq", "cpu-", "thermal-cpuidle", "Processor", "intel_powerclamp"))


def _pi(before: int, after: int) -> list[str]:
    now = [bit for bit in PI if (before | after) >> bit & 1]
    new = [bit for bit in PI if after >> (bit + SINCE) & 1 and not before >> (bit + SINCE) & 1]
    return [PI[bit] for bit in sorted({*now, *new})]
