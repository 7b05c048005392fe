"""MobileNet V3 (Howard et al.: ICCV 2019, arXiv 1905.02244), Tables 1 and 2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor, nn

from bench.base.errors import ParameterError

from .blocks import TENSORFLOW_EPS, ConvBN, SqueezeExcite, global_pool, hswish, make_divisible, relu, with_eps


@dataclass(frozen=True)
class Row:
    """A row of Table 1 or 2: kernel, expansion ("exp size"), output channels, SE, h-swish (else ReLU), stride."""

    kernel: int
    expanded: int
    out: int
    se: bool
    hswish: bool
    stride: int


LARGE = (
    Row(3, 16, 16, False, False, 1),
    Row(3, 64, 24, False, False, 2),
    Row(3, 72, 24, False, False, 1),
    Row(5, 72, 40, True, False, 2),
    Row(5, 120, 40, True, False, 1),
    Row(5, 120, 40, True, False, 1),
    Row(3, 240, 80, False, True, 2),
    Row(3, 200, 80, False, True, 1),
    Row(3, 184, 80, False, True, 1),
    Row(3, 184, 80, False, True, 1),
    Row(3, 480, 112, True, True, 1),
    Row(3, 672, 112, True, True, 1),
    Row(5, 672, 160, True, True, 2),
    Row(5, 960, 160, True, True, 1),
    Row(5, 960, 160, True, True, 1),
)
SMALL = (
    Row(3, 16, 16, True, False, 2),
    Row(3, 72, 24, False, False, 2),
    Row(3, 88, 24, False, False, 1),
    Row(5, 96, 40, True, True, 2),
    Row(5, 240, 40, True, True, 1),
    Row(5, 240, 40, True, True, 1),
    Row(5, 120, 48, True, True, 1),
    Row(5, 144, 48, True, True, 1),
    Row(5, 288, 96, True, True, 2),
    Row(5, 576, 96, True, True, 1),
    Row(5, 576, 96, True, True, 1),
)
STEM = 16
# Body, channels of the last 1x1 before the pool, and of the one after it. Table 2 ticks SE on the former; neither the
# authors' code nor any other has it.
SIZES = {"large": (LARGE, 960, 1280), "small": (SMALL, 576, 1024)}


class Bottleneck(nn.Module):
    """Expand by 1x1, depthwise, squeeze-and-excite, project linearly; a shortcut where the shapes agree (Figure 4).

    Input ``[N, inp, H, W]``, output ``[N, row.out, H / stride, W / stride]``; the channels of `row` are scaled.
    SE squeezes to a quarter of the expansion (section 5.3).
    """

    def __init__(self, inp: int, row: Row) -> None:
        super().__init__()
        activation: Callable[[], nn.Module] = hswish if row.hswish else relu
        wide = row.expanded
        layers: list[nn.Module] = [ConvBN(inp, wide, activation=activation)] if wide != inp else []
        layers.append(ConvBN(wide, wide, row.kernel, row.stride, groups=wide, activation=activation))
        if row.se:
            layers.append(SqueezeExcite(wide, make_divisible(wide / 4), nn.Hardsigmoid))
        layers.append(ConvBN(wide, row.out, activation=None))
        self.layers = nn.Sequential(*layers)
        self.residual = row.stride == 1 and inp == row.out

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, row.out, H / stride, W / stride]``."""
        y = self.layers(x)
        return x + y if self.residual else y


class MobileNetV3(nn.Module):
    """Table 1 or 2 at a width. Input ``[N, 3, H, W]``, output ``[N, classes]``.

    Channel numbers are rounded to multiples of 8. As in the authors' code, a row keeps the ratio of its expansion to
    its input channels, and the layer after the pool keeps its size: the MACs and parameters of Table 9 need both.
    `head_hswish` is for the layers after the body, `stem_hswish` for the one before it.
    """

    def __init__(
        self,
        rows: tuple[Row, ...],
        width: float,
        tail: tuple[int, int],
        stem_hswish: bool,
        head_hswish: bool,
        classes: int = 1000,
    ) -> None:
        super().__init__()
        inp = make_divisible(STEM * width)
        self.stem = ConvBN(3, inp, 3, 2, activation=hswish if stem_hswish else relu)
        body = []
        before = STEM
        for row in rows:
            expanded = make_divisible(inp * row.expanded / before)
            out = make_divisible(row.out * width)
            body.append(Bottleneck(inp, replace(row, expanded=expanded, out=out)))
            inp, before = out, row.out
        self.body = nn.Sequential(*body)
        activation = hswish if head_hswish else relu
        last = make_divisible(tail[0] * width)
        self.head = ConvBN(inp, last, activation=activation)
        self.hidden = nn.Linear(last, tail[1])
        self.activation = activation()
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(tail[1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        x = self.hidden(global_pool(self.head(self.body(self.stem(x)))))
        return self.classifier(self.dropout(self.activation(x)))


def build(size: str, width: float, minimalistic: bool, hswish: str) -> MobileNetV3:
    """Build MobileNet V3-Large or Small; `minimalistic` has 3x3 kernels, ReLU and no SE throughout.

    `hswish` places the non-linearity: "table" as Tables 1 and 2 do, "none" nowhere, "N" in every layer from the first
    with at least N output channels on (Table 5, "h-swish @N").
    """
    rows, *tail = SIZES[size]
    if minimalistic:
        if hswish != "table":
            raise ParameterError("mobilenetv3: the minimalistic networks have no h-swish to place", "leave hswish out")
        rows = tuple(replace(row, kernel=3, se=False, hswish=False) for row in rows)
    stem = head = not minimalistic
    if hswish != "table":
        first = float("inf") if hswish == "none" else int(hswish)
        starts = [row.out >= first for row in rows]
        rows = tuple(replace(row, hswish=any(starts[: i + 1])) for i, row in enumerate(rows))
        stem, head = first <= STEM, hswish != "none"
    return with_eps(MobileNetV3(rows, width, (tail[0], tail[1]), stem, head), TENSORFLOW_EPS)
