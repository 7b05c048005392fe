from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.base.errors import SpecError
from bench.plan.parameter import Parameter
from bench.plan.spec import Spec, parse


@pytest.mark.parametrize(
    ("text", "name", "params"),
    [
        ("shufflenetv2", "shufflenetv2", {}),
        ("shufflenetv2:width=0.5", "shufflenetv2", {"width": "0.5"}),
        (" a:b=1 , c=x ", "a", {"b": "1", "c": "x"}),
        ("dir/net.onnx", "dir/net.onnx", {}),
        ("c:odd.onnx", "c:odd.onnx", {}),
        ("net.py:make", "net.py:make", {}),
        ("net.py:make:depth=3", "net.py:make", {"depth": "3"}),
        ("timm:convnext_tiny", "timm:convnext_tiny", {}),
        ("onnxruntime:python=/a,b/python", "onnxruntime", {"python": "/a,b/python"}),
        ("onnxruntime:python=/a,b=c/python,x=1", "onnxruntime", {"python": "/a,b=c/python", "x": "1"}),
        ("openvino:precision=bf16,python=/a=b/p", "openvino", {"precision": "bf16", "python": "/a=b/p"}),
        ("torchvision:resnet18:num_classes=10", "torchvision:resnet18", {"num_classes": "10"}),
    ],
)
def test_parses(text: str, name: str, params: dict[str, str]) -> None:
    assert parse(text) == Spec(name, params)


@pytest.mark.parametrize("text", ["", "  ", ":width=1", "a:", "a:b", "a:b=", "a:=1", "a:b=1,,c=2", "a:b=1,b=2"])
def test_refuses(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert caught.value.hint


words = st.text("abcdefghij0123456789_-", min_size=1, max_size=8)


@given(words, st.dictionaries(words, words, max_size=4))
def test_a_spec_reads_as_it_was_written(name: str, params: dict[str, str]) -> None:
    assert parse(str(Spec(name, params))) == Spec(name, params)


@given(st.text(max_size=40))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        found = parse(text)
    except SpecError:
        return
    assert found.name


@pytest.mark.parametrize(
    ("parameter", "shown"),
    [
        (Parameter("tf32", False), "tf32=false|true"),
        (Parameter("width", 1.0, (0.5, 1.0, 2.0)), "width=1|0.5|2"),
        (Parameter("sleep_ms", 0.0, range=(0.0, 60.0)), "sleep_ms=0 (0 to 60)"),
        (Parameter("device", "cpu", pattern="cpu|cuda"), "device=cpu (cpu|cuda)"),
        (Parameter("calibration", ""), "calibration=STR"),
    ],
)
def test_a_parameter_is_shown_as_it_is_said(parameter: Parameter, shown: str) -> None:
    assert parameter.shown() == shown
