"""Networks of the zoo with one thing undone, for claims about that thing alone.

No family of the zoo: no card names them, and `bench.plan.zoo` reads their specs.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from . import mobilenetv3, pplcnet
from .blocks import TENSORFLOW_EPS, ConvBN, hswish, with_eps


class NaiveHSwish(nn.Module):
    """h-swish as its formula stands there, x ReLU6(x + 3) / 6, in four operations. Any shape in, the same out."""

    def forward(self, x: Tensor) -> Tensor:
        """Map a tensor to one of the same shape."""
        return x * nn.functional.relu6(x + 3) / 6


class Shortcut(nn.Module):
    """A block and the identity beside it, added. Input and output ``[N, C, H, W]``."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        return x + self.block(x)


def v3(stem: int = 16, last: str = "efficient", se: bool = True, naive: bool = False) -> nn.Module:
    """Build MobileNet V3-Large with what sections 5.1 to 5.3 did undone.

    `stem` is the number of filters of the first layer (32 before), `last` the last stage ("original": that of Figure 5,
    top, as in MobileNet V2: depthwise 3x3, 1x1 to 320, 1x1 to 1280, and only then the pool). `naive` writes h-swish as
    four operations.
    """
    rows, *tail = mobilenetv3.SIZES["large"]
    if not se:
        rows = tuple(replace(row, se=False) for row in rows)
    model = mobilenetv3.MobileNetV3(rows, 1.0, (tail[0], tail[1]), True, True)
    if stem != mobilenetv3.STEM:
        model.stem = ConvBN(3, stem, 3, 2, activation=hswish)
        model.body[0] = mobilenetv3.Bottleneck(stem, replace(rows[0], expanded=stem))
    if last == "original":
        wide = tail[0]
        model.head = nn.Sequential(
            ConvBN(rows[-1].out, wide, activation=hswish),
            ConvBN(wide, wide, 3, groups=wide, activation=hswish),
            ConvBN(wide, 320, activation=None),
            ConvBN(320, tail[1], activation=hswish),
        )
        model.hidden = nn.Identity()
        model.activation = nn.Identity()
    if naive:
        _replace(model, nn.Hardswish, NaiveHSwish)
    return with_eps(model, TENSORFLOW_EPS)


def lcnet(width: float = 0.5) -> nn.Module:
    """Build PP-LCNet with a shortcut around every block that keeps its shape (section 3 leaves them out)."""
    flags = [[digit == "1" for digit in digits] for digits in ("0000000000011", "0000001111111")]
    model = pplcnet.PPLCNet(width, *flags, hswish, True, 0.2)
    before = 16
    for i, (out, stride) in enumerate(pplcnet.BODY):
        if stride == 1 and out == before:
            model.body[i] = Shortcut(model.body[i])
        before = out
    return model


def _replace(model: nn.Module, old: type[nn.Module], new: type[nn.Module]) -> None:
    for name, child in model.named_children():
        if isinstance(child, old):
            setattr(model, name, new())
        else:
            _replace(child, old, new)


VARIANTS = {"mobilenetv3-large": v3, "pplcnet-shortcut": lcnet}


def build(variant: str, **parameters: int | float | str | bool) -> nn.Module:
    """Build the variant of that name."""
    return VARIANTS[variant](**parameters)
