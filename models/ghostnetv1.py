"""GhostNet (Han et al.: CVPR 2020, arXiv 1911.11907), Figures 2 and 3 and its architecture table."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .blocks import ConvBN, SqueezeExcite, global_pool, make_divisible, relu

# Kernel of the depthwise convolutions, expansion, output channels, SE, stride of each bottleneck.
BODY = (
    (3, 16, 16, False, 1),
    (3, 48, 24, False, 2),
    (3, 72, 24, False, 1),
    (5, 72, 40, True, 2),
    (5, 120, 40, True, 1),
    (3, 240, 80, False, 2),
    (3, 200, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 480, 112, True, 1),
    (3, 672, 112, True, 1),
    (5, 672, 160, True, 2),
    (5, 960, 160, False, 1),
    (5, 960, 160, True, 1),
    (5, 960, 160, False, 1),
    (5, 960, 160, True, 1),
)


class GhostModule(nn.Module):
    """Make `out` feature maps from `inp`: one in `ratio` by a 1x1 convolution, the others from those by depthwise ones.

    Input ``[N, inp, H, W]``, output ``[N, out, H, W]`` (Figure 2 (b); s is `ratio`, d is `kernel`).
    """

    def __init__(
        self, inp: int, out: int, ratio: int, kernel: int, activation: Callable[[], nn.Module] | None = relu
    ) -> None:
        super().__init__()
        intrinsic = math.ceil(out / ratio)
        made = intrinsic * (ratio - 1)
        self.out = out
        self.surplus = intrinsic + made - out
        self.primary = ConvBN(inp, intrinsic, activation=activation)
        self.cheap = ConvBN(intrinsic, made, kernel, groups=intrinsic, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, out, H, W]``."""
        intrinsic = self.primary(x)
        y = torch.cat((intrinsic, self.cheap(intrinsic)), dim=1)
        return y[:, : self.out] if self.surplus else y


class GhostBottleneck(nn.Module):
    """Two ghost modules, a depthwise convolution between them at stride 2, and a shortcut (Figure 3).

    Input ``[N, inp, H, W]``, output ``[N, out, H / stride, W / stride]``. `expand` is the first ghost module.
    """

    def __init__(
        self, expand: nn.Module, project: nn.Module, inp: int, wide: int, out: int, kernel: int, se: bool, stride: int
    ) -> None:
        super().__init__()
        self.expand = expand
        self.depthwise = (
            ConvBN(wide, wide, kernel, stride, groups=wide, activation=None) if stride == 2 else nn.Identity()
        )
        self.se = SqueezeExcite(wide, make_divisible(wide / 4, 4), nn.Hardsigmoid) if se else nn.Identity()
        self.project = project
        self.shortcut = (
            nn.Identity()
            if stride == 1 and inp == out
            else nn.Sequential(
                ConvBN(inp, inp, kernel, stride, groups=inp, activation=None), ConvBN(inp, out, activation=None)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, out, H / stride, W / stride]``."""
        return self.project(self.se(self.depthwise(self.expand(x)))) + self.shortcut(x)


class GhostNet(nn.Module):
    """The architecture table at a width. Input ``[N, 3, H, W]``, output ``[N, classes]``.

    Channel numbers are rounded to multiples of 4, as in the authors' code; the layer after the pool keeps its 1280.
    `expand` makes the first ghost module of bottleneck `i` from ``(i, inp, out)``.
    """

    def __init__(
        self,
        width: float,
        ratio: int,
        kernel: int,
        expand: Callable[[int, int, int], nn.Module] | None = None,
        classes: int = 1000,
    ) -> None:
        super().__init__()
        inp = make_divisible(16 * width, 4)
        self.stem = ConvBN(3, inp, 3, 2, activation=relu)
        body = []
        for i, (depthwise, exp, channels, se, stride) in enumerate(BODY):
            wide, out = make_divisible(exp * width, 4), make_divisible(channels * width, 4)
            first = expand(i, inp, wide) if expand else GhostModule(inp, wide, ratio, kernel)
            second = GhostModule(wide, out, ratio, kernel, activation=None)
            body.append(GhostBottleneck(first, second, inp, wide, out, depthwise, se, stride))
            inp = out
        self.body = nn.Sequential(*body)
        last = make_divisible(960 * width, 4)
        self.head = ConvBN(inp, last, activation=relu)
        self.hidden = nn.Linear(last, 1280)
        self.relu = relu()
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(1280, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        x = self.hidden(global_pool(self.head(self.body(self.stem(x)))))
        return self.classifier(self.dropout(self.relu(x)))


def build(width: float, ratio: int, kernel: int) -> GhostNet:
    """Build GhostNet at a width; `ratio` and `kernel` are s and d of its ghost modules."""
    return GhostNet(width, ratio, kernel)
