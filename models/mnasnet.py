"""MnasNet (Tan, Chen, Pang, Vasudevan, Sandler, Howard, Le: CVPR 2019, arXiv 1807.11626), Figure 7, and its B1."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from .blocks import TENSORFLOW_EPS, ConvBN, SqueezeExcite, global_pool, make_divisible, relu, with_eps


class Stage(NamedTuple):
    """A row of a table of inverted residuals: `squeeze` is the SE ratio to the block's input, 0 for none."""

    expansion: int
    channels: int
    repeats: int
    stride: int
    kernel: int
    squeeze: float = 0.0


# Figure 7 (a): A1. The second block of the figure, SepConv, is the first row with expansion 1.
A1 = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(3, 40, 3, 2, 5, 0.25),
    Stage(6, 80, 4, 2, 3),
    Stage(6, 112, 2, 1, 3, 0.25),
    Stage(6, 160, 3, 2, 5, 0.25),
    Stage(6, 320, 1, 1, 3),
)
# B1, searched without squeeze and excitation: the MnasNet of the first arXiv version, torchvision's and TPU's.
B1 = (
    Stage(1, 16, 1, 1, 3),
    Stage(3, 24, 3, 2, 3),
    Stage(3, 40, 3, 2, 5),
    Stage(6, 80, 3, 2, 5),
    Stage(6, 96, 2, 1, 3),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)
VARIANTS = {"a1": A1, "b1": B1}
LAST = 1280  # channels of the last 1x1 convolution, at every width


class MBConv(nn.Module):
    """Inverted residual with a kernel of any size and optional squeeze and excitation (Figure 7, b to d).

    Input ``[N, inp, H, W]``, output ``[N, out, ceil(H / stride), ceil(W / stride)]``.
    """

    def __init__(
        self, inp: int, out: int, stride: int, stage: Stage, activation: Callable[[], nn.Module] = relu
    ) -> None:
        super().__init__()
        hidden = inp * stage.expansion
        layers: list[nn.Module] = []
        if stage.expansion != 1:
            layers.append(ConvBN(inp, hidden, activation=activation))
        layers.append(ConvBN(hidden, hidden, stage.kernel, stride, groups=hidden, activation=activation))
        if stage.squeeze:
            layers.append(SqueezeExcite(hidden, max(1, int(inp * stage.squeeze)), activation=activation))
        layers.append(ConvBN(hidden, out, activation=None))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inp == out

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, out, ceil(H / stride), ceil(W / stride)]``."""
        y = self.layers(x)
        return x + y if self.residual else y


class MnasNet(nn.Module):
    """Figure 7 at a width multiplier. Input ``[N, 3, H, W]``, output ``[N, classes]``."""

    def __init__(self, stages: tuple[Stage, ...], width: float, classes: int = 1000) -> None:
        super().__init__()
        inp = make_divisible(32 * width)
        self.stem = ConvBN(3, inp, 3, 2, activation=relu)
        body = []
        for stage in stages:
            out = make_divisible(stage.channels * width)
            for i in range(stage.repeats):
                body.append(MBConv(inp, out, stage.stride if i == 0 else 1, stage))
                inp = out
        self.body = nn.Sequential(*body)
        self.head = ConvBN(inp, LAST, activation=relu)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(LAST, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(self.dropout(global_pool(self.head(self.body(self.stem(x))))))


def build(variant: str, width: float) -> MnasNet:
    """Build MnasNet-A1 or -B1 with a width multiplier."""
    return with_eps(MnasNet(VARIANTS[variant], width), TENSORFLOW_EPS)
