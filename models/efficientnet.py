"""EfficientNet (Tan, Le: ICML 2019, arXiv 1905.11946), Table 1 and section 3.3."""

from __future__ import annotations

import math

from torch import Tensor, nn

from .blocks import TENSORFLOW_EPS, ConvBN, global_pool, make_divisible, with_eps
from .mnasnet import MBConv, Stage

# Table 1: B0. The squeeze of SE is a quarter of the block's input channels.
B0 = (
    Stage(1, 16, 1, 1, 3, 0.25),
    Stage(6, 24, 2, 2, 3, 0.25),
    Stage(6, 40, 2, 2, 5, 0.25),
    Stage(6, 80, 3, 2, 3, 0.25),
    Stage(6, 112, 3, 1, 5, 0.25),
    Stage(6, 192, 4, 2, 5, 0.25),
    Stage(6, 320, 1, 1, 3, 0.25),
)
# Width and depth multipliers and dropout; the resolutions are in the card. The paper gives the rule (section 3.3),
# the authors' code these numbers.
SCALES = {
    "b0": (1.0, 1.0, 0.2),
    "b1": (1.0, 1.1, 0.2),
    "b2": (1.1, 1.2, 0.3),
    "b3": (1.2, 1.4, 0.3),
    "b4": (1.4, 1.8, 0.4),
    "b5": (1.6, 2.2, 0.4),
    "b6": (1.8, 2.6, 0.5),
    "b7": (2.0, 3.1, 0.5),
}


def silu() -> nn.Module:
    """Return an in-place SiLU (swish), the activation of EfficientNet."""
    return nn.SiLU(inplace=True)


class EfficientNet(nn.Module):
    """Table 1 scaled in width and depth. Input ``[N, 3, H, W]``, output ``[N, classes]``.

    Channels are rounded to multiples of 8, repeats are rounded up.
    """

    def __init__(self, width: float, depth: float, dropout: float, classes: int = 1000) -> None:
        super().__init__()
        inp = make_divisible(32 * width)
        self.stem = ConvBN(3, inp, 3, 2, activation=silu)
        body = []
        for stage in B0:
            out = make_divisible(stage.channels * width)
            for i in range(math.ceil(stage.repeats * depth)):
                body.append(MBConv(inp, out, stage.stride if i == 0 else 1, stage, silu))
                inp = out
        self.body = nn.Sequential(*body)
        last = make_divisible(1280 * width)
        self.head = ConvBN(inp, last, activation=silu)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(self.dropout(global_pool(self.head(self.body(self.stem(x))))))


def build(variant: str) -> EfficientNet:
    """Build EfficientNet-B0 to -B7."""
    return with_eps(EfficientNet(*SCALES[variant]), TENSORFLOW_EPS)
