"""Energy from counters and rails that are files, from a program that is a script, and from a plug-in on a pty."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.backends.answers import Energy
from bench.base.errors import UnknownName, Unsupported
from bench.machine import meters
from bench.measure import energies, energy
from bench.measure.measuring import Measurer
from tests.machine.test_board import machine, says

RAPL = "sys/class/powercap/intel-rapl:0"
HWMON = "sys/class/hwmon/hwmon1"
# As a Raspberry Pi 5 prints it, cut to four rails; one has no voltage.
ADC = (
    "   3V3_SYS_A current(1)=0.07905544A\n     VDD_CORE_A current(7)=2.00000000A\n     VBAT_A current(9)=0.5A\n"
    "   3V3_SYS_V volt(9)=3.30000000V\n     VDD_CORE_V volt(15)=0.75000000V\n      EXT5V_V volt(24)=5.09888000V\n"
)


class Bench:
    """A clock, and a counter file that follows it: `idle_w` always, and more while an inference runs."""

    def __init__(
        self, root: Path, idle_w: float, busy_w: float, ms: float, span_uj: int = 1 << 60, at: int = 0
    ) -> None:
        self.root, self.idle_w, self.busy_w, self.ms, self.span_uj = root, idle_w, busy_w, ms, span_uj
        self.ns, self.uj, self.moves = 0, float(at), True
        machine(root, {f"{RAPL}/name": "package-0\n", f"{RAPL}/max_energy_range_uj": str(span_uj)})
        self._write()

    def _write(self) -> None:
        machine(self.root, {f"{RAPL}/energy_uj": str(round(self.uj) % self.span_uj)})

    def _pass(self, seconds: float, watts: float) -> None:
        self.ns += round(seconds * 1e9)
        self.uj += watts * seconds * 1e6 * self.moves
        self._write()

    def infer(self) -> None:
        self._pass(self.ms / 1e3, self.busy_w)

    def sleep(self, seconds: float) -> None:
        self._pass(seconds, self.idle_w)

    def measure(self) -> Energy:
        return energy.measure(self.infer, meters.find("auto", self.root), lambda: self.ns, self.sleep)


@pytest.mark.parametrize(("idle_w", "busy_w", "ms"), [(2.0, 12.0, 5.0), (40.0, 45.0, 30.0), (0.5, 3.5, 0.8)])
def test_joules_of_an_inference_without_what_is_drawn_anyhow(
    tmp_path: Path, idle_w: float, busy_w: float, ms: float
) -> None:
    found = Bench(tmp_path, idle_w, busy_w, ms).measure()
    assert found["mj"] == pytest.approx((busy_w - idle_w) * ms, rel=0.01)
    assert found["idle_w"] == pytest.approx(idle_w, rel=0.01)
    assert (found["by"], found["why_not"]) == ("RAPL package-0", "")


def test_a_counter_that_begins_again_is_followed(tmp_path: Path) -> None:
    """It wraps while idle and while busy: at 262 kJ on a server, at 5 J here."""
    found = Bench(tmp_path, 2.0, 12.0, 5.0, span_uj=5_000_000, at=4_900_000).measure()
    assert found["mj"] == pytest.approx(50.0, rel=0.01)


def test_a_counter_that_stands_still_tells_nothing(tmp_path: Path) -> None:
    still = Bench(tmp_path, 2.0, 12.0, 5.0)
    still.moves = False
    found = still.measure()
    assert (found["mj"], found["idle_w"]) == (None, None)
    assert found["why_not"] == "RAPL package-0 stands still, or stopped telling"


def test_work_that_draws_no_more_than_idleness_is_not_told(tmp_path: Path) -> None:
    found = Bench(tmp_path, 5.0, 5.0, 5.0).measure()
    assert found["mj"] is None
    assert "no more while it runs than while it rests (5 W)" in found["why_not"]


def test_packages_are_added_up_and_their_parts_are_not(tmp_path: Path) -> None:
    files = {f"{RAPL}:0/name": "core", f"{RAPL}:0/energy_uj": "999"}
    for number, at in (("0", 10), ("1", 20)):
        zone = RAPL.replace(":0", f":{number}")
        files |= {
            f"{zone}/name": f"package-{number}",
            f"{zone}/energy_uj": str(at),
            f"{zone}/max_energy_range_uj": "100",
        }
    meter = meters.rapl(machine(tmp_path, files))
    assert (meter.name, meter.total_j()) == ("RAPL package-0, package-1", 0.0)
    machine(tmp_path, {f"{RAPL}/energy_uj": "4", f"{RAPL.replace(':0', ':1')}/energy_uj": "25"})
    assert meter.total_j() == pytest.approx((94 + 5) / 1e6)
    (tmp_path / f"{RAPL}/energy_uj").unlink()
    assert meter.total_j() is None


def test_why_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(Unsupported) as caught:
        meters.find("auto", tmp_path)
    assert "there is no RAPL here" in caught.value.message
    assert "INA3221" in caught.value.message
    machine(tmp_path, {f"{RAPL}/name": "package-0"})
    (tmp_path / f"{RAPL}/energy_uj").mkdir()  # what root, who runs the tests, cannot read either
    with pytest.raises(Unsupported, match="read by root alone") as caught:
        meters.find("auto", tmp_path)
    assert "chmod a+r" in caught.value.hint
    assert caught.value.told.endswith("until a restart)")
    with pytest.raises(UnknownName, match="no meter named 'rabl'"):
        meters.find("rabl", tmp_path)


def rails(**told: tuple[int, int]) -> dict[str, str]:
    files = {f"{HWMON}/name": "ina3221"}
    for n, (label, (mv, ma)) in enumerate(told.items(), 1):
        files |= {f"{HWMON}/in{n}_label": label, f"{HWMON}/in{n}_input": str(mv), f"{HWMON}/curr{n}_input": str(ma)}
    return files


def test_the_rails_of_a_jetson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = iter([0.0, 1.0, 3.0])
    root = machine(tmp_path, rails(VDD_IN=(5000, 1000), VDD_CPU=(5000, 400)))
    meter = meters.ina3221(root)
    assert meter.name == "INA3221 VDD_IN"
    monkeypatch.setattr(meter, "_now", lambda: next(at))
    assert meter.total_j() == 0.0
    assert meter.total_j() == pytest.approx(5.0)
    machine(root, rails(VDD_IN=(5000, 3000)))
    assert meter.total_j() == pytest.approx(5.0 + 2 * 10.0)
    parts = meters.ina3221(machine(tmp_path / "agx", rails(VDD_GPU_SOC=(5000, 1000), VDD_CPU_CV=(5000, 400))))
    assert parts.name == "INA3221 VDD_GPU_SOC + VDD_CPU_CV"


def test_the_power_chip_of_a_raspberry_pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = meters.pmic(machine(tmp_path, {"usr/bin/vcgencmd": says(ADC, "pmic_read_adc")}))
    at = iter([0.0, 2.0])
    monkeypatch.setattr(meter, "_now", lambda: next(at))
    assert meter.total_j() == 0.0
    assert meter.total_j() == pytest.approx(2 * (3.3 * 0.07905544 + 0.75 * 2.0))
    with pytest.raises(Unsupported, match="no power chip"):
        meters.pmic(machine(tmp_path / "pi4", {"usr/bin/vcgencmd": says("unknown command")}))


def answer(mj: float | None, idle_w: float | None = 2.0, why_not: str = "") -> Energy:
    return {"mj": mj, "idle_w": idle_w, "by": "RAPL package-0", "why_not": why_not}


def test_a_row_has_the_mean_of_its_launches_with_its_interval() -> None:
    told = energies.columns([answer(10.0), answer(10.4), answer(9.6), answer(None, None, "x")])
    assert told["energy_mj"] == pytest.approx(10.0, rel=0.01)
    assert told["energy_lo_mj"] < 9.6 < 10.4 < told["energy_hi_mj"]
    assert (told["energy_idle_w"], told["energy_by"]) == (2.0, "RAPL package-0")
    alone = energies.columns([answer(10.0)])
    assert (alone["energy_mj"], alone["energy_lo_mj"]) == (pytest.approx(10.0), None)
    nothing = [answer(None, None, "there is no RAPL here")]
    assert energies.columns(nothing) == {}
    assert energies.remark(nothing) == "energy is unmeasurable here: there is no RAPL here"
    assert energies.remark([]) == energies.remark([answer(1.0), *nothing]) == ""


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The meter of docs/extending.md as a plug-in, its serial line a pseudo-terminal; yields the meter's end of it."""
    page = (Path(__file__).parents[2] / "docs/extending.md").read_text()
    code = re.search(r"```python\n(# usb_meter\.py.*?)```", page, re.DOTALL)
    assert code is not None
    space: dict[str, object] = {}
    exec(code.group(1), space)
    meter, line = os.openpty()
    monkeypatch.setenv("USB_METER", os.ttyname(line))

    class Point(EntryPoint):
        def load(self) -> object:
            return space["UsbMeter"]

    point = Point("usb-meter", "usb_meter:UsbMeter", meters.GROUP)
    monkeypatch.setattr(meters, "entry_points", lambda group: [point])
    yield meter
    os.close(meter)
    os.close(line)


