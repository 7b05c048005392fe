"""What stands between a runtime and its converter: what they say, and what is said where one is not there."""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench import backends
from bench.artifact.artifact import Artifact, MacOp
from bench.backends import converter, ncnn
from bench.backends.delegate import Node, Shares, shares, tflite_macs
from bench.backends.mnn_profile import MnnProfiler
from bench.backends.ran import precision_by_error, threads_by_time
from bench.backends.sample import sample
from bench.base.errors import MeasureError, MissingExtra, Unsupported
from bench.measure.readback import SHARED_MACS, fault_of
from bench.plan.case import Case, Settings
from bench.plan.zoo import ModelRef
from tests.backends.plugins import WORKS, Plugins
from tests.conftest import Bench, one_line_error

CONVERTERS = {
    "ncnn": "pnnx",
    "mnn": "MNN's converter",
    "litert": "litert-torch",
    "executorch": "ExecuTorch's converter",
}


@pytest.mark.parametrize("name", CONVERTERS)
def test_a_converter_that_is_not_there_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(f"bench.backends.{name}.find_spec", lambda module: None)
    with pytest.raises(MissingExtra, match=CONVERTERS[name]) as found:
        backends.get(name).prepare(sample(), {"precision": "model"}, tmp_path)
    assert found.value.hint.startswith(f"pip install 'isoflops[{name}]'")


def test_litert_says_where_its_converter_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bench.backends.litert.find_spec", lambda module: None)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(MissingExtra) as found:
        backends.get("litert").prepare(sample(), {"precision": "model"}, tmp_path)
    assert "convert on such a one" in found.value.hint


@pytest.mark.parametrize("name", ["litert", "executorch"])
def test_one_that_takes_modules_refuses_a_file(name: str) -> None:
    with pytest.raises(Unsupported, match="ONNX file"):
        backends.refuse(backends.get(name), sample())


PROGRAMS = {
    "print('a'); print('no Gelu here'); raise SystemExit(3)": "pnnx failed: no Gelu here",
    "import os; os.abort()": "pnnx died of SIGABRT: it said nothing",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_converter_that_fails_is_one_line(program: str, tmp_path: Path) -> None:
    with pytest.raises(Unsupported) as found:
        converter.run("pnnx", [sys.executable, "-c", program], tmp_path)
    assert found.value.message == PROGRAMS[program]
    assert found.value.hint


def test_a_converter_that_does_not_start_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="pnnx cannot be started: No such file"):
        converter.run("pnnx", ["/no/pnnx"], tmp_path)


def test_the_axis_of_the_batch_is_where_pnnx_says() -> None:
    lines = ['ex.input("in0", ncnn.Mat(in0.numpy(), batch_index=0).clone())', 'ex.input("in1", ncnn.Mat(in1.numpy()))']
    lines += ["out.append(torch.from_numpy(out0.numpy(batch_index=1)))", "out.append(torch.from_numpy(out1.numpy()))"]
    assert ncnn.batch_axes("\n".join(lines)) == {"in0": 0, "out0": 1}


def scaled(factor: float) -> list[np.ndarray]:
    return [y * np.float32(1 + factor) for y in sample().reference()[1]]


@pytest.mark.parametrize(
    ("error", "reduced", "told"),
    [
        (1e-6, "", "fp32"),
        (1e-6, "fp16", "fp32"),
        (1e-3, "fp16", "fp16"),
        (1e-3, "", "unknown"),
        (0.5, "bf16", "unknown"),
    ],
)
def test_the_output_tells_the_precision_where_nothing_else_does(error: float, reduced: str, told: str) -> None:
    assert precision_by_error(sample(), scaled(error), reduced) == told
    assert precision_by_error(replace(sample(), precision="int8"), scaled(error), reduced) == "unknown"


@pytest.mark.parametrize("significand", [11, 8])
def test_one_rounding_to_fewer_bits_shows_above_what_fp32_is_allowed(significand: int) -> None:
    """The least that shows: weights of one layer are rounded, and everything else is exact."""
    rng = np.random.default_rng(0)
    for size in (8, 64, 512):
        weights, x = rng.standard_normal((100, size)), rng.standard_normal(size)
        exponent = np.floor(np.log2(np.abs(weights)))
        step = 2.0 ** (exponent - significand + 1)
        rounded = np.round(weights / step) * step
        error = np.linalg.norm(rounded @ x - weights @ x) / np.linalg.norm(weights @ x)
        assert error > 1.5e-4 * 2 ** (11 - significand)


