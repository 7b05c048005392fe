"""``torch:device=cuda`` on a scripted device: what is timed, what is read back, and what each failure says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench import backends, export
from bench.artifact.reference import relative_l2
from bench.backends.answers import Block
from bench.backends.base import PARITY_TOLERANCE
from bench.base.errors import BenchError, OutOfMemory, Unsupported, WorkerTimeout
from bench.machine.environment import local
from bench.measure.launch import Launch
from bench.measure.measuring import Measurer
from bench.measure.rows import build_row
from bench.measure.state import CaseState, LaunchRecord
from bench.plan import zoo
from bench.plan.case import Case, Network, Settings
from bench.plan.protocol import Protocol
from bench.rows.schema import Row
from tests.backends.plugins import Plugins
from tests.gpu.scripted import NAME, Script, play

pytest.importorskip("torch")
SMALL = "shufflenetv2:width=0.5,resolution=64"
OURS = [os.getpid()]


@pytest.fixture(autouse=True)
def _as_it_was():
    """Precision switches, gradients and threads are the process's; every session sets them."""
    import torch

    threads = torch.get_num_threads()
    yield
    from bench.backends.torch_switches import set_precision

    set_precision(False)
    torch.set_grad_enabled(True)
    torch.set_num_threads(threads)


def load(spec: str, script: Script, patch: pytest.MonkeyPatch):
    play(script, patch)
    ref = backends.resolve(spec)
    artifact = export.ensure(Network(zoo.resolve(SMALL)))
    return backends.session(backends.get(ref.name), artifact, Settings(), ref.options), artifact


def test_the_device_tells_the_time_and_the_host_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.backends.loop import time_block

    session, artifact = load("torch:device=cuda", Script(device_ms=0.25), monkeypatch)
    latencies, host = time_block(session.infer, 3, session.clocks.now, session.clocks.device_ns)
    assert latencies == [250_000] * 3
    assert host is not None
    assert min(host) > 0
    assert relative_l2(session.outputs(), artifact.reference()[1]) < PARITY_TOLERANCE["fp32"]
    told = session.effective()
    assert (told.device, told.precision, told.unmet, told.remarks) == (NAME, "fp32", (), ())
    assert told.settings["cuda.conv.fp32_precision"] == told.settings["cuda.matmul.fp32_precision"] == "ieee"
    assert told.settings["compute capability"] == "9.0"
    session.close()


