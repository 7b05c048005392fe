"""What was measured with: device, driver, torch and the host's CPU; no name of a host."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch

import bench
from bench.machine.environment import local
from bench.machine.gpu import Gpu, find
from tests.gpu.steps import REPOSITORY


def facts() -> dict[str, object]:
    """Return them, by what they are of."""
    device = Gpu(find(0))
    pinned = [line for line in (REPOSITORY / "Makefile").read_text("utf-8").splitlines() if line.startswith("TORCH")]
    host = asdict(local())
    return {
        "device": torch.cuda.get_device_name(0),
        "compute capability": ".".join(map(str, torch.cuda.get_device_capability(0))),
        "nvml": device.lacks or "answers",
        **device.facts(),
        "reading": device.reading(),
        "torch": torch.__version__,
        "torch's CUDA": torch.version.cuda,
        "cuDNN": torch.backends.cudnn.version(),
        "developed against": pinned[0].partition("?=")[2].strip(),
        "python": sys.version.split()[0],
        "isoflops": bench.__version__,
        "host": {key: host[key] for key in ("arch", "cpu", "cores", "memory_mb", "os", "kernel", "hypervisor")},
    }


if __name__ == "__main__":
    Path("facts.json").write_text(json.dumps(facts(), indent=1), "utf-8")
