"""What tells the energy of the device that measures: Intel's and AMD's RAPL, a Jetson's rails, a Raspberry Pi 5's PMIC.

A `Meter` is opened in the worker. It gives a running total; whoever wants the energy of some work takes the difference.
One of a person's own, say a USB meter on a serial line, is a plug-in: an entry point of the group ``bench.meters`` that
returns a `Meter` when it is called, and raises `Unsupported` with the reason where there is none
(``docs/extending.md``). Nothing is ever estimated from a CPU's rating.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol

from bench.base.errors import UnknownName, Unsupported, first_line
from bench.machine import systems
from bench.machine.sysfs import number, text

ROOT = Path("/")
GROUP = "bench.meters"
AUTO = "auto"
NVML = "nvml"  # the counter of the GPU that the session runs on, which the session itself asks (`bench.machine.gpu`)
BOARD_INPUT = "VDD_IN"  # the rail of a Jetson module that all others hang on


class Meter(Protocol):
    """What tells energy. `name` is what a row says, `every_s` the least time between two questions."""

    name: str
    every_s: float

    def total_j(self) -> float | None:
        """Return a running total in J, never falling; None where nothing is told any more."""

    def close(self) -> None:
        """Let go of it."""


class Counted:
    """The sum of counters in microjoules that each begin again from 0 at their range, as RAPL's do."""

    def __init__(self, name: str, zones: Sequence[tuple[Path, int]], every_s: float = 0.01) -> None:
        self.name, self.every_s = name, every_s
        self._zones = list(zones)
        self._last: list[int | None] = [None] * len(self._zones)
        self._total_uj = 0

    def total_j(self) -> float | None:
        """Return the sum since the first question."""
        for i, (path, span) in enumerate(self._zones):
            value, last = number(path), self._last[i]
            if value is None:
                return None
            if last is not None:
                self._total_uj += value - last + (span if value < last else 0)
            self._last[i] = value
        return self._total_uj / 1e6

    def close(self) -> None:
        """Do nothing."""


class Integrated:
    """A running total of what tells power only: between two questions it is taken to change evenly."""

    def __init__(
        self, name: str, watts: Callable[[], float | None], every_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.name, self.every_s = name, every_s
        self._watts, self._now = watts, now
        self._last: tuple[float, float] | None = None
        self._total_j = 0.0

    def total_j(self) -> float | None:
        """Ask for the power now, and add what was drawn since the last question."""
        watts, at = self._watts(), self._now()
        if watts is None:
            return None
        if self._last is not None:
            self._total_j += (at - self._last[1]) * (watts + self._last[0]) / 2
        self._last = watts, at
        return self._total_j

    def close(self) -> None:
        """Do nothing."""


def rapl(root: Path = ROOT) -> Meter:
    """Return the counters of all CPU packages; what hangs on them in turn is part of them.

    Raises:
        Unsupported: there are none, or they may not be read.
    """
    zones = [
        folder
        for folder in sorted(root.glob("sys/class/powercap/intel-rapl:*"))
        if text(folder / "name").startswith("package")
    ]
    if not zones:
        raise Unsupported("there is no RAPL here (a virtual machine's host keeps it to itself)")
    if any(number(zone / "energy_uj") is None for zone in zones):
        raise Unsupported(
            "RAPL may be read by root alone",
            "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj, until a restart",
        )
    names = ", ".join(text(zone / "name") for zone in zones)
    return Counted(f"RAPL {names}", [(zone / "energy_uj", number(zone / "max_energy_range_uj") or 0) for zone in zones])


def ina3221(root: Path = ROOT) -> Meter:
    """Return the rails of a Jetson: that of the whole module where it has one, else the sum of all.

    Raises:
        Unsupported: there is no such chip, or it tells nothing.
    """
    rails: dict[str, tuple[Path, Path]] = {}
    for folder in sorted(root.glob("sys/class/hwmon/hwmon*")):
        if text(folder / "name") != "ina3221":
            continue
        for label in sorted(folder.glob("in[0-9]*_label")):
            n = label.name.removeprefix("in").removesuffix("_label")
            volts, amperes = folder / f"in{n}_input", folder / f"curr{n}_input"
            if number(volts) is not None and number(amperes) is not None:
                rails[text(label) or n] = volts, amperes
    if not rails:
        raise Unsupported("there are no rails of an INA3221 here")
    chosen = {BOARD_INPUT: rails[BOARD_INPUT]} if BOARD_INPUT in rails else rails

    def watts() -> float | None:
        told = [(number(volts), number(amperes)) for volts, amperes in chosen.values()]  # mV and mA
        found = [mv * ma / 1e6 for mv, ma in told if mv is not None and ma is not None]
        return sum(found) if len(found) == len(told) else None

    return Integrated(f"INA3221 {' + '.join(chosen)}", watts, 0.02)


def pmic(root: Path = ROOT) -> Meter:
    """Return the rails behind a Raspberry Pi 5's power chip: the chip's own loss and what USB feeds are not in it.

    Raises:
        Unsupported: this is none, or its program does not answer.
    """

    def watts() -> float | None:
        told = systems.ask(root, "vcgencmd", "pmic_read_adc")
        found = re.findall(r"^\s*(\w+)_([AV]) \w+\(\d+\)=([0-9.]+)[AV]\s*$", told, re.MULTILINE)
        rails: dict[str, dict[str, float]] = {}
        for rail, kind, value in found:
            rails.setdefault(rail, {})[kind] = float(value)
        whole = [rail["A"] * rail["V"] for rail in rails.values() if len(rail) == 2]
        return sum(whole) if whole else None

    if watts() is None:
        raise Unsupported("there is no power chip of a Raspberry Pi 5 here")
    # A program is started for each reading, so that more of them would be what is measured.
    return Integrated("PMIC of the Raspberry Pi, all rails", watts, 0.1)


BUILT_IN: dict[str, Callable[[Path], Meter]] = {"rapl": rapl, "ina3221": ina3221, "pmic": pmic}


OURS = (AUTO, *BUILT_IN, NVML)  # what can be asked for anywhere; plug-ins come to it where they are installed


def check(name: str) -> None:
    """Raise UnknownName where a name is that of no meter: neither built in nor a plug-in of this interpreter."""
    if name not in OURS and name not in (plugged := _plug_ins()):
        raise UnknownName("meter", name, [*OURS, *plugged])


def find(name: str, root: Path = ROOT) -> Meter:
    """Open a meter by its name, or the first of those that are built in (``auto``).

    Raises:
        Unsupported: nothing here tells energy, or that one does not; the message says why.
        UnknownName: there is no such meter.
    """
    if name in BUILT_IN:
        return BUILT_IN[name](root)
    if name == NVML:
        raise Unsupported("NVML tells the energy of an NVIDIA GPU, and this runs on none", "leave the meter's name out")
    if name != AUTO:
        return _plugged(name)
    reasons: list[Unsupported] = []
    for open_ in BUILT_IN.values():
        try:
            return open_(root)
        except Unsupported as error:
            reasons.append(error)
    with_hint = next((error for error in reasons if error.hint), None)
    if with_hint is not None:
        raise with_hint
    raise Unsupported("; ".join(error.message for error in reasons))


def _plug_ins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _plugged(name: str) -> Meter:
    check(name)
    try:
        meter: Meter = _plug_ins()[name].load()()
        meter.name, meter.every_s, meter.total_j, meter.close  # noqa: B018 (what a plug-in lacks is told here)
    except Unsupported:
        raise
    except Exception as error:  # a stranger's code can raise anything
        raise Unsupported(f"the meter {name} does not open: {first_line(error)}") from error
    return meter
