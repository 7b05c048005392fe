"""One grammar of a case: what is a backend, a setting, or part of a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.base.errors import BenchError, SpecError, UnknownName
from bench.measure.cases import canonical, case, network_of
from bench.plan import zoo
from bench.plan.grammar import CaseText, options, parse

KNOWN = ("fake", "onnxruntime")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("net.onnx", CaseText("net.onnx")),
        ("net.onnx@fake", CaseText("net.onnx", "fake")),
        ("net@threads=2@fake:latency_ms=2", CaseText("net", "fake:latency_ms=2", {"threads": 2})),
        ("net@fake@pace=30hz@batch=8", CaseText("net", "fake", {"pace_ms": 1000 / 30, "batch": 8})),
        ("net@mode=throughput@streams=2", CaseText("net", "", {"mode": "throughput", "streams": 2})),
        ("net@pace=none", CaseText("net", "", {"pace_ms": None})),
        ("job@2/net.onnx@threads=2", CaseText("job@2/net.onnx", "", {"threads": 2})),
        ("a@fake/b@threads=2/net.onnx", CaseText("a@fake/b@threads=2/net.onnx")),
        ("net@2.onnx@fake", CaseText("net@2.onnx", "fake")),
        ("job@2/net.py:make:depth=3@fake", CaseText("job@2/net.py:make:depth=3", "fake")),
        ("net@onnxruntime:python=/old@2/python@threads=2",
         CaseText("net", "onnxruntime:python=/old@2/python", {"threads": 2})),
        ("job@2/net.onnx@onnxruntime:python=/a,b@1/p", CaseText("job@2/net.onnx", "onnxruntime:python=/a,b@1/p")),
        ("net.onnx@shape=ids=1x8@shape=a=2x3", CaseText("net.onnx", "", {"shapes": (("a", (2, 3)), ("ids", (1, 8)))})),
        ("stack/g1:c1=64,c2=64@batch=8", CaseText("stack/g1:c1=64,c2=64", "", {"batch": 8})),
    ],
)  # fmt: skip
def test_a_text_is_split_from_the_right_before_known_names(text: str, found: CaseText) -> None:
    assert parse(text, KNOWN) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("net@fke", "did you mean fake"),
        ("net@thread=2", "did you mean threads"),
        ("net@fake@threads=x", "threads=2"),
        ("net@fake@fake", "backend"),
        ("net@threads=1@threads=2", "keep one"),
        ("net@pace=fast", "33ms"),
    ],
)
def test_what_is_no_case_is_said(text: str, says: str) -> None:
    with pytest.raises(BenchError) as caught:
        parse(text, KNOWN)
    assert says in f"{caught.value.message} {caught.value.hint}"
    assert "`in " not in caught.value.hint  # where it stands is no command that lists anything


def test_rows_may_have_backends_that_nobody_knows_here() -> None:
    assert parse("net@theirs:x=1@threads=2") == CaseText("net", "theirs:x=1", {"threads": 2})
    assert canonical("shufflenetv2:width=1@fake:latency_ms=1@threads=2") == CaseText(
        "shufflenetv2", "fake", {"threads": 2}
    )
    assert canonical("gone.onnx@theirs") == CaseText("gone.onnx", "theirs")


def test_a_case_and_what_its_text_leaves_open() -> None:
    made = case("mobilenetv1@fake@resolution=128@pace=20ms", "onnxruntime", threads=2, batch=4)
    assert str(made) == "mobilenetv1 on fake threads=2 batch=4 resolution=128 pace=20ms"
    assert case(f"mobilenetv1@threads={2}", "fake", threads=1).settings.threads == 2
    with pytest.raises(BenchError, match="threads 0 is not a number from 1 to 4096"):
        case("mobilenetv1@fake@threads=0")
    with pytest.raises(BenchError, match="is for ONNX files"):
        case("mobilenetv1@fake@shape=x=1x3")


def test_a_network_has_no_backend_and_no_threads() -> None:
    assert str(network_of("mobilenetv1@batch=8")) == "mobilenetv1 resolution=224 batch=8"
    for text in ("mobilenetv1@fake", "mobilenetv1@threads=2"):
        with pytest.raises(SpecError, match="nothing is run here"):
            network_of(text)


def test_networks_of_findings_are_networks() -> None:
    found = case("stack/conv:c=128,groups=2@fake").network
    assert (found.model.kind, found.model.source, found.resolution) == ("zoo", "stacks", 56)
    assert zoo.resolve("variant/mobilenetv3-large:se=false").params == {"variant": "mobilenetv3-large", "se": False}
    with pytest.raises(UnknownName, match="stack named 'gone'"):
        zoo.resolve("stack/gone:c=1")


def test_the_names_of_stacks_and_variants_are_those_that_are_built() -> None:
    pytest.importorskip("torch")
    from bench.models import stacks, variants

    assert zoo.SOURCES["stack"][2] == tuple(stacks.STACKS)
    assert zoo.SOURCES["variant"][2] == tuple(variants.VARIANTS)


def test_a_folder_called_stack_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("stack").mkdir()
    Path("stack/net.onnx").write_bytes(b"")
    assert zoo.resolve("stack/net.onnx").kind == "onnx"


def test_the_keys_are_the_fields_of_networks_and_settings() -> None:
    assert list(options()) == ["threads", "pace", "mode", "streams", "batch", "resolution", "shape", "input"]
