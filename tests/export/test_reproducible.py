"""The same network is the same file: in any folder, on any CPU, and as the table that comes with the program says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import export
from bench.artifact.known import known
from bench.plan import suite, zoo
from bench.plan.case import Network

ROOT = Path(__file__).parents[2]
NET = """
import torch

def make():
    layers = [torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    return torch.nn.Sequential(*layers)
"""
# An old CPU for each library that PyTorch computes with, and another number of threads.
OTHER_CPU = {
    "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3", "OMP_NUM_THREADS": "1",
}  # fmt: skip


def test_a_file_tells_no_path(tmp_path: Path) -> None:
    """So it is the same file from every folder."""
    pytest.importorskip("torch")
    (tmp_path / "net.py").write_text(NET)
    data = export.ensure(Network(zoo.resolve(f"{tmp_path}/net.py:make"))).path.read_bytes()
    for path in (str(tmp_path), sys.prefix, str(ROOT), "site-packages"):
        assert path.encode() not in data
    assert b"pkg.torch.onnx.name_scopes" in data  # which `bench inspect` tells the modules by


def test_another_cpu_exports_what_the_table_has(tmp_path: Path) -> None:
    """So the hashes are known without exporting; a network with BatchNorm stands for all."""
    pytest.importorskip("torch")
    held("shufflenetv2", tmp_path / "cache", **OTHER_CPU)


@pytest.mark.slow
@pytest.mark.parametrize("model", suite.resolve("devices").models)
def test_the_table_has_every_network_of_the_suite(tmp_path: Path, model: str) -> None:
    pytest.importorskip("torch")
    held(model, tmp_path / "cache")


def held(model: str, cache: Path, **environment: str) -> None:
    """Export a network in a process of its own, into a cache of its own, and look for its hash in the table."""
    hashes = known()[str(Network(zoo.resolve(model))), 0]
    program = f"from benchmarks.zoo_artifacts import entries; print(*entries(({model!r},))[0], sep=chr(10))"
    env = os.environ | {"ISOFLOPS_CACHE": str(cache)} | environment
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    _, _, sha256, exporter = done.stdout.splitlines()
    if sha256 not in hashes and exporter not in hashes.values():
        pytest.skip(f"the table knows files by {set(hashes.values())}, and this one is by {exporter}")
    assert sha256 in hashes, f"{model}: run python -m benchmarks.zoo_artifacts"
