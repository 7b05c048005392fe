"""DenseNet-BC (Huang, Liu, van der Maaten, Weinberger: CVPR 2017, arXiv 1608.06993), Table 1."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import ConvBN, global_pool, relu

# Layers of each dense block. Table 1 gives 121, 169, 201 and 264, all with growth rate 32; its first version had 161
# with growth rate 48.
LAYERS = {
    121: (6, 12, 24, 16),
    161: (6, 12, 36, 24),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
    264: (6, 12, 64, 48),
}
GROWTH = {depth: 48 if depth == 161 else 32 for depth in LAYERS}


class NormConv(nn.Sequential):
    """Batch normalisation, ReLU, convolution: the order of DenseNet. ``[N, inp, H, W]`` to ``[N, out, H, W]``."""

    def __init__(self, inp: int, out: int, kernel: int) -> None:
        super().__init__(nn.BatchNorm2d(inp), relu(), nn.Conv2d(inp, out, kernel, padding=kernel // 2, bias=False))


class Dense(nn.Module):
    """A bottleneck layer: 1x1 to four times the growth rate, 3x3, joined to its input (section 3).

    Input ``[N, inp, H, W]``, output ``[N, inp + growth, H, W]``.
    """

    def __init__(self, inp: int, growth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(NormConv(inp, 4 * growth, 1), NormConv(4 * growth, growth, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, inp + growth, H, W]``."""
        return torch.cat((x, self.layers(x)), dim=1)


class DenseNet(nn.Module):
    """Table 1: 7x7 stem, max pool, four dense blocks with transitions between, global pool, classifier.

    Input ``[N, 3, H, W]``, output ``[N, classes]``. A transition halves the channels (theta = 0.5) and the size.
    """

    def __init__(self, layers: tuple[int, ...], growth: int, classes: int = 1000) -> None:
        super().__init__()
        inp = 2 * growth
        self.stem = ConvBN(3, inp, 7, 2, activation=relu)
        self.pool = nn.MaxPool2d(3, 2, 1)
        body: list[nn.Module] = []
        for block, count in enumerate(layers):
            if block > 0:
                body += [NormConv(inp, inp // 2, 1), nn.AvgPool2d(2)]
                inp //= 2
            for _ in range(count):
                body.append(Dense(inp, growth))
                inp += growth
        self.body = nn.Sequential(*body, nn.BatchNorm2d(inp), relu())
        self.classifier = nn.Linear(inp, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(global_pool(self.body(self.pool(self.stem(x)))))


def build(depth: int) -> DenseNet:
    """Build DenseNet-BC at one of the published depths."""
    return DenseNet(LAYERS[depth], GROWTH[depth])
