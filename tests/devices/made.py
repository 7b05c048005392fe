"""Published devices for tests, made up: tables whose truth is known."""

from __future__ import annotations

import numpy as np

from bench.devices.settings import Setting
from bench.devices.transfer import Table
from bench.papers.device_records import Device, DeviceNetwork


def device(name: str, chip: str = "", core: str = "big core", little: str = "", isa: str = "arm") -> Device:
    return Device(name, chip or name, "Maker", isa, core, little, 4)


def network(name: str, model: str = "", macs: float = 100.0, mobile: bool = True, match: str = "same") -> DeviceNetwork:
    return DeviceNetwork(
        "t", name, 224, model, match if model else "", mobile, macs if model else None, None, "printed" * bool(model),
        macs if model else None, macs / 50 if model else None, macs / 10 if model else None, "",
    )  # fmt: skip


def setting(times: dict[DeviceNetwork, float], name: str = "board", **changed: object) -> Setting:
    found: dict[str, object] = {
        "table": "t", "device": device(name), "kind": "big core", "run": "", "unit": "cpu", "threads": 1, "cores": "",
        "runtime": "ncnn", "precision": "", "mode": "", "times": times,
    }  # fmt: skip
    return Setting(**(found | changed))  # type: ignore[arg-type]


def low_rank(devices: int = 30, columns: int = 8, noise: float = 0.01, seed: int = 0) -> Table:
    """Devices of three hidden traits: a speed, and two ways in which networks differ."""
    rng = np.random.default_rng(seed)
    traits = np.column_stack([rng.normal(0, 1, devices), rng.normal(0, 0.3, (devices, 2))])
    loads = np.vstack([np.ones(columns), rng.normal(0, 1, (2, columns))])
    logs = 3 + traits @ loads + rng.normal(0, noise, (devices, columns))
    found = tuple(setting({}, f"board {i}") for i in range(devices))
    return Table(tuple(f"net{k} 224 px" for k in range(columns)), logs, found)
