"""What a runtime says of itself, against what it did: threads, compilation, buffers, precision, what hides work."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from bench import backends, export
from bench.artifact.artifact import Artifact, TensorInfo
from bench.backends.answers import Closed, Inspected
from bench.backends.base import Operator
from bench.backends.buffers import unwritten
from bench.backends.ov_graph import attention_macs, precision_of, product_macs
from bench.backends.ran import precision_of as precision_ran
from bench.backends.ran import settle
from bench.measure.launch import Launch
from bench.measure.readback import fault_of
from bench.plan import zoo
from bench.plan.case import Case, Network, Settings
from tests.backends import networks

SMALL = "shufflenetv2:width=0.5,resolution=64"
"""A network of the zoo that is small, and whose operators are still worth sharing."""


def wrapper(folder: Path, **settings: str) -> str:
    """Return an interpreter that sets what the environment of a worker is rid of."""
    path = folder / "python"
    text = " ".join(f"{name}={value}" for name, value in settings.items())
    path.write_text(f'#!/bin/sh\n{text} exec {sys.executable} "$@"\n')
    path.chmod(0o755)
    return str(path)


def inspected(backend: str, threads: int = 1) -> tuple[tuple[str, str] | None, dict[str, Any]]:
    """Launch a worker, run two inferences, and return the verdict on what it reads back."""
    case = Case(Network(zoo.resolve(SMALL)), backends.resolve(backend), Settings(threads=threads))
    artifact = export.ensure(case.network)
    with Launch(case, 300.0) as launch:
        loaded = launch.load(artifact.folder, [])
        found = launch.ask("inspect", Inspected)
    return fault_of(case, artifact, loaded["parity_rel_l2"], found), found


@pytest.mark.parametrize("setting", ["OMP_THREAD_LIMIT=1", "OMP_MAX_ACTIVE_LEVELS=0"])
def test_threads_that_openmp_withholds_are_missed(tmp_path: Path, setting: str) -> None:
    pytest.importorskip("torch")
    name, _, value = setting.partition("=")
    fault, found = inspected(f"torch:python={wrapper(tmp_path, **{name: value})}", threads=2)
    assert found["effective"]["threads"] == 1
    assert fault == ("downgraded", "ran with 1 thread, not with 2")


def test_threads_that_compute_are_counted() -> None:
    pytest.importorskip("torch")
    fault, found = inspected("torch", threads=2)
    assert fault is None
    assert (found["effective"]["threads"], found["busy_threads"]) == (2, 2)


@pytest.mark.parametrize("name", ["TORCHDYNAMO_DISABLE", "TORCH_COMPILE_DISABLE"])
def test_compilation_that_is_switched_off_is_told(tmp_path: Path, name: str) -> None:
    pytest.importorskip("torch")
    fault, found = inspected(f"torch:compile=true,python={wrapper(tmp_path, **{name: '1'})}")
    assert found["effective"]["settings"]["compile"] == "false"
    assert fault is not None
    assert fault[0] == "downgraded"
    assert "torch.compile compiled 0 of 0 functions" in fault[1]


def test_compilation_that_fails_quietly_is_told(tmp_path: Path) -> None:
    """Without a C++ compiler, and with errors suppressed, eager code runs."""
    pytest.importorskip("torch")
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    settings = {"TORCHDYNAMO_SUPPRESS_ERRORS": "1", "CXX": "/nowhere/c++", "TORCHINDUCTOR_CACHE_DIR": str(nothing)}
    fault, _ = inspected(f"torch:compile=true,python={wrapper(tmp_path, **settings)}")
    assert fault is not None
    assert "the rest ran uncompiled" in fault[1]


def test_the_environment_of_a_shell_reaches_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    for name, value in (("OMP_THREAD_LIMIT", "1"), ("ATEN_CPU_CAPABILITY", "default")):
        monkeypatch.setenv(name, value)
    fault, found = inspected("torch", threads=2)
    assert fault is None
    assert found["effective"]["threads"] == 2


@pytest.mark.parametrize(
    ("options", "threads", "told"), [("", 2, 0), (":spinning=false", 2, 1), (":spinning=false", 1, 0)]
)
def test_threads_that_do_not_spin_are_told(tiny: Path, options: str, threads: int, told: int) -> None:
    """Its default is what people deploy; at one thread there is nothing to wait for."""
    case = Case(Network(zoo.resolve(str(tiny))), backends.resolve(f"onnxruntime{options}"), Settings(threads=threads))
    runtime = backends.get(case.backend.name)
    session = backends.session(runtime, export.ensure(case.network), case.settings, case.backend.options)
    remarks = session.effective().remarks
    assert len(remarks) == told
    assert all("do not spin" in remark for remark in remarks)


def test_onnxruntime_sends_and_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where the reference is made nor where it is measured."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    onnx.save(networks.strided_1x1(), tmp_path / "net.onnx")
    case = Case(Network(zoo.resolve(str(tmp_path / "net.onnx"))), backends.resolve("onnxruntime"))
    with Launch(case, 300.0) as launch:
        launch.load(export.ensure(case.network).folder, [])
        launch.ask("close", Closed)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "net.onnx"]


def artifact(outputs: tuple[TensorInfo, ...] = (), macs: int = 100, uncounted: tuple[str, ...] = ()) -> Artifact:
    blank: dict[str, Any] = dict.fromkeys(("folder", "model", "kind", "onnx", "sha256", "reference_by"), "")
    return Artifact(
        **blank, bytes=0, inputs=(), outputs=outputs, batch=1, resolution=None, precision="fp32", macs=macs, params=0,
        mac_ops=(), uncounted=uncounted, made_by={}, seed=0,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint8", "int32", "bool"])
def test_no_buffer_begins_as_its_reference(dtype: str) -> None:
    wanted = np.array([[0, 1, 1], [0, 0, 1]], dtype)
    (buffer,) = unwritten(artifact((TensorInfo("y", dtype, (2, 3)),)), [wanted])
    assert (buffer.dtype, buffer.shape) == (wanted.dtype, wanted.shape)
    assert not np.any(buffer == wanted)
    (probe,) = unwritten(artifact((TensorInfo("y", dtype, (2, 3)),)), [])
    assert probe.shape == (2, 3)


def test_work_hides_only_where_some_is_missing() -> None:
    whole = [Operator("a", "Conv", macs=100), Operator("b", "Piece")]
    part = [replace(whole[0], macs=60), whole[1]]
    assert not any(op.opaque for op in settle(whole, {1}, artifact()))
    assert [op.opaque for op in settle(part, {1}, artifact())] == [False, True]
    assert not any(op.opaque for op in settle(part, set(), artifact()))
    assert [op.opaque for op in settle(whole, {1}, artifact(uncounted=("LSTM",)))] == [False, True]


def test_the_precision_that_ran_is_that_of_most_macs_or_unknown() -> None:
    conv = Operator("a", "Conv", macs=60, precision="fp32")
    assert precision_ran([conv, Operator("b", "Conv", macs=90, precision="int8")]) == "int8"
    assert precision_ran([conv, Operator("b", "Piece", precision="fp32", opaque=True)]) == "fp32"
    assert precision_ran([conv, Operator("b", "Piece", precision="int8", opaque=True)]) == "unknown"
    assert precision_ran([Operator("b", "Piece", precision="int8", opaque=True)]) == "int8"
    assert precision_ran([Operator("b", "Piece", opaque=True)]) == "unknown"
    assert precision_ran([Operator("b", "Relu", precision="fp32"), Operator("c", "Shape", precision="i64")]) == "fp32"
    assert precision_ran([]) == "unknown"


@pytest.mark.parametrize(
    ("implementation", "tensors", "precision"),
    [
        ("brgconv_avx512_f32", "i8", "fp32"),
        ("brgconv_avx512_amx_1x1_i8", "i8", "int8"),
        ("jit_avx512_dw_bf16", "bf16", "bf16"),
        ("unknown_f16", "f32", "fp16"),
        ("", "f32", "fp32"),
    ],
)
def test_openvinos_precision_is_that_of_the_implementation(implementation: str, tensors: str, precision: str) -> None:
    assert precision_of({"primitiveType": implementation, "runtimePrecision": tensors}) == precision


def test_products_and_attentions_are_counted_by_their_shapes() -> None:
    assert product_macs((2, 3, 5), (2, 3, 7)) == 2 * 3 * 5 * 7
    assert product_macs((2, 5, 3), (2, 3, 7)) == 2 * 3 * 5 * 7  # transposed
    assert product_macs((5,), (7,)) == 35
    assert product_macs((1, 784), (1, 10)) == 7840
    assert attention_macs((1, 3, 197, 64), (1, 3, 197, 64), (1, 3, 197, 64)) == 2 * 3 * 197 * 197 * 64
    assert attention_macs((1, 8, 10, 16), (1, 2, 30, 16), (1, 2, 30, 24)) == 8 * 10 * 30 * (16 + 24)
    assert attention_macs((1, 8, 10, 16), (1, 2, 16, 30), (1, 2, 30, 24)) is None


def test_the_reference_is_one_of_the_weights(tmp_path: Path) -> None:
    """A network with weights of 8 bits that ran in fp32 is not asked to agree to the last bit with its rounding."""
    case = Case(Network(zoo.resolve(SMALL)), backends.resolve("fake"))
    told = {
        "effective": {"precision": "fp32", "device": "fake", "threads": 1, "placement": PLACED},
        "macs_executed": 100,
    }
    stored = replace(artifact(), precision="int8", computes="fp32")
    assert fault_of(case, stored, 0.01, told) is None
    assert fault_of(case, replace(stored, computes="int8"), 0.01, told) == ("downgraded", "ran in fp32, not in int8")
    fault = fault_of(case, replace(stored, precision="fp32"), 0.01, told)
    assert fault is not None
    assert fault[0] == "mismatch"
    noisy = replace(artifact(), remarks=("RandomNormalLike (noise) draws other numbers at every inference",))
    fault = fault_of(case, noisy, 1.3, told)
    assert fault is not None
    assert "RandomNormalLike" in fault[1]
    fault = fault_of(case, artifact(), float("inf"), told)
    assert fault is not None
    assert "nobody wrote" in fault[1]


def test_what_fp32_costs_a_deep_network_is_no_mismatch() -> None:
    case = Case(Network(zoo.resolve(SMALL)), backends.resolve("fake"))
    told = {
        "effective": {"precision": "fp32", "device": "fake", "threads": 1, "placement": PLACED},
        "macs_executed": 100,
    }
    assert (fault_of(case, artifact(), 4e-4, told) or ("",))[0] == "mismatch"
    assert fault_of(case, replace(artifact(), noise=2e-4), 4e-4, told) is None
    assert (fault_of(case, replace(artifact(), noise=2e-4), 9e-4, told) or ("",))[0] == "mismatch"
    assert (fault_of(case, replace(artifact(), noise=0.5), 0.02, told) or ("",))[0] == "mismatch"


PLACED = {"device": "fake", "operators": 1.0, "macs": 1.0, "elsewhere": []}


def test_a_thread_that_should_compute_and_does_not_is_a_fault_of_large_operators_alone() -> None:
    case = Case(Network(zoo.resolve(SMALL)), backends.resolve("fake"), Settings(threads=2))
    told = {
        "effective": {"precision": "fp32", "device": "cpu", "threads": 2, "placement": PLACED},
        "macs_executed": 100, "busy_threads": 1, "largest_macs": 100,
    }  # fmt: skip
    assert fault_of(case, artifact(), 0.0, told) is None
    fault = fault_of(case, artifact(), 0.0, told | {"largest_macs": 20_000_000})
    assert fault is not None
    assert "1 of 2 threads computed" in fault[1]
    assert fault_of(case, artifact(), 0.0, told | {"largest_macs": 20_000_000, "busy_threads": 2}) is None
