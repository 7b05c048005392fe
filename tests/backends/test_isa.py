"""PyTorch held to older instructions: set before the process begins, read back from what ran, never ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import backends
from bench.backends import torch_isa
from bench.backends.isa import ISAS, NATIVE, newer, require
from bench.backends.torch_isa import environment, kernels_in
from bench.base.errors import Unsupported
from bench.export import ensure
from bench.measure.launch import Launch
from bench.plan import zoo
from bench.plan.case import Case, Network

LINES = [
    "onednn_verbose,v1,info,oneDNN v3.7.1",
    "onednn_verbose,v1,primitive,exec,cpu,convolution,jit_uni_dw:avx2,forward_inference,src,attr,alg,g64mb1,0.4",
    "onednn_verbose,v1,primitive,exec,cpu,reorder,jit:uni,undef,src_f32,dst_f32,attr,,64x64,0.1",
    "onednn_verbose,v1,primitive,exec,cpu,convolution,jit_uni_dw:avx2,forward_inference,src,attr,alg,g64mb1,0.3",
    "onednn_verbose,v1,primitive,exec,cpu,convolution,brgconv_1x1:avx512_core,forward_inference,src,attr,alg,mb1,0.3",
]


def test_an_option_is_part_of_the_case_and_of_the_worker_alone() -> None:
    held, native = (backends.resolve(spec, here=False) for spec in ("torch:isa=avx2", "torch"))
    assert held.canonical == "torch:isa=avx2"
    assert native.canonical == "torch"
    backend = backends.get("torch")
    assert backend.environment(held.options)["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert backend.environment(native.options) == {}
    assert all(environment(isa) for isa in ISAS if isa != NATIVE)
    openvino = backends.resolve("openvino:isa=sse41", here=False)
    assert backends.get("openvino").environment(openvino.options) == {"ONEDNN_MAX_CPU_ISA": "SSE41"}
    assert backends.get("onnxruntime").environment({}) == {}


def test_a_process_that_began_otherwise_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment("avx2"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    with pytest.raises(
        Unsupported, match="began without ATEN_CPU_CAPABILITY, MKL_ENABLE_INSTRUCTIONS, ONEDNN_MAX_CPU_ISA"
    ):
        require("avx2", environment("avx2"))
    require(NATIVE, {})
    for name, value in environment("avx2").items():
        monkeypatch.setenv(name, value)
    require("avx2", environment("avx2"))
    with pytest.raises(Unsupported, match="began without"):
        require("sse41", environment("sse41"))
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(Unsupported, match="x86"):
        require("avx2", environment("avx2"))


def test_newer_code_is_known_by_its_name() -> None:
    kernels = ["brgconv_avx512_1x1_f32", "jit_dw:sse41", "brgconv_avx2_dw_f32", "ref_any", "gemm:jit"]
    assert newer("avx2", kernels) == ["brgconv_avx512_1x1_f32"]
    assert newer("sse41", kernels) == ["brgconv_avx512_1x1_f32", "brgconv_avx2_dw_f32"]
    assert newer(NATIVE, kernels) == []


def test_what_onednn_names_is_read_and_newer_code_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    assert kernels_in(LINES) == ["jit_uni_dw:avx2", "brgconv_1x1:avx512_core"]
    monkeypatch.setattr(torch_isa, "onednn_kernels", lambda infer: kernels_in(LINES))
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
    told, unmet = torch_isa.read_back("avx2", lambda: None)
    assert told["cpu capability"] == "AVX2"
    assert unmet == ("oneDNN ran brgconv_1x1:avx512_core, not isa=avx2",)
    _, unmet = torch_isa.read_back("sse41", lambda: None)
    assert unmet[0] == "ATen ran AVX2, not isa=sse41"
    assert "jit_uni_dw:avx2" in unmet[1]


@pytest.mark.skipif("avx2" not in Path("/proc/cpuinfo").read_text().split(), reason="this CPU has no AVX2")
@pytest.mark.parametrize(("runtime", "key"), [("torch", "onednn kernels"), ("openvino", "kernels")])
def test_a_worker_runs_what_was_asked_and_says_so(runtime: str, key: str) -> None:
    pytest.importorskip(runtime)
    network = Network(zoo.resolve("stack/conv:c=32,groups=32,kernel=3"), resolution=32)
    artifact = ensure(network, 0)
    case = Case(network, backends.resolve(f"{runtime}:isa=avx2"))
    with Launch(case, 120.0) as launch:
        loaded = launch.load(artifact.folder, [])
        told = launch.ask("inspect", dict[str, Any])["effective"]
    assert loaded["hidden"] == []
    assert told["settings"].get("cpu capability", "AVX2") == "AVX2"
    assert "avx2" in told["settings"][key]
    assert "avx512" not in told["settings"][key]
    assert told["unmet"] == []


def test_compiled_functions_and_other_devices_are_not_held() -> None:
    assert torch_isa.held(NATIVE, eager=False) == NATIVE
    with pytest.raises(Unsupported, match="eager"):
        torch_isa.held("avx2", eager=False)
