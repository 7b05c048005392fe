"""Inception V3 (Szegedy, Vanhoucke, Ioffe, Shlens, Wojna: CVPR 2016, arXiv 1512.00567), Table 1, Figures 5 to 7, 10.

The paper leaves the channels inside the modules to the authors' code; these are its numbers. The auxiliary
classifier only serves training and is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import TENSORFLOW_EPS, global_pool, relu, with_eps

Size = int | tuple[int, int]


class Conv(nn.Sequential):
    """Convolution, batch normalisation, ReLU; padded to keep the size unless `valid`."""

    def __init__(self, inp: int, out: int, kernel: Size = 1, stride: int = 1, valid: bool = False) -> None:
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (0, 0) if valid else (height // 2, width // 2)
        super().__init__(nn.Conv2d(inp, out, (height, width), stride, padding, bias=False), nn.BatchNorm2d(out), relu())


def chain(inp: int, *layers: tuple[int, Size]) -> nn.Sequential:
    """Convolutions in a row, each given by its output channels and kernel."""
    convs = []
    for out, kernel in layers:
        convs.append(Conv(inp, out, kernel))
        inp = out
    return nn.Sequential(*convs)


def pooled(inp: int, out: int) -> nn.Sequential:
    """The pooling branch: 3x3 mean, then 1x1."""
    return nn.Sequential(nn.AvgPool2d(3, 1, 1), Conv(inp, out))


class Branches(nn.ModuleList):
    """Branches on the same input, joined over channels: ``[N, sum of the branches' channels, H', W']``."""

    def forward(self, x: Tensor) -> Tensor:
        """Run every branch on the same input."""
        return torch.cat([branch(x) for branch in self], dim=1)


def module35(inp: int, pool: int) -> Branches:
    """Figure 5, at 35x35: 1x1, 5x5, double 3x3 and pooling; `pool` channels from the last."""
    return Branches(
        [Conv(inp, 64), chain(inp, (48, 1), (64, 5)), chain(inp, (64, 1), (96, 3), (96, 3)), pooled(inp, pool)]
    )


def module17(inp: int, inner: int) -> Branches:
    """Figure 6, at 17x17: 7x7 convolutions as 1x7 and 7x1, with `inner` channels between."""
    single = chain(inp, (inner, 1), (inner, (1, 7)), (192, (7, 1)))
    double = chain(inp, (inner, 1), (inner, (7, 1)), (inner, (1, 7)), (inner, (7, 1)), (192, (1, 7)))
    return Branches([Conv(inp, 192), single, double, pooled(inp, 192)])


def split3x3(inp: int, out: int) -> Branches:
    """1x3 and 3x1 side by side."""
    return Branches([Conv(inp, out, (1, 3)), Conv(inp, out, (3, 1))])


def module8(inp: int) -> Branches:
    """Figure 7, at 8x8: the last convolutions of two branches are 1x3 and 3x1 side by side."""
    single = nn.Sequential(Conv(inp, 384), split3x3(384, 384))
    double = nn.Sequential(Conv(inp, 448), Conv(448, 384, 3), split3x3(384, 384))
    return Branches([Conv(inp, 320), single, double, pooled(inp, 192)])


def reduction35(inp: int) -> Branches:
    """Figure 10, 35x35 to 17x17: convolutions of stride 2 beside a max pool."""
    double = nn.Sequential(Conv(inp, 64), Conv(64, 96, 3), Conv(96, 96, 3, 2, valid=True))
    return Branches([Conv(inp, 384, 3, 2, valid=True), double, nn.MaxPool2d(3, 2)])


def reduction17(inp: int) -> Branches:
    """17x17 to 8x8."""
    single = nn.Sequential(Conv(inp, 192), Conv(192, 320, 3, 2, valid=True))
    double = nn.Sequential(chain(inp, (192, 1), (192, (1, 7)), (192, (7, 1))), Conv(192, 192, 3, 2, valid=True))
    return Branches([single, double, nn.MaxPool2d(3, 2)])


class InceptionV3(nn.Module):
    """Table 1. Input ``[N, 3, H, W]`` of at least 75x75 pixels, output ``[N, classes]``."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            Conv(3, 32, 3, 2, valid=True),
            Conv(32, 32, 3, valid=True),
            Conv(32, 64, 3),
            nn.MaxPool2d(3, 2),
            Conv(64, 80, 1),
            Conv(80, 192, 3, valid=True),
            nn.MaxPool2d(3, 2),
        )
        self.body = nn.Sequential(
            module35(192, 32),
            module35(256, 64),
            module35(288, 64),
            reduction35(288),
            module17(768, 128),
            module17(768, 160),
            module17(768, 160),
            module17(768, 192),
            reduction17(768),
            module8(1280),
            module8(2048),
        )
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(2048, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(self.dropout(global_pool(self.body(self.stem(x)))))


def build() -> InceptionV3:
    """Build Inception V3."""
    return with_eps(InceptionV3(), TENSORFLOW_EPS)
