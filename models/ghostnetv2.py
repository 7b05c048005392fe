"""GhostNetV2 (Tang et al.: NeurIPS 2022, arXiv 2211.12905): GhostNet with decoupled fully connected (DFC) attention."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import ConvBN
from .ghostnetv1 import GhostModule, GhostNet

# The first two bottlenecks have no attention (the authors' code).
PLAIN = 2
RATIO, KERNEL = 2, 3  # of the ghost modules, as in GhostNet


class AttentiveGhost(nn.Module):
    """A ghost module whose output DFC attention weighs, pixel by pixel.

    Input ``[N, inp, H, W]``, output ``[N, out, H, W]``. The attention is computed at half the resolution: a 1x1
    convolution, then 1x5 and 5x1 depthwise ones that gather along rows and columns.
    """

    def __init__(self, inp: int, out: int) -> None:
        super().__init__()
        self.ghost = GhostModule(inp, out, RATIO, KERNEL)
        self.attention = nn.Sequential(
            nn.AvgPool2d(2, 2),
            ConvBN(inp, out, activation=None),
            nn.Conv2d(out, out, (1, 5), padding=(0, 2), groups=out, bias=False),
            nn.BatchNorm2d(out),
            nn.Conv2d(out, out, (5, 1), padding=(2, 0), groups=out, bias=False),
            nn.BatchNorm2d(out),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, out, H, W]``."""
        y = self.ghost(x)
        return y * nn.functional.interpolate(self.attention(x), size=y.shape[-2:], mode="nearest")


def _expand(index: int, inp: int, out: int) -> nn.Module:
    return GhostModule(inp, out, RATIO, KERNEL) if index < PLAIN else AttentiveGhost(inp, out)


def build(width: float) -> GhostNet:
    """Build GhostNetV2 at a width: GhostNet with attention in the first ghost module of all but two bottlenecks."""
    return GhostNet(width, RATIO, KERNEL, _expand)
