"""The networks that only findings need: their multiply-adds are those of the papers' formulas."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

torch = pytest.importorskip("torch")

HW = 8 * 8
STEM = 3


def macs_of(model: Any, side: int = 8) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(torch.zeros(1, 3, side, side))
    return int(counter.get_total_flops()) // 2


def stack(name: str, **parameters: Any) -> Any:
    return importlib.import_module("bench.models.stacks").build(name, **parameters)


@pytest.mark.parametrize(
    ("name", "parameters", "per_pixel", "channels"),
    [
        ("g1", {"c1": 8, "c2": 24}, 2 * 8 * 24, 8),
        ("conv", {"c": 16, "groups": 4}, 16 * 16 // 4, 16),
        ("conv", {"c": 16, "kernel": 3}, 9 * 16 * 16, 16),
        ("series", {"c": 8, "n": 4}, 4 * 8 * 8, 8),
        ("parallel", {"c": 8, "n": 4}, 4 * 8 * 8, 8),
        ("unit", {"c": 16, "m": 4}, 2 * 16 * 4 + 9 * 4 * 4, 16),
        ("unit", {"c": 16, "m": 8, "pointwise": 4, "spatial": 8, "shuffle": True}, 2 * 16 * 8 // 4 + 9 * 8, 16),
        ("ghost", {"c": 16, "s": 2}, 9 * 16 * 8 + 9 * 8, 16),
    ],
)
def test_stacks_have_the_macs_of_the_formula(
    name: str, parameters: dict[str, Any], per_pixel: int, channels: int
) -> None:
    model = stack(name, **parameters)
    assert macs_of(model) == HW * (10 * per_pixel + STEM * channels)
    assert model(torch.zeros(2, 3, 8, 8)).shape == (2, channels)


def test_relu_and_shortcut_can_be_left_out_one_by_one() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 3, 8, 8)
    outputs = []
    for relu in (True, False):
        for shortcut in (True, False):
            torch.manual_seed(1)
            outputs.append(stack("unit", c=16, m=4, relu=relu, shortcut=shortcut).eval()(x))
    assert all(not torch.equal(a, b) for i, a in enumerate(outputs) for b in outputs[:i])


def variant(name: str, **parameters: Any) -> Any:
    return importlib.import_module("bench.models.variants").build(name, **parameters)


def test_variants_of_mobilenet_v3_differ_by_what_the_paper_says() -> None:
    base = macs_of(variant("mobilenetv3-large"), 224)
    zoo = importlib.import_module("bench.models.mobilenetv3").build("large", 1.0, False, "table")
    assert base == macs_of(zoo, 224)
    # Section 5.1: 10 M multiply-adds for the stem, 30 M for the last stage.
    assert 9.5e6 < macs_of(variant("mobilenetv3-large", stem=32), 224) - base < 11e6
    assert 28e6 < macs_of(variant("mobilenetv3-large", last="original"), 224) - base < 36e6
    assert macs_of(variant("mobilenetv3-large", naive=True), 224) == base
    assert not any("Squeeze" in type(m).__name__ for m in variant("mobilenetv3-large", se=False).modules())


def test_the_naive_hswish_is_the_hswish() -> None:
    x = torch.linspace(-6, 6, 101)
    naive = importlib.import_module("bench.models.variants").NaiveHSwish()
    assert torch.allclose(naive(x), torch.nn.functional.hardswish(x), atol=1e-6)


def test_pplcnet_with_shortcuts_has_the_same_macs() -> None:
    plain = importlib.import_module("bench.models.pplcnet").build(
        0.5, "0" * 11 + "11", "0" * 6 + "1" * 7, "hswish", True, 0.2
    )
    with_shortcuts = variant("pplcnet-shortcut", width=0.5)
    assert macs_of(plain, 64) == macs_of(with_shortcuts, 64)
    assert sum(type(m).__name__ == "Shortcut" for m in with_shortcuts.modules()) == 8
