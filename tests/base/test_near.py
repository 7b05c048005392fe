"""Names that are near enough to be meant, and those that only look like it."""

from __future__ import annotations

import pytest

from bench.base.errors import KNOWN, UnknownName
from bench.base.near import near
from bench.cli import COMMANDS
from bench.plan import zoo

BACKENDS = ("executorch", "fake", "litert", "mnn", "ncnn", "onnxruntime", "openvino", "torch")


@pytest.mark.parametrize(
    ("name", "names", "found"),
    [
        ("openvinno", BACKENDS, ["openvino"]),
        ("OpenVINO", BACKENDS, ["openvino"]),
        ("openvnio", BACKENDS, ["openvino"]),  # two neighbours that changed places are one slip
        ("oen", ("one", "two"), ["one"]),
        ("pytorch", BACKENDS, ["torch"]),  # two letters more
        ("onnx", BACKENDS, ["onnxruntime"]),
        ("onnxrt", BACKENDS, ["onnxruntime"]),
        ("inputs", ("attention_mask", "input_ids"), ["input_ids"]),
        ("xx", ("x", "y"), ["x"]),
        ("--modle", ("--mode", "--model", "--over"), ["--mode", "--model"]),
        ("shufflenetv3", zoo.names(), ["shufflenetv1", "shufflenetv2", "shufflenetv2-50"]),
        ("tensorrt", BACKENDS, []),  # was litert, of which it has four letters in order
        ("gone", ("conv",), []),
        ("foo", ("floor_ms", "flops"), []),
        ("a", ("b",), []),
        ("", BACKENDS, []),
        ("explian", COMMANDS, []),
    ],
)
def test_near_is_a_slip_or_the_same_beginning(name: str, names: tuple[str, ...], found: list[str]) -> None:
    assert near(name, names) == found


def test_a_hint_names_what_is_meant_or_where_the_names_are() -> None:
    many = [f"network{i:03}" for i in range(100)]
    assert (
        UnknownName("net", "netwrk", ["network"], "bench list").hint
        == "did you mean network? (`bench list` lists them)"
    )
    assert UnknownName("net", "zzz", ["a", "b"], "bench list").hint == "known: a, b (`bench list` lists them)"
    assert UnknownName("net", "zzz", many, "bench list").hint == "`bench list` lists them"
    assert UnknownName("net", "zzz", [], "bench list").hint == "`bench list` lists them"
    assert UnknownName("net", "zzz", []).hint == ""
    told = UnknownName("net", "zzz", many).hint
    assert told.startswith("known: network000, network001, ")
    assert told.endswith(f" and {100 - told.count('network')} more")
    assert len(told) <= KNOWN + 20
