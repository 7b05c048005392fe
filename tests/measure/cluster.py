"""A fleet on loopback: a scheduler and devices, each a process of its own with a cache of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self


def until(true: Callable[[], Any], what: str, seconds: float = 300.0) -> Any:
    """Poll until something is true, and return it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"{what} did not come within {seconds:g} s"
        time.sleep(0.05)
    return found


class Cluster:
    """Devices by name: ``{"a": "one", "b": "one"}`` are two of the target `one`; `caches` lets several share one."""

    def __init__(self, folder: Path, devices: dict[str, str], caches: dict[str, str] | None = None, tls: str = "",
                 environment: dict[str, str] | None = None):  # fmt: skip
        self.folder, self.tls = folder, tls
        self._environment = environment or {}
        self._caches = caches or {}
        self._devices = devices
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def tls_options(self) -> list[str]:
        folder = Path(self.tls)
        return [f"--tls-{part}={folder / part}.pem" for part in ("ca", "cert", "key")] if self.tls else []

    def __enter__(self) -> Self:
        told = self.folder / "scheduler.json"
        options = [option.replace("--tls-ca=", "--tls-ca-file=") for option in self.tls_options]
        options += ["--protocol", "tls"] if self.tls else []
        self._start("scheduler", "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                    "--dashboard-address", "127.0.0.1:0", "--scheduler-file", told, *options)  # fmt: skip
        self.address = json.loads(until(lambda: told.exists() and told.read_text(), "the scheduler"))["address"]
        for name in self._devices:
            self.start(name)
        for name in self._devices:
            until(lambda name=name: "measures for" in self.log(name), f"device {name}: {self.log(name)}")
        return self

    def start(self, name: str) -> None:
        """Start a device."""
        target = self.folder / f"{self._devices[name]}.toml"
        target.write_text(f'name = "{self._devices[name]}"\n')
        self._start(name, "-m", "bench", "targets", "serve", self.address, "--target", target, "--name", name,
                    *self.tls_options)  # fmt: skip

    def _start(self, name: str, *command: object) -> None:
        cache = self.folder / f"cache-{self._caches.get(name, name)}"
        environment = os.environ | {"ISOFLOPS_CACHE": str(cache), "DASK_TEMPORARY_DIRECTORY": str(self.folder)}
        environment |= self._environment
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *map(str, command)], stdout=log, stderr=log, env=environment, cwd=self.folder
            )

    def log(self, name: str) -> str:
        """Return what a process said so far."""
        return (self.folder / f"{name}.log").read_text()

    def kill(self, name: str) -> None:
        """Kill a device as a power cut does."""
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