@pytest.mark.parametrize(("computed", "told"), [(2, 2), (1, None), (3, 3), (None, None)])
def test_threads_that_nobody_tells_are_counted(
    computed: int | None, told: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.backends.ran.count_computing", lambda infer, asked: computed)
    assert threads_by_time(lambda: None, 2) == told


def fault(placement: Mapping[str, object], artifact: Artifact, threads: int = 1, **how: bool) -> tuple[str, str] | None:
    """Judge what is read back of a runtime that tells no graph."""
    case = Case(ModelRef("onnx", "sample", "", {}, None), backends.resolve("fake"), Settings(threads=threads))
    inspected = {
        "effective": {
            "version": "1", "device": "cpu", "precision": "fp32", "threads": None, "settings": {}, "unmet": (),
            "placement": placement, "remarks": (),
        },
        "operators": None, "macs_executed": None, "macs_needed": None, "macs_padded": None, "opaque": [],
        "largest_macs": 0, "busy_threads": 1,
    }  # fmt: skip
    return fault_of(case, artifact, 0.0, inspected, **how)  # type: ignore[arg-type]


def test_threads_that_do_not_compute_are_missed_where_no_graph_is_told() -> None:
    """The source's largest operator is large enough to be shared by any runtime."""
    whole = {"device": "cpu", "operators": 1.0, "macs": None, "elsewhere": ()}
    large = replace(sample(), mac_ops=(MacOp("conv", "Conv", SHARED_MACS, (), 1),))
    assert fault(whole, sample(), threads=2) is None
    said = "1 of 2 threads computed: something keeps the others from it"
    assert fault(whole, large, threads=2) == ("downgraded", said)


# conv 0 -> 1, relu 1 -> 2, custom 2 -> 3, add 3 -> 4; and what a delegate has taken, beside it
CONV, RELU = Node("CONV_2D", (0, 10), (1,), 600), Node("RELU", (1,), (2,))
CUSTOM, ADD = Node("CUSTOM", (2,), (3,), 200), Node("ADD", (3,), (4,))
PLAIN = [CONV, RELU, CUSTOM, ADD]
FIRST, LAST = Node("DELEGATE", (0, 10), (2,)), Node("DELEGATE", (3,), (4,))


@pytest.mark.parametrize(
    ("nodes", "partitions", "outside", "said"),
    [
        (PLAIN, 0, PLAIN, "XNNPACK runs none of it"),
        ([*PLAIN, Node("DELEGATE", (0, 10), (4,))], 1, [], ""),
        (
            [*PLAIN, FIRST, LAST],
            2,
            [CUSTOM],
            "XNNPACK runs the network in 2 parts, and leaves 1 CUSTOM to slower kernels",
        ),
        ([*PLAIN, FIRST], 1, [CUSTOM, ADD], "in 1 part, and leaves 1 ADD, 1 CUSTOM to slower kernels"),
    ],
)
def test_what_a_delegate_leaves_is_counted(nodes: list[Node], partitions: int, outside: list[Node], said: str) -> None:
    found = shares(nodes, [4])
    left = sum(node.macs for node in outside)
    assert found == Shares(partitions, Counter(node.kind for node in outside), 4 - len(outside), 800, left)
    assert found.placement.operators == 1 - len(outside) / 4
    assert found.placement.macs == 1 - left / 800
    assert bool(found.placement.fault()) == bool(outside)
    told = " ".join(found.unmet + found.remarks)
    assert said in told
    assert bool(told) == bool(said)


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs", "macs"),
    [
        ("CONV_2D", [(1, 8, 8, 16), (32, 3, 3, 16)], [(1, 4, 4, 32)], 4 * 4 * 32 * 3 * 3 * 16),
        ("DEPTHWISE_CONV_2D", [(1, 8, 8, 16), (1, 3, 3, 16)], [(1, 8, 8, 16)], 8 * 8 * 16 * 9),
        ("FULLY_CONNECTED", [(1, 64), (10, 64)], [(1, 10)], 640),
        ("BATCH_MATMUL", [(2, 4, 8), (2, 8, 5)], [(2, 4, 5)], 2 * 4 * 8 * 5),
        ("ADD", [(1, 64), (1, 64)], [(1, 64)], 0),
        ("RELU", [(1, 64)], [(1, 64)], 0),
    ],
)
def test_macs_of_an_operator_of_tensorflow_lite(
    kind: str, inputs: list[tuple[int, ...]], outputs: list[tuple[int, ...]], macs: int
) -> None:
    assert tflite_macs(kind, inputs, outputs) == macs


def test_a_delegate_that_left_something_fails_only_where_all_was_required() -> None:
    """On the same processor, so that the row stands else; a part of it on another device is never what was asked."""
    placement = asdict(shares([*PLAIN, FIRST, LAST], [4]).placement)
    assert fault(placement, sample()) is None
    assert fault(placement, sample(), require_device=True) == (
        "failed",
        "the device was required, and only 75.0% of the operators and 75.0% of the MACs ran on XNNPACK "
        "(elsewhere: 1 CUSTOM on slower kernels)",
    )
    placement["delegate"] = False
    assert (fault(placement, sample()) or ("",))[0] == "downgraded"


