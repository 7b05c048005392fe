"""What only a device can show: run by ``make gpu``, skipped where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import backends, export
from bench.artifact.reference import relative_l2
from bench.backends.base import PARITY_TOLERANCE
from bench.backends.torch import TorchSession
from bench.machine.gpu import Gpu, find
from bench.measure.energy import per_inference_mj
from bench.measure.roofline import measure
from bench.plan import zoo
from bench.plan.case import Network, Settings
from bench.plan.protocol import RooflineProtocol
from tests.conftest import Bench

pytestmark = pytest.mark.gpu
SMALL = "shufflenetv2:width=0.5,resolution=64"
QUICK = ("--launches", "1", "--budget", "0.5", "--format", "json")
FILLS = """
import sys, torch
free, _ = torch.cuda.mem_get_info()
held, step = [], free
while step > 1 << 20:
    try:
        held.append(torch.empty(step, dtype=torch.uint8, device="cuda"))
    except torch.OutOfMemoryError:
        step //= 2
print("full", flush=True)
sys.stdin.read()
"""
HANGS = """
import torch

class Hangs(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 4, 3)
    def forward(self, x):
        if x.is_cuda:
            torch.cuda._sleep(10**15)
        return self.layer(x).mean((2, 3))

def hangs():
    return Hangs()
"""


@pytest.fixture
def loaded() -> Iterator[list[TorchSession]]:
    sessions: list[TorchSession] = []
    yield sessions
    for session in sessions:
        session.close()


def load(spec: str, loaded: list[TorchSession]):
    ref = backends.resolve(spec)
    artifact = export.ensure(Network(zoo.resolve(SMALL)))
    session = backends.session(backends.get(ref.name), artifact, Settings(), ref.options)
    loaded.append(session)
    return session, artifact


@pytest.mark.parametrize(
    ("options", "precision"),
    [
        ("", "fp32"),
        (",graph=true", "fp32"),
        (",tf32=true", "tf32"),
        (",precision=fp16", "fp16"),
        (",precision=bf16", "bf16"),
        (",precision=fp16,graph=true", "fp16"),
    ],
)
def test_what_was_asked_runs_and_computes_the_same(options: str, precision: str, loaded: list[TorchSession]) -> None:
    session, artifact = load(f"torch:device=cuda{options}", loaded)
    for _ in range(3):
        session.infer()
    told = session.effective()
    assert (told.precision, told.placement.fault(), told.unmet) == (precision, "", ())
    allowed = 1e-5 if precision == "fp32" else PARITY_TOLERANCE[precision]
    assert relative_l2(session.outputs(), artifact.reference()[1]) < allowed
    assert session.clocks.device_ns() > 0


def test_a_graph_is_launched_faster_than_its_operators(loaded: list[TorchSession]) -> None:
    """It is what graphs are for: of a network of so small operators the launches are nearly all."""
    times = []
    for options in ("", ",graph=true"):
        session, _ = load(f"torch:device=cuda{options}", loaded)
        found = []
        for _ in range(50):
            session.infer()
            found.append(session.clocks.device_ns())
        times.append(sorted(found)[25])
    assert times[1] < times[0]


def test_nvml_tells_of_this_device(loaded: list[TorchSession]) -> None:
    session, _ = load("torch:device=cuda", loaded)
    gpu = Gpu(find(0))
    if gpu.lacks:
        pytest.skip(gpu.lacks)
    session.infer()
    assert gpu.reading()["sm_mhz"] > 0
    assert gpu.facts()["driver"]
    if gpu.energy_mj() is None:
        pytest.skip("this device counts no energy")
    energy = per_inference_mj(session.infer, gpu.energy_mj)
    assert energy is not None
    assert energy > 0


def test_onnxruntime_runs_on_the_device_or_says_why(bench: Bench) -> None:
    ran = bench("run", "--model", SMALL, "--backend", "onnxruntime:device=cuda", *QUICK)
    (row,) = json.loads(ran.stdout)
    assert row["status"] in ("ok", "noisy", "downgraded", "unsupported"), row["error"]
    assert row["status"] not in ("ok", "noisy") or row["precision_effective"] == "fp32"


def test_a_device_that_is_not_there_costs_its_own_case(bench: Bench) -> None:
    backend = ("--backend", "torch:device=cuda:63", "--backend", "torch:device=cuda")
    rows = json.loads(bench("run", "--model", SMALL, *backend, *QUICK).stdout)
    assert rows[0]["status"] == "unsupported"
    assert "no CUDA device 63" in rows[0]["error"]
    assert rows[1]["status"] in ("ok", "noisy"), rows[1]["error"]
    assert rows[1]["host_ms"] > 0


def test_a_device_that_somebody_else_fills(bench: Bench) -> None:
    with subprocess.Popen([sys.executable, "-c", FILLS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"full\n"
        backend = ("--backend", "torch:device=cuda", "--backend", "torch")
        rows = json.loads(bench("run", "--model", SMALL, *backend, *QUICK).stdout)
        other.stdin.close()
    assert rows[0]["status"] == "oom", rows[0]["error"]
    assert rows[1]["status"] in ("ok", "noisy"), rows[1]["error"]


def test_a_kernel_that_hangs(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(HANGS)
    backend = ("--backend", "torch:device=cuda", "--backend", "torch")
    rows = json.loads(bench("run", "--model", "net.py:hangs", *backend, *QUICK, "--timeout", "20").stdout)
    assert rows[0]["status"] == "timeout", rows[0]["error"]
    assert rows[1]["status"] in ("ok", "noisy"), rows[1]["error"]


def test_the_device_has_a_roof() -> None:
    ref = backends.resolve("torch:device=cuda")
    found = measure(ref, 1, protocol=RooflineProtocol(most_rounds=3, stream_blocks=1))
    assert (found.precision, found.scripted) == ("fp32", False)
    assert found.device not in ("", "cpu")
    assert found.peak_gmacs_per_s > 500  # no CPU is this fast in fp32
