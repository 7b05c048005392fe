"""A scripted NVIDIA device: its driver, NVML and ``torch.cuda`` played on a machine that has none.

The network itself is computed, on the CPU. What is played is what only a device has: events, clocks, reasons, energy,
memory that is full, a kernel that hangs, graphs (which replay the operators that they have captured).
"""

from __future__ import annotations

import os
import sys
import time
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

NAME = "Scripted GPU"


@dataclass
class Script:
    """What the device does. Of a sequence each reading takes the next, and the last stands from then on."""

    devices: int = 1
    driver: bool = True
    initialised: int = 0
    nvml: bool = True
    clocks: Sequence[int] = (1980,)
    reasons: Sequence[int] = (0,)
    energy_mj: Sequence[int | None] = (None,)
    memory_gib: tuple[float, float] = (1.0, 80.0)
    processes: Sequence[int] = ()
    device_ms: float = 0.5
    full: bool = False
    hangs_at: int = 0
    replays: bool = True


def play(script: Script, patch: pytest.MonkeyPatch) -> None:
    """Put the device in the place of a real one, for as long as `patch` lasts."""
    import torch

    from bench.backends import torch_cuda
    from bench.machine import gpu

    patch.setattr(gpu, "load_driver", lambda: Driver(script))
    patch.setitem(sys.modules, "pynvml", nvml(script) if script.nvml else None)
    patch.setattr(torch_cuda, "place_of", lambda index: torch.device("cpu"))
    if script.full:
        patch.setattr(torch.nn.Module, "to", _full)
    captured: list[Graph] = []
    played: dict[str, Any] = {
        "is_available": lambda: True,
        "set_device": lambda index: None,
        "get_device_name": lambda index: NAME,
        "get_device_capability": lambda place: (9, 0),
        "empty_cache": lambda: None,
        "synchronize": lambda: None,
        "current_stream": lambda: types.SimpleNamespace(wait_stream=lambda other: None),
        "Stream": lambda: types.SimpleNamespace(wait_stream=lambda other: None),
        "stream": lambda stream: _nothing(),
        "Event": _event(script),
        "CUDAGraph": lambda: captured.append(Graph(script)) or captured[-1],
        "graph": lambda graph: graph.capture(),
    }
    for name, value in played.items():
        patch.setattr(torch.cuda, name, value)


class Driver:
    """libcuda, as far as `bench.machine.gpu` calls it; its arguments are those of ctypes."""

    def __init__(self, script: Script) -> None:
        if not script.driver:
            raise OSError("libcuda.so.1: cannot open shared object file")
        self._script = script

    def cuInit(self, flags: int) -> int:
        return self._script.initialised

    def cuGetErrorName(self, code: int, name: Any) -> int:
        name._obj.value = b"CUDA_ERROR_NO_DEVICE"
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = self._script.devices
        return 0

    def cuDeviceGet(self, device: Any, index: int) -> int:
        device._obj.value = index
        return 0

    def cuDeviceGetPCIBusId(self, text: Any, size: int, device: Any) -> int:
        text.value = f"0000:{device.value + 1:02X}:00.0".encode()
        return 0

    def cuDeviceGetName(self, text: Any, size: int, device: Any) -> int:
        text.value = NAME.encode()
        return 0


def nvml(script: Script) -> types.ModuleType:
    """Return a module with the functions of nvidia-ml-py that are called."""
    module = types.ModuleType("pynvml")

    class NVMLError(Exception):
        pass

    clocks, reasons, energy = map(following, (script.clocks, script.reasons, script.energy_mj))

    def handle(bus_id: str) -> str:
        if not bus_id.startswith("0000:"):
            raise NVMLError("Invalid Argument")
        return bus_id

    def total(_: str) -> int:
        found = energy()
        if found is None:
            raise NVMLError("Not Supported")
        return found

    used, size = (int(gib * 2**30) for gib in script.memory_gib)
    played: dict[str, object] = {
        "NVMLError": NVMLError,
        "NVML_CLOCK_SM": 1,
        "NVML_CLOCK_MEM": 2,
        "NVML_TEMPERATURE_GPU": 0,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetHandleByPciBusId": handle,
        "nvmlDeviceGetClockInfo": lambda _, kind: clocks() if kind == 1 else 2619,
        "nvmlDeviceGetMaxClockInfo": lambda _, kind: 1980,
        "nvmlDeviceGetPowerUsage": lambda _: 120_000,
        "nvmlDeviceGetTemperature": lambda _, kind: 40,
        "nvmlDeviceGetCurrentClocksThrottleReasons": lambda _: reasons(),
        "nvmlDeviceGetEnforcedPowerLimit": lambda _: 700_000,
        "nvmlDeviceGetTotalEnergyConsumption": total,
        "nvmlDeviceGetMemoryInfo": lambda _: types.SimpleNamespace(used=used, total=size),
        "nvmlSystemGetDriverVersion": lambda: "570.86.15",
        "nvmlSystemGetCudaDriverVersion": lambda: 12080,
        "nvmlDeviceGetComputeRunningProcesses": lambda _: [types.SimpleNamespace(pid=pid) for pid in script.processes],
        "nvmlDeviceGetGraphicsRunningProcesses": lambda _: [],
    }
    for name, value in played.items():
        setattr(module, name, value)
    return module


def following(values: Sequence[Any]) -> Callable[[], Any]:
    """Return what gives one value after the other, and the last one from then on."""
    left = list(values)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def _event(script: Script) -> type:
    count = [0]

    class Event:
        def __init__(self, enable_timing: bool = False) -> None:
            assert enable_timing  # else a real one has no time

        def record(self) -> None:
            pass

        def synchronize(self) -> None:
            count[0] += 1
            if count[0] == script.hangs_at:
                time.sleep(3600)

        def elapsed_time(self, end: object) -> float:
            return script.device_ms

    return Event


class Graph:
    """A CUDA graph: writes down the operators of what is captured, and runs them again into the same tensors."""

    def __init__(self, script: Script) -> None:
        self._replays = script.replays
        self._calls: list[tuple[Any, Any, Any, Any]] = []

    @contextmanager
    def capture(self) -> Iterator[None]:
        from torch.utils._python_dispatch import TorchDispatchMode

        calls = self._calls

        class Recorder(TorchDispatchMode):
            def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                out = func(*args, **(kwargs or {}))
                calls.append((func, args, kwargs or {}, out))
                return out

        with Recorder():
            yield

    def replay(self) -> None:
        import torch
        from torch.utils._pytree import tree_leaves

        if not self._replays:
            return
        for func, args, kwargs, out in self._calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(out), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def _full(module: object, *_: object, **__: object) -> None:
    import torch

    raise torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.10 GiB of which 8.12 MiB is "
        f"free. Process {os.getppid()} has 78.90 GiB memory in use."
    )


@contextmanager
def _nothing() -> Iterator[None]:
    yield