class Told:
    """MNN as its callbacks tell it: two operators, the second with a result of another shape."""

    def __init__(self, missing: bool = False) -> None:
        self.calls, self.missing = 0, missing

    def __call__(self, before: object, after: object) -> None:
        self.calls += 1
        for name, kind, shape in (("a", "Convolution", (1, 8)), ("y", "Pooling", (1, 4))):
            tensors = [SimpleNamespace(getShape=lambda shape=shape: shape)]
            info = SimpleNamespace(getName=lambda name=name: name, getType=lambda kind=kind: kind)
            before(tensors, info)  # type: ignore[operator]
            if not (self.missing and name == "y" and self.calls > 1):
                after(tensors, info)  # type: ignore[operator]


def test_mnns_callbacks_become_times_of_operators() -> None:
    profiler = MnnProfiler(lambda: None, Told())
    assert len(profiler.block(3)) == len(profiler.block(2)) + 1
    raw = profiler.read()
    assert [(op.name, op.kind, op.origins, op.shape_out) for op in raw.operators] == [
        ("a", "Convolution", ("a",), (1, 8)),
        ("y", "Pooling", ("y",), (1, 4)),
    ]
    assert all(len(op.raw_ns) == 5 and min(op.raw_ns) >= 0 for op in raw.operators)
    assert raw.cost.hot_ns == 0 <= raw.cost.cold_ns


def test_callbacks_that_do_not_pair_up_are_said() -> None:
    profiler = MnnProfiler(lambda: None, Told(missing=True))
    profiler.block(1)
    with pytest.raises(MeasureError, match="nothing to add up"):
        profiler.read()


def test_a_suite_goes_on_without_what_is_not_installed(plugins: Plugins, bench: Bench, tiny: Path) -> None:
    plugins.add("gone", f'{WORKS}    modules, packages = ("no_such.runtime",), ("no-such-runtime",)\n')
    mine = tiny.with_name("mine.toml")
    text = f'models = ["{tiny}"]\nbackends = ["gone", "fake:latency_ms=3"]\nlaunches = 2\nbudget = 1\n'
    mine.write_text(f"{text}installed_only = true\n")
    ran = bench("run", "--suite", mine, "--format", "json")
    assert [row["backend"] for row in json.loads(ran.stdout)] == ["fake:latency_ms=3"]
    (said,) = [line for line in ran.stderr.splitlines() if "left out" in line]
    assert said == "gone is left out: the runtime of backend 'gone' is not installed (pip install no-such-runtime)"
    assert "'gone' is not installed" in one_line_error(bench("run", "--suite", mine, "--backend", "gone"))
    mine.write_text(text)
    assert "'gone' is not installed" in one_line_error(bench("run", "--suite", mine))
    mine.write_text(text.replace(', "fake:latency_ms=3"', "") + "installed_only = true\n")
    alone = bench("run", "--suite", mine)
    assert alone.returncode == 2
    assert "error: the runtime of backend 'gone' is not installed" in alone.stderr


def test_a_precision_is_asked_of_every_backend(bench: Bench, tiny: Path) -> None:
    """What a backend does not have costs a line, and not the others."""
    asked = ["--precision", "fp32", "--precision", "bf16", "--launches", "1", "--budget", "0.5", "--format", "json"]
    ran = bench("run", "--model", tiny, "--backend", "onnxruntime", "--backend", "fake", *asked)
    assert [row["backend"] for row in json.loads(ran.stdout)] == ["onnxruntime:precision=fp32"]
    said = [line for line in ran.stderr.splitlines() if "left out" in line]
    assert [line.partition(":")[0] for line in said] == [
        "onnxruntime is left out in bf16", "fake is left out in fp32", "fake is left out in bf16",
    ]  # fmt: skip
    assert "precision is one of model, fp32" in said[0]
    alone = bench("run", "--model", tiny, "--backend", "fake", "--precision", "bf16")
    assert alone.returncode == 2
    assert "error: there is no option of fake named 'precision'" in alone.stderr


def test_the_list_of_backends_tells_converters(bench: Bench) -> None:
    rows = json.loads(bench("list", "backends", "--format", "json").stdout)
    listed = {row["backend"]: row["converter"] for row in rows}
    assert {name: listed[name].partition(" ")[0] for name in ("ncnn", "mnn", "litert", "executorch", "torch")} == {
        "ncnn": "pnnx", "mnn": "MNN", "litert": "litert-torch", "executorch": "executorch", "torch": "",
    }  # fmt: skip
    assert all(len(text.split()) >= 2 for text in listed.values() if text)


def test_a_library_that_cannot_convert_is_one_line(recwarn: pytest.WarningsRecorder) -> None:
    def convert() -> None:
        with converter.library("litert-torch"):
            warnings.warn("experimental", stacklevel=1)
            raise KeyError("no kernel for frobnicate")

    with pytest.raises(
        Unsupported, match=r"(?m)^litert-torch cannot convert it: KeyError: 'no kernel for frobnicate'$"
    ):
        convert()
    assert not recwarn.list
