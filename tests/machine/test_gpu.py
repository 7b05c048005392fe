"""A CUDA device as driver and NVML tell of it, both played by a script."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.base.errors import Unsupported
from bench.machine import gpu
from bench.machine.gpu import CudaDevice, Gpu, find, index_of, parent_of, slowed
from tests.gpu.scripted import NAME, Driver, Script, nvml

DEVICE = CudaDevice(0, "0000:01:00.0", NAME)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch):
    def play(**told: object) -> Script:
        script = Script(**told)
        monkeypatch.setattr(gpu, "load_driver", lambda: Driver(script))
        monkeypatch.setitem(sys.modules, "pynvml", nvml(script) if script.nvml else None)
        return script

    return play


def test_a_device_is_found_by_the_number_that_cuda_gives_it(scripted) -> None:
    scripted(devices=2)
    assert [index_of(text) for text in ("cpu", "cuda", "cuda:1")] == [None, 0, 1]
    assert find(1) == CudaDevice(1, "0000:02:00.0", NAME)


@pytest.mark.parametrize(
    ("told", "index", "said", "hint"),
    [
        ({"driver": False}, 0, "there is no NVIDIA driver here (libcuda.so.1: cannot open", "nvidia-smi"),
        ({"initialised": 100}, 0, "the NVIDIA driver says CUDA_ERROR_NO_DEVICE", "CUDA_VISIBLE_DEVICES"),
        ({"devices": 1}, 7, "no CUDA device 7: the driver has 1", "the last is cuda:0"),
        ({"devices": 0}, 0, "no CUDA device 0: the driver has 0", "CUDA_VISIBLE_DEVICES may hide it"),
    ],
)
def test_what_is_missing_is_one_line(scripted, told: dict[str, object], index: int, said: str, hint: str) -> None:
    scripted(**told)
    with pytest.raises(Unsupported) as found:
        find(index)
    assert found.value.message.startswith("no CUDA device")
    assert said in found.value.message
    assert hint in found.value.hint


def test_readings_and_facts(scripted) -> None:
    scripted(clocks=(1980, 1410), reasons=(0, 0x44), processes=(1, os.getpid()), energy_mj=(7,))
    device = Gpu(DEVICE)
    assert device.lacks == ""
    first, second = device.reading(), device.reading()
    assert first == {"sm_mhz": 1980, "memory_mhz": 2619, "power_mw": 120_000, "celsius": 40, "reasons": 0}
    assert (second["sm_mhz"], slowed(second["reasons"])) == (1410, ("power cap", "hardware thermal slowdown"))
    assert device.facts() == {"driver": "570.86.15 (CUDA 12.8)", "power_limit_w": 700.0, "max_mhz": 1980, "others": 1}
    assert device.energy_mj() == 7
    assert device.memory() == "1.0 of the device's 80.0 GiB are in use"


def test_idleness_and_clocks_that_somebody_has_set_slow_nothing() -> None:
    assert slowed(0x1 | 0x2 | 0x10 | 0x100) == ()


def test_what_a_device_does_not_tell_is_left_out(scripted) -> None:
    scripted()
    device = Gpu(DEVICE)
    del device._nvml.nvmlDeviceGetPowerUsage  # an older release of the package
    not_supported = device._nvml.nvmlDeviceGetTotalEnergyConsumption
    device._nvml.nvmlDeviceGetTemperature = lambda handle, kind: not_supported(handle)
    assert set(device.reading()) == {"sm_mhz", "memory_mhz", "reasons"}
    assert device.energy_mj() is None


def test_processes_of_another_namespace_are_not_counted(scripted) -> None:
    """In a container the numbers are the host's: this process has a context on the device and is not among them."""
    scripted(processes=(1,))
    assert "others" not in Gpu(DEVICE).facts()
    scripted(processes=(os.getpid(),))
    assert Gpu(DEVICE).facts()["others"] == 0


def test_without_nvml_nothing_is_told_and_why(scripted) -> None:
    scripted(nvml=False)
    device = Gpu(DEVICE)
    assert (device.reading(), device.facts(), device.energy_mj(), device.memory()) == ({}, {}, None, "")
    assert device.lacks.startswith("nvidia-ml-py is not installed")
    scripted()
    elsewhere = Gpu(CudaDevice(0, "nowhere", NAME))
    assert elsewhere.lacks.startswith("NVML does not answer (Invalid Argument)")
    assert elsewhere.reading() == {}


def test_a_parent_is_read_past_a_name_with_brackets(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text("7 (a) b) S 42 7 7 0 -1")
    assert parent_of(7, tmp_path) == 42
    assert parent_of(8, tmp_path) is None
    assert parent_of(os.getpid()) == os.getppid()


def test_what_is_called_is_in_the_package() -> None:
    """A scripted NVML would play a function that the real one does not have."""
    real = pytest.importorskip("pynvml")
    missing = [name for name in vars(nvml(Script())) if name.lower().startswith("nvml") and not hasattr(real, name)]
    assert missing == []
