"""CondenseNet-74 (Huang, Liu, van der Maaten, Weinberger: CVPR 2018, arXiv 1711.09224), Table 1, as it is deployed.

Training prunes each 1x1 convolution until it is a grouped one over an index of its input channels (section 3.3). Which
channels the index holds is learned; here it takes them in turn, a stand-in that costs what the learned one costs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import channel_shuffle, global_pool, relu

LAYERS = (4, 6, 8, 10, 8)  # Table 1: layers of each dense block
GROWTH = (8, 16, 32, 64, 128)  # growth rate, doubled from block to block
BOTTLENECK = 4


class NormConv(nn.Sequential):
    """Batch normalisation, ReLU, grouped convolution. ``[N, inp, H, W]`` to ``[N, out, H, W]``."""

    def __init__(self, inp: int, out: int, kernel: int, groups: int) -> None:
        super().__init__(
            nn.BatchNorm2d(inp), relu(), nn.Conv2d(inp, out, kernel, padding=kernel // 2, groups=groups, bias=False)
        )


class Dense(nn.Module):
    """Index, grouped 1x1, shuffle, grouped 3x3, joined to the input (Figure 1, right).

    Input ``[N, inp, H, W]``, output ``[N, inp + growth, H, W]``.
    """

    index: Tensor

    def __init__(self, inp: int, growth: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.register_buffer("index", torch.arange(inp).view(-1, groups).t().flatten())
        self.condensed = NormConv(inp, BOTTLENECK * growth, 1, groups)
        self.grown = NormConv(BOTTLENECK * growth, growth, 3, groups)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, inp + growth, H, W]``."""
        y = channel_shuffle(self.condensed(x.index_select(1, self.index)), self.groups)
        return torch.cat((x, self.grown(y)), dim=1)


class CondenseNet(nn.Module):
    """Table 1: 3x3 stem, five dense blocks with average pools between, global pool, classifier.

    Input ``[N, 3, H, W]``, output ``[N, classes]``. The classifier too is pruned: it sees half of the features.
    """

    features: Tensor

    def __init__(self, groups: int, classes: int = 1000) -> None:
        super().__init__()
        inp = 2 * GROWTH[0]
        self.stem = nn.Conv2d(3, inp, 3, 2, 1, bias=False)
        body: list[nn.Module] = []
        for block, (layers, growth) in enumerate(zip(LAYERS, GROWTH, strict=True)):
            if block > 0:
                body.append(nn.AvgPool2d(2))
            for _ in range(layers):
                body.append(Dense(inp, growth, groups))
                inp += growth
        self.body = nn.Sequential(*body, nn.BatchNorm2d(inp), relu())
        self.register_buffer("features", torch.arange(0, inp, 2))
        self.classifier = nn.Linear(inp // 2, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(global_pool(self.body(self.stem(x))).index_select(1, self.features))


def build(groups: int) -> CondenseNet:
    """Build CondenseNet-74 with equal numbers of groups and condensation factor (G = C)."""
    return CondenseNet(groups)
