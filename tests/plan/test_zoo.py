from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.base.errors import ArtifactError, ParameterError, SpecError, UnknownName
from bench.plan import zoo


def test_equal_models_have_equal_names() -> None:
    assert zoo.resolve("shufflenetv2:width=1").canonical == "shufflenetv2"
    assert zoo.resolve("shufflenetv2:width=1.0") == zoo.resolve("shufflenetv2")
    assert zoo.resolve("shufflenetv2:width=0.50").canonical == "shufflenetv2:width=0.5"


def test_a_network_has_one_name_whatever_it_is_called() -> None:
    names = {zoo.canonical(text) for text in ("resnet50", "resnet:depth=50", "resnet")}
    assert len(names) == 1
    assert zoo.canonical("mobilenetv3:size=small") == zoo.canonical("mobilenetv3-small")
    for text in ("net.onnx", "nobody", "shufflenetv2:widht=1", "", "timm:x", "net.py:make"):
        assert zoo.canonical(text) == text


def test_resolution_is_no_part_of_the_name() -> None:
    small = zoo.resolve("mobilenetv1:resolution=128,width=0.5")
    assert (small.canonical, small.resolution) == ("mobilenetv1:width=0.5", 128)


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("shuflenetv2", UnknownName, "did you mean shufflenetv2"),
        ("shufflenetv2:widht=1", UnknownName, "did you mean width"),
        ("shufflenetv2:width=0.7", ParameterError, "0.5, 1, 1.5, 2"),
        ("mobilenetv1:width=wide", ParameterError, "between 0.1 and 4"),
        ("mobilenetv1:width=40", ParameterError, "between 0.1 and 4"),
        ("mobilenetv1:resolution=0", ParameterError, "224"),
        ("nowhere.onnx", ArtifactError, "check the path"),
        ("nowhere.py:make", ArtifactError, "check the path"),
        ("two.py", SpecError, "two.py:FUNCTION"),
        ("timm:", SpecError, "timm:NAME"),
    ],
)
def test_every_mistake_says_what_there_is(spec: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        zoo.resolve(spec)
    assert says in caught.value.hint  # type: ignore[attr-defined]


def test_every_family_has_a_card_and_a_builder() -> None:
    folder = Path(__file__).parents[2] / "models"
    for name, card in zoo.cards().items():
        assert (folder / f"{name}.py").is_file()
        assert card.title
        assert card.paper
        assert card.url.startswith("http")
        assert 1990 < card.year < 2100
        for parameter in card.parameters.values():
            shown = str(parameter.default).lower() if isinstance(parameter.default, bool) else str(parameter.default)
            assert parameter.read(shown, name) == parameter.default


def test_the_zoo_is_listed_without_pytorch() -> None:
    code = "import sys; from bench.plan.zoo import cards, resolve; cards(); resolve('shufflenetv2');"
    code += "print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
