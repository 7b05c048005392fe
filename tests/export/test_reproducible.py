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
SMALL = "shufflenetv2:width=0.5,resolution=64"
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


def test_a_file_tells_no_path_and_is_the_same_from_every_folder(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    found = []
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "net.py").write_text(NET)
        found.append(export.ensure(Network(zoo.resolve(f"{folder}/net.py:make"))))
    data = found[0].path.read_bytes()
    assert str(tmp_path).encode() not in data
    assert sys.prefix.encode() not in data
    assert str(ROOT).encode() not in data
    assert b"pkg.torch.onnx.name_scopes" in data  # which `bench inspect` tells the modules by
    assert found[0].path != found[1].path
    assert found[0].sha256 == found[1].sha256


def exported(text: str, cache: Path, **environment: str) -> str:
    """Export a network of the zoo in a process of its own, into a cache of its own; return its hash."""
    program = (
        "from bench import export; from bench.plan import zoo; from bench.plan.case import Network; "
        f"print(export.ensure(Network(zoo.resolve({text!r}))).sha256)"
    )
    env = os.environ | {"ISOFLOPS_CACHE": str(cache)} | environment
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_another_cpu_gives_the_same_weights(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    mine = export.ensure(Network(zoo.resolve(SMALL))).sha256
    assert exported(SMALL, tmp_path / "cache", **OTHER_CPU) == mine


def test_the_table_has_what_is_exported_here() -> None:
    """So the hashes are known without exporting: the smallest of the suite stands for all."""
    pytest.importorskip("torch")
    held(["squeezenet:version=1.1"])


@pytest.mark.slow
def test_the_table_has_every_network_of_the_suite() -> None:
    pytest.importorskip("torch")
    held(suite.resolve("devices").models)


def held(models: list[str] | tuple[str, ...]) -> None:
    for text in models:
        network = Network(zoo.resolve(text))
        artifact = export.ensure(network)
        exporter = " ".join(f"{name}={version}" for name, version in artifact.made_by.items())
        hashes = known()[str(network), 0]
        if artifact.sha256 not in hashes and exporter not in hashes.values():
            pytest.skip(f"the table knows files by {set(hashes.values())}, and this one is by {exporter}")
        assert artifact.sha256 in hashes, f"{text}: run python -m benchmarks.zoo_artifacts"