def test_a_meter_of_ones_own_on_a_serial_line(documented: int, monkeypatch: pytest.MonkeyPatch) -> None:
    os.write(documented, b"garbage\n5.00V 1.00A\n")
    meter = meters.find("usb-meter")
    at = iter([0.0, 1.0])
    monkeypatch.setattr(meter._total, "_now", lambda: next(at))  # type: ignore[attr-defined]
    assert meter.total_j() == 0.0
    os.write(documented, b"5.00V 3.00A\n")
    while meter._watts != 15.0:  # type: ignore[attr-defined]
        pass
    assert meter.total_j() == pytest.approx((5 + 15) / 2)
    meter.close()


def test_a_meter_that_does_not_open_says_why(documented: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USB_METER", "/nowhere/tty")
    with pytest.raises(Unsupported, match=r"the meter usb-meter does not open: .*No such file"):
        meters.find("usb-meter")


@pytest.mark.parametrize("meter", ["auto", "nvml"])
def test_the_counter_of_the_device_that_runs_it_has_a_name_like_others(meter: str) -> None:
    worker = Measurer()
    worker.streams = None
    worker.backend = SimpleNamespace(capabilities=SimpleNamespace(scripted=False))  # type: ignore[assignment]
    worker.session = SimpleNamespace(device=SimpleNamespace(energy_mj=lambda: None))  # type: ignore[assignment]
    assert "the device counts no energy" in worker.energy(meter)["why_not"]
    worker.session = SimpleNamespace(device=None)  # type: ignore[assignment]
    assert "counts no energy" not in worker.energy(meter)["why_not"]
    meters.check(meter)
