"""MobileNet V2 (Sandler, Howard, Zhu, Zhmoginov, Chen: CVPR 2018, arXiv 1801.04381), Tables 1 and 2."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import TENSORFLOW_EPS, ConvBN, global_pool, make_divisible, relu6, with_eps

# Table 2: expansion t, output channels c, repeats n, stride s of the first.
BODY = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """Table 1: expand by 1x1, depthwise 3x3, project linearly; a shortcut where the shapes agree.

    Input ``[N, inp, H, W]``, output ``[N, out, H / stride, W / stride]``.
    """

    def __init__(self, inp: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inp * expansion
        layers = [ConvBN(inp, hidden, activation=relu6)] if expansion != 1 else []
        self.layers = nn.Sequential(
            *layers,
            ConvBN(hidden, hidden, 3, stride, groups=hidden, activation=relu6),
            ConvBN(hidden, out, activation=None),
        )
        self.residual = stride == 1 and inp == out

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, out, H / stride, W / stride]``."""
        y = self.layers(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """Table 2 at a width multiplier. Input ``[N, 3, H, W]``, output ``[N, classes]``.

    Channel numbers are rounded to multiples of 8. The last 1x1 keeps 1280 channels below width 1 (section 6.1).
    """

    def __init__(self, width: float, classes: int = 1000) -> None:
        super().__init__()
        inp = make_divisible(32 * width)
        self.stem = ConvBN(3, inp, 3, 2, activation=relu6)
        body = []
        for expansion, channels, repeats, stride in BODY:
            out = make_divisible(channels * width)
            for i in range(repeats):
                body.append(InvertedResidual(inp, out, stride if i == 0 else 1, expansion))
                inp = out
        self.body = nn.Sequential(*body)
        last = make_divisible(1280 * max(1.0, width))
        self.head = ConvBN(inp, last, activation=relu6)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(self.dropout(global_pool(self.head(self.body(self.stem(x))))))


def build(width: float) -> MobileNetV2:
    """Build MobileNet V2 with a width multiplier."""
    return with_eps(MobileNetV2(width), TENSORFLOW_EPS)
