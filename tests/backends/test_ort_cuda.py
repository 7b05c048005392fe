"""``onnxruntime:device=cuda``: a build without CUDA, a provider that does not start, and what it is told to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import backends, export
from bench.artifact.reference import relative_l2
from bench.backends.base import Session
from bench.backends.ort_providers import CPU, CUDA, asked_provider, options_of
from bench.base.errors import Unsupported
from bench.machine.gpu import CudaDevice
from bench.plan import zoo
from bench.plan.case import Network, Settings
from tests.gpu.scripted import NAME, Script, play

ort = pytest.importorskip("onnxruntime")
pytest.importorskip("torch")  # the scripted device plays torch's part, too
SECOND = CudaDevice(1, "0000:02:00.0", NAME)


def load(spec: str, tiny: Path) -> tuple[Session, Any]:
    ref = backends.resolve(spec)
    artifact = export.ensure(Network(zoo.resolve(str(tiny))))
    return backends.session(backends.get("onnxruntime"), artifact, Settings(), ref.options), artifact


def test_a_build_for_the_cpu_says_so(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if CUDA in ort.get_available_providers():
        pytest.skip("this build has CUDA")
    play(Script(), monkeypatch)
    with pytest.raises(Unsupported, match="this build of onnxruntime has no CUDA") as found:
        load("onnxruntime:device=cuda", tiny)
    assert "onnxruntime-gpu" in found.value.hint
    play(Script(driver=False), monkeypatch)
    with pytest.raises(Unsupported, match="there is no NVIDIA driver here"):
        load("onnxruntime:device=cuda", tiny)


def test_a_provider_runs_where_it_was_asked_to() -> None:
    def provider(spec: str) -> str:
        return asked_provider(backends.resolve(spec).options)

    assert provider("onnxruntime") == "cpu"
    assert provider("onnxruntime:device=cuda:1") == "cuda"
    assert provider("onnxruntime:device=cuda,provider=tensorrt") == "tensorrt"
    assert provider("onnxruntime:provider=azure") == "azure"
    with pytest.raises(Unsupported) as found:
        provider("onnxruntime:provider=cuda")
    assert found.value.hint == "write device=cuda"


def test_tf32_is_off_unless_asked_for() -> None:
    """It is the default of the provider."""
    assert options_of(CUDA, SECOND, False)["use_tf32"] == "0"
    on = options_of(CUDA, SECOND, True)
    assert (on["use_tf32"], on["device_id"]) == ("1", "1")
    assert options_of(CPU, SECOND, False) == options_of(CUDA, None, False) == {}
    asked = backends.resolve("onnxruntime:device=cuda,tf32=true").options
    artifact = type("", (), {"precision": "fp32"})()
    assert backends.get("onnxruntime").asked_precision(artifact, asked) == "tf32"
    assert backends.get("onnxruntime").asked_precision(artifact, asked | {"device": "cpu"}) == "fp32"


class Played:
    """A session that has CUDA's provider, computed by the CPU's: buffers on the device are buffers of the host."""

    def __init__(self, patch: pytest.MonkeyPatch, starts: bool, tf32: str = "0") -> None:
        make, put = ort.InferenceSession, ort.OrtValue.ortvalue_from_numpy
        self.asked: list[Any] = []
        self.placed: list[tuple[str, int]] = []

        def session(model: Any, options: Any, providers: Any, enable_fallback: int) -> Any:
            assert enable_fallback == 0
            self.asked.append(providers)
            real = make(model, options, providers=[CPU])
            if starts:
                real.get_providers = lambda: [CUDA, CPU]
                real.get_provider_options = lambda: {CUDA: {"use_tf32": tf32}, CPU: {}}
            return real

        def placed(array: np.ndarray[Any, Any], kind: str = "cpu", index: int = 0) -> Any:
            self.placed.append((kind, index))
            return put(array)

        patch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
        patch.setattr(ort, "preload_dlls", lambda: None, raising=False)
        patch.setattr(ort, "InferenceSession", session)
        patch.setattr(ort.OrtValue, "ortvalue_from_numpy", staticmethod(placed))


def test_a_provider_that_does_not_start_is_no_silent_fallback(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a library of CUDA is missing, onnxruntime warns on stderr and runs everything on the CPU."""
    play(Script(), monkeypatch)
    Played(monkeypatch, starts=False)
    with pytest.raises(Unsupported, match="could not start its CUDAExecutionProvider, and would run on the CPU"):
        load("onnxruntime:device=cuda", tiny)


@pytest.mark.parametrize(("told", "ran"), [("0", "fp32"), ("1", "tf32")])
def test_buffers_lie_on_the_device_and_operators_elsewhere_are_told(
    told: str, ran: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(Script(devices=2), monkeypatch)
    played = Played(monkeypatch, starts=True, tf32=told)
    session, artifact = load("onnxruntime:device=cuda:1", tiny)
    session.infer()
    assert relative_l2(session.outputs(), artifact.reference()[1]) < 1e-5
    assert set(played.placed) == {("cuda", 1)}
    assert played.asked[0][0][0] == CUDA
    assert played.asked[0][0][1]["device_id"] == "1"
    effective = session.effective()
    assert (effective.device, effective.precision, effective.threads) == (NAME, ran, 1)
    # What it played on is the CPU's provider, and its profile says so.
    assert "Conv on CPUExecutionProvider" in effective.placement.fault()
    assert session.device is not None
    with pytest.raises(Unsupported, match="profiler"):
        session.profiler()
