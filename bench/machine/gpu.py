"""An NVIDIA device, as its driver and NVML tell of it: which it is, its clocks, who else is on it, its energy.

The driver (``libcuda``) numbers devices as every runtime on CUDA does, ``CUDA_VISIBLE_DEVICES`` included; NVML numbers
them otherwise. So the driver is asked for the PCI address, through ctypes, and NVML by it. NVML is the package
nvidia-ml-py; it is imported where a session runs on CUDA and nowhere else. What cannot be told is left out.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from bench.base.errors import Unsupported, first_line

LIBRARY = "libcuda.so.1"
PATTERN = "cpu|cuda(:[0-9]{1,2})?"  # the device of a backend's spec
# Bits of NVML's clock event reasons (nvml.h) by which a device is slower than it could be; the others are idleness and
# clocks that somebody has set.
SLOWED = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}


class Reading(TypedDict, total=False):
    """What NVML tells at one moment: clocks in MHz, mW, degrees, and the bits of why the clock is what it is."""

    sm_mhz: int
    memory_mhz: int
    power_mw: int
    celsius: int
    reasons: int


class Facts(TypedDict, total=False):
    """What a row tells of the device; `others` are processes on it that this run has not started."""

    driver: str
    power_limit_w: float
    max_mhz: int
    others: int


@dataclass(frozen=True, slots=True)
class CudaDevice:
    """A device as CUDA numbers it: its number, its PCI address and its name."""

    index: int
    bus_id: str
    name: str


def index_of(device: str) -> int | None:
    """Return the number of ``cuda`` (0) or ``cuda:1``; None for ``cpu``."""
    kind, _, number = device.partition(":")
    return int(number or 0) if kind == "cuda" else None


def find(index: int) -> CudaDevice:
    """Ask the driver for a device.

    Raises:
        Unsupported: there is no driver, no device, or none of that number.
    """
    try:
        cuda = load_driver()
    except OSError as error:
        raise Unsupported(
            f"no CUDA device: there is no NVIDIA driver here ({first_line(error)})",
            "`nvidia-smi` must list the device; a container needs --gpus all",
        ) from error
    code = cuda.cuInit(0)
    if code:
        raise Unsupported(
            f"no CUDA device: the NVIDIA driver says {_error_name(cuda, code)}",
            "`nvidia-smi` must list the device; CUDA_VISIBLE_DEVICES may hide it",
        )
    count, device = ctypes.c_int(), ctypes.c_int()
    cuda.cuDeviceGetCount(ctypes.byref(count))
    if index >= count.value:
        raise Unsupported(
            f"no CUDA device {index}: the driver has {count.value}",
            f"the last is cuda:{count.value - 1}" if count.value else "CUDA_VISIBLE_DEVICES may hide it",
        )
    cuda.cuDeviceGet(ctypes.byref(device), index)
    address, name = ctypes.create_string_buffer(64), ctypes.create_string_buffer(256)
    cuda.cuDeviceGetPCIBusId(address, len(address), device)
    cuda.cuDeviceGetName(name, len(name), device)
    return CudaDevice(index, address.value.decode(), name.value.decode())


def load_driver() -> Any:
    """Load the driver's library; OSError where there is none."""
    return ctypes.CDLL(LIBRARY)


def _error_name(cuda: Any, code: int) -> str:
    name = ctypes.c_char_p()
    if cuda.cuGetErrorName(code, ctypes.byref(name)) or name.value is None:
        return f"error {code}"
    return name.value.decode()


class Gpu:
    """NVML on one device. `lacks` says in a phrase why it tells nothing, where that is so."""

    def __init__(self, device: CudaDevice) -> None:
        self.device = device
        self.lacks = ""
        self._nvml: Any = None
        try:
            import pynvml
        except ImportError:
            self.lacks = "nvidia-ml-py is not installed, so nothing tells clocks, throttling and energy"
            return
        try:
            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByPciBusId(device.bus_id)
        except pynvml.NVMLError as error:
            self.lacks = f"NVML does not answer ({first_line(error)}), so nothing tells clocks, throttling and energy"
            return
        self._nvml = pynvml

    def reading(self) -> Reading:
        """Read clocks, power, temperature and reasons; some tens of microseconds, so outside of what is timed."""
        ask, nvml = self._ask, self._nvml
        found: Reading = {}
        told: dict[str, int | None] = {
            "sm_mhz": ask(lambda handle: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
            "memory_mhz": ask(lambda handle: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)),
            "power_mw": ask(lambda handle: nvml.nvmlDeviceGetPowerUsage(handle)),
            "celsius": ask(lambda handle: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            # The older of its two names: every driver and every release of the package has it.
            "reasons": ask(lambda handle: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)),
        }
        found.update({key: int(value) for key, value in told.items() if value is not None})  # type: ignore[typeddict-item]
        return found

    def facts(self) -> Facts:
        """Tell driver, limits and other processes."""
        ask, nvml = self._ask, self._nvml
        found: Facts = {}
        driver = ask(lambda _: nvml.nvmlSystemGetDriverVersion())
        if driver is not None:
            version = ask(lambda _: nvml.nvmlSystemGetCudaDriverVersion())
            cuda = "" if version is None else f" (CUDA {version // 1000}.{version % 1000 // 10})"
            found["driver"] = (driver.decode() if isinstance(driver, bytes) else str(driver)) + cuda
        limit = ask(lambda handle: nvml.nvmlDeviceGetEnforcedPowerLimit(handle))
        if limit is not None:
            found["power_limit_w"] = limit / 1000
        fastest = ask(lambda handle: nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM))
        if fastest is not None:
            found["max_mhz"] = int(fastest)
        others = self._others()
        if others is not None:
            found["others"] = others
        return found

    def energy_mj(self) -> int | None:
        """Return the energy since the driver was loaded, in mJ; None where the device does not count it."""
        found = self._ask(lambda handle: self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        return None if found is None else int(found)

    def memory(self) -> str:
        """Say how full the device is; nothing where that is not told."""
        found = self._ask(lambda handle: self._nvml.nvmlDeviceGetMemoryInfo(handle))
        if found is None:
            return ""
        return f"{found.used / 2**30:.1f} of the device's {found.total / 2**30:.1f} GiB are in use"

    def _others(self) -> int | None:
        """Count the processes that are neither this one nor started by who started this one.

        None where this process is not among them: then they are numbered in another namespace (a container's host).
        """
        nvml = self._nvml
        computing = self._ask(lambda handle: nvml.nvmlDeviceGetComputeRunningProcesses(handle))
        drawing = self._ask(lambda handle: nvml.nvmlDeviceGetGraphicsRunningProcesses(handle))
        if computing is None:
            return None
        found = {int(process.pid) for process in (*computing, *(drawing or ()))}
        if os.getpid() not in found:
            return None
        return sum(pid != os.getpid() and parent_of(pid) != os.getppid() for pid in found)

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        """Ask NVML; None where it, this device or this release of the package does not know."""
        if self._nvml is None:
            return None
        try:
            return question(self._handle)
        except (self._nvml.NVMLError, AttributeError):
            return None


def parent_of(pid: int, proc: Path = Path("/proc")) -> int | None:
    """Return the parent of a process; None where it is not to be seen."""
    try:
        return int((proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None


def slowed(reasons: int) -> tuple[str, ...]:
    """Name what slows the device, by the bits of a reading's `reasons`."""
    return tuple(name for bit, name in SLOWED.items() if reasons & bit)
