"""IGCV3-D (Sun, Li, Liu, Wang: BMVC 2018, arXiv 1806.00178): MobileNet V2, twice as deep, of grouped convolutions."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import ConvBN, channel_shuffle, global_pool, relu6

# Expansion t, output channels c, repeats n, stride s of the first: MobileNet V2's table with doubled repeats.
BODY = (
    (1, 16, 1, 1),
    (6, 24, 4, 2),
    (6, 32, 6, 2),
    (6, 64, 8, 2),
    (6, 96, 6, 1),
    (6, 160, 6, 2),
    (6, 320, 1, 1),
)
GROUPS = 2  # of both 1x1 convolutions (G1 = G2 = 2)


def even(channels: float) -> int:
    """Round to the nearest integer, then up to an even one: both groups need the same number of channels."""
    rounded = round(channels)
    return rounded + rounded % 2


class Block(nn.Module):
    """Grouped 1x1 up, depthwise 3x3, grouped 1x1 down, the channels permuted after both 1x1.

    Input ``[N, inp, H, W]``, output ``[N, out, H / stride, W / stride]``. Only the depthwise convolution is followed
    by an activation.
    """

    def __init__(self, inp: int, out: int, stride: int, expansion: int, residual: bool) -> None:
        super().__init__()
        hidden = inp * expansion
        self.expand = ConvBN(inp, hidden, groups=GROUPS, activation=None)
        self.depthwise = ConvBN(hidden, hidden, 3, stride, groups=hidden, activation=relu6)
        self.project = ConvBN(hidden, out, groups=GROUPS, activation=None)
        self.out = out
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, out, H / stride, W / stride]``."""
        y = self.depthwise(channel_shuffle(self.expand(x), GROUPS))
        y = channel_shuffle(self.project(y), self.out // GROUPS)
        return x + y if self.residual else y


class IGCV3(nn.Module):
    """The body between a 3x3 stem and a last 1x1. Input ``[N, 3, H, W]``, output ``[N, classes]``.

    The last 1x1 keeps 1280 channels below width 1.
    """

    def __init__(self, width: float, classes: int = 1000) -> None:
        super().__init__()
        inp = even(32 * width)
        self.stem = ConvBN(3, inp, 3, 2, activation=relu6)
        body = []
        for expansion, channels, repeats, stride in BODY:
            out = even(channels * width)
            for i in range(repeats):
                body.append(Block(inp, out, stride if i == 0 else 1, expansion, residual=i > 0))
                inp = out
        self.body = nn.Sequential(*body)
        last = even(1280 * max(1.0, width))
        self.head = ConvBN(inp, last, activation=relu6)
        self.classifier = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(global_pool(self.head(self.body(self.stem(x)))))


def build(width: float) -> IGCV3:
    """Build IGCV3-D with a width multiplier."""
    return IGCV3(width)
