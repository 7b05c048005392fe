"""Clock and temperature of the cores at a moment, as far as this machine tells; read between blocks, never in one."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from bench.machine.sysfs import number, text

ROOT = Path("/sys")
CPU = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "scpi_sensors")
ZONES = ("cpu", "soc", "x86_pkg", "core", "cluster")


def read(cores: Sequence[int], root: Path = ROOT) -> dict[str, float]:
    """Return `mhz`, the mean of the cores' clocks, and `celsius`, that of the hottest CPU sensor; what is not told is
    left out.
    """
    found = {}
    clocks = [number(root / f"devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq") for core in cores]
    told = [khz / 1e3 for khz in clocks if khz]
    if told:
        found["mhz"] = round(statistics.fmean(told), 1)
    degrees = [number(path) for path in _sensors(root)]
    warm = [millidegrees / 1e3 for millidegrees in degrees if millidegrees and millidegrees > 0]
    if warm:
        found["celsius"] = round(max(warm), 1)
    return found


def _sensors(root: Path) -> list[Path]:
    """Return the sensors of the CPU: those of its own driver, else zones that are named after it."""
    chips = [chip for chip in sorted(root.glob("class/hwmon/hwmon*")) if text(chip / "name") in CPU]
    own = [sensor for chip in chips for sensor in sorted(chip.glob("temp*_input"))]
    if own:
        return own
    zones = sorted(root.glob("class/thermal/thermal_zone*"))
    return [zone / "temp" for zone in zones if text(zone / "type").lower().startswith(ZONES)]