@pytest.mark.parametrize(
    ("spec", "ran"), [("tf32=true", "tf32"), ("precision=fp16", "fp16"), ("precision=bf16", "bf16")]
)
def test_precision_is_read_back_and_asked_for(spec: str, ran: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session, artifact = load(f"torch:device=cuda,{spec}", Script(), monkeypatch)
    session.infer()
    assert session.effective().precision == ran
    ref = backends.resolve(f"torch:device=cuda,{spec}")
    assert backends.get("torch").asked_precision(artifact, ref.options) == ran
    (output,) = session.outputs()
    assert str(output.dtype) == artifact.outputs[0].dtype
    error = relative_l2([output], artifact.reference()[1])
    assert error < PARITY_TOLERANCE[ran]
    assert ran == "tf32" or error > 1e-4  # TF32 is a switch, which a CPU does not follow
    session.close()


def test_a_cpu_runs_half_precision_too(monkeypatch: pytest.MonkeyPatch) -> None:
    session, _ = load("torch:precision=bf16", Script(driver=False), monkeypatch)
    session.infer()
    told = session.effective()
    assert (told.precision, told.device, session.device) == ("bf16", "cpu", None)
    with pytest.raises(Unsupported, match="graph=true captures a CUDA graph"):
        load("torch:graph=true", Script(), monkeypatch)


def test_a_captured_graph_computes_when_it_is_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    session, artifact = load("torch:device=cuda,graph=true", Script(), monkeypatch)
    reference = artifact.reference()[1]
    assert relative_l2(session.outputs(), reference) == float("inf")  # captured is not computed
    session.infer()
    assert relative_l2(session.outputs(), reference) < PARITY_TOLERANCE["fp32"]
    assert session.effective().settings["graph"] is True
    with pytest.raises(Unsupported, match="no operators to profile"):
        session.profiler()
    session.close()


def test_a_graph_that_launches_nothing_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    session, artifact = load("torch:device=cuda,graph=true", Script(replays=False), monkeypatch)
    session.infer()
    assert relative_l2(session.outputs(), artifact.reference()[1]) == float("inf")


def test_a_network_that_cannot_be_captured_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def refuse(_: object) -> None:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore")

    play(Script(), monkeypatch)
    monkeypatch.setattr(torch.cuda, "graph", refuse)
    ref = backends.resolve("torch:device=cuda,graph=true")
    with pytest.raises(Unsupported, match="cannot be captured as a CUDA graph: CUDA error: operation not permitted"):
        backends.get("torch").load(export.ensure(Network(zoo.resolve(SMALL))), Settings(), ref.options)


@pytest.mark.parametrize(
    ("spec", "script", "error", "said"),
    [
        ("torch:device=cuda", Script(driver=False), Unsupported, "there is no NVIDIA driver here"),
        ("torch:device=cuda:3", Script(devices=2), Unsupported, "no CUDA device 3: the driver has 2"),
        ("torch:device=cuda", Script(full=True, memory_gib=(79.0, 79.1)), OutOfMemory, "79.0 of the device's 79.1 GiB"),
    ],
)
def test_each_failure_has_its_line(
    spec: str, script: Script, error: type[BenchError], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(error) as found:
        load(spec, script, monkeypatch)
    assert said in found.value.message
    assert "\n" not in found.value.message


def test_a_torch_without_cuda_is_told_from_a_machine_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    if torch.version.cuda:
        pytest.skip("this torch is built for CUDA")
    play(Script(), monkeypatch)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ref = backends.resolve("torch:device=cuda")
    with pytest.raises(Unsupported, match=f"was built without CUDA, and cannot use {NAME}"):
        backends.get("torch").load(export.ensure(Network(zoo.resolve(SMALL))), Settings(), ref.options)


def row_of(script: Script, patch: pytest.MonkeyPatch, spec: str = "torch:device=cuda", launches: int = 2) -> Row:
    """Measure on the scripted device with the worker itself, in this process, and make the row."""
    play(script, patch)
    case = Case(Network(zoo.resolve(SMALL)), backends.resolve(spec))
    state = CaseState(case, artifact=export.ensure(case.network))
    for number in range(launches):
        worker = Measurer()
        loaded = worker.load(state.artifact.folder, "torch", case.backend.options, {"threads": 1}, [], list(os.environ))
        blocks = [worker.block(3) for _ in range(2)]
        inspected = None if number else worker.inspect()
        state.take(LaunchRecord(loaded, {"n": 3}, blocks), inspected, None, 1.0, local())
    return build_row(state, Protocol(), local(), "run")


@pytest.fixture
def unpinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker in this process must not pin the tests to one core."""
    from bench.machine.cores import Pinned
    from bench.measure import measuring

    monkeypatch.setattr(measuring, "pin", lambda cores: Pinned([0], ""))


@pytest.mark.usefixtures("unpinned")
def test_a_row_tells_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    row = row_of(Script(device_ms=0.5, processes=[*OURS, 1]), monkeypatch)
    assert (row.latency_ms, row.device, row.precision_effective) == (pytest.approx(0.5), NAME, "fp32")
    assert row.host_ms is not None
    assert row.host_ms > 0
    assert (row.driver, row.power_limit_w, row.device_mhz) == ("570.86.15 (CUDA 12.8)", 700.0, 1980)
    assert (row.throttle, row.energy_mj, row.device_others) == (None, None, 1)
    assert (row.machine_speed, row.baseline, row.crowded_share, row.regime) == (None, None, None, "")
    assert row.status in ("ok", "noisy"), row.error
    assert "clock" not in (row.error or "")


@pytest.mark.usefixtures("unpinned")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        (Script(clocks=(1980, 1980, 1980, 1900, 1900, 1500)), "the device's clock moved from 1500 to 1980 MHz"),
        (Script(reasons=(0, 0, 0x40, 0)), "the device was slowed in 1 of 4 blocks (hardware thermal slowdown)"),
    ],
)
def test_a_device_that_is_restless_makes_a_noisy_row(
    script: Script, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = row_of(script, monkeypatch)
    assert (row.status, row.latency_ms) == ("noisy", pytest.approx(0.5))
    assert said in (row.error or "")


@pytest.mark.usefixtures("unpinned")
def test_without_nvml_the_row_stands_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    row = row_of(Script(nvml=False), monkeypatch)
    assert "nvidia-ml-py is not installed" in (row.remark or "")
    assert (row.driver, row.device_mhz, row.energy_mj) == (None, None, None)
    assert row.latency_ms == pytest.approx(0.5)


HANGS = """
import pytest
from bench.backends.torch import Torch
from tests.gpu.scripted import Script, play

class P(Torch):
    name = NAME
    def load(self, artifact, settings, options):
        play(Script(hangs_at=4), pytest.MonkeyPatch())
        return super().load(artifact, settings, options)
"""


def test_a_kernel_that_hangs_is_ended(plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{os.environ['PYTHONPATH']}{os.pathsep}{Path(__file__).parents[2]}")
    plugins.add("hangs", HANGS)
    case = Case(Network(zoo.resolve(SMALL)), backends.resolve("hangs:device=cuda"))
    with Launch(case, 120.0) as launch:
        launch.load(export.ensure(case.network).folder, [])
        launch._timeout_s = 1.0
        with pytest.raises(WorkerTimeout, match="did not answer 'block'"):
            launch.ask("block", Block, n=5)
    assert launch._process.poll() is not None


def test_a_process_that_the_driver_holds_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that never ends may keep its process from dying: nobody waits for ever."""
    import signal
    import subprocess

    from bench.transport import local as here

    monkeypatch.setattr(here, "END_S", 0.01)
    process = here.LocalProcess("", "bench.measure.worker", {})
    real = process._process.wait

    def stuck(timeout: float | None = None) -> int:
        assert timeout is not None
        raise subprocess.TimeoutExpired("worker", timeout)

    monkeypatch.setattr(process._process, "wait", stuck)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.close()
    real()
