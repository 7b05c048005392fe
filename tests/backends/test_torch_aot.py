"""AOTInductor: a small network, compiled once by the C++ compiler of this machine."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench import backends, export
from bench.artifact.artifact import Artifact
from bench.backends import torch_aot
from bench.backends.testing import check
from bench.base.errors import Unsupported
from bench.machine.environment import local
from bench.plan import zoo
from bench.plan.case import Network

SPEC = "torch:compile=aot"
NET = """
from torch import nn

def build():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3, 1, 1, groups=16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )

build.resolution = 32
"""
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    pytest.importorskip("torch")
    if not (shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("no C++ compiler is installed, which AOTInductor needs")
    path = tmp_path_factory.mktemp("aot") / "net.py"
    path.write_text(NET, "utf-8")
    return export.ensure(Network(zoo.resolve(f"{path}:build")))


@pytest.mark.slow
def test_it_conforms(artifact: Artifact) -> None:
    """Parity, threads, read-back and graph, a half package, all by the conformance kit; compiled in each precision."""
    found = {one.name: one.said for one in check(SPEC, artifact).checks}
    assert found["parity"].endswith("in fp32")
    assert "net.pt2" in found["prepare"]
    assert found["graph"].endswith(f"{artifact.macs} MACs")
    assert "PyTorch cannot load the package" in found["a corrupt file"]
    assert "ahead of time" in found["profiler"]


def test_machine_code_for_another_cpu_is_refused(artifact: Artifact, tmp_path: Path) -> None:
    told = asdict(local()) | {"cpu": "Cortex-A76"}
    (tmp_path / torch_aot.MACHINE).write_text(
        json.dumps({name: str(told[name]) for name in ("arch", "cpu", "microarchitecture")}), "utf-8"
    )
    with pytest.raises(Unsupported, match="was compiled for Cortex-A76") as caught:
        torch_aot.load(replace(artifact, folder=str(tmp_path)))
    assert "bench cache clear" in caught.value.hint


def test_without_a_compiler_it_is_one_line(artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import cpp_builder

    def none() -> str:
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    with pytest.raises(Unsupported) as caught:
        backends.get("torch").prepare(artifact, backends.resolve(SPEC).options, tmp_path)
    assert caught.value.message == "AOTInductor needs a C++ compiler, and none is installed"
    assert "apt-get install g++" in caught.value.hint


def test_eager_and_compiled_need_no_conversion() -> None:
    for spec in ("torch", "torch:compile=true"):
        ref = backends.resolve(spec)
        assert backends.get("torch").converts(ref.options) is None
