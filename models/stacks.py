"""Stacks of small blocks that differ in one thing: the controlled experiments of the papers.

ShuffleNet V2 (Ma et al. 2018, arXiv 1807.11164), section 2: each of G1 to G4 stacks ten blocks on feature maps of
56x56 and changes one property at equal multiply-adds. The paper does not print how an image becomes the first feature
map, or what follows the last; here a 1x1 convolution makes the channels out of the image's three (0.1 to 2% of the
MACs), and a global average pool ends the stack. Where the paper speaks of convolutions, there are convolutions with a
bias and nothing else: batch normalisation would be folded by a runtime and would not be by eager PyTorch.

No family of the zoo: no card names them, and `bench.plan.zoo` reads their specs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .blocks import channel_shuffle, global_pool

BLOCKS = 10


class Stack(nn.Module):
    """An image to `channels` by 1x1, ten blocks, a global pool. Input ``[N, 3, H, W]``, output ``[N, channels]``."""

    def __init__(self, channels: int, block: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 1)
        self.blocks = nn.Sequential(*(block() for _ in range(BLOCKS)))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` to ``[N, channels]``."""
        return global_pool(self.blocks(self.stem(x)))


class Parallel(nn.Module):
    """The sum of `n` 1x1 convolutions of the same input (appendix, Figure 1). Input and output ``[N, C, H, W]``."""

    def __init__(self, channels: int, n: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(n))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        first, *others = (branch(x) for branch in self.branches)
        for other in others:
            first = first + other
        return first


class Unit(nn.Module):
    """1x1 from `c` to `m` channels, 3x3, 1x1 back; groups, ReLU, shortcut and channel shuffle as told.

    Input and output ``[N, c, H, W]``. With `pointwise` groups in the 1x1 and `spatial` in the 3x3 it is the unit of
    ResNet (1, 1), ResNeXt (1, g) or ShuffleNet (g, m), as in section 3.1 of ShuffleNet V1.
    """

    def __init__(self, c: int, m: int, pointwise: int, spatial: int, relu: bool, shortcut: bool, shuffle: bool) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(c, m, 1, groups=pointwise)
        self.middle = nn.Conv2d(m, m, 3, padding=1, groups=spatial)
        self.expand = nn.Conv2d(m, c, 1, groups=pointwise)
        self.relu: Callable[[Tensor], Tensor] = nn.ReLU() if relu else nn.Identity()
        self.shortcut = shortcut
        self.shuffle = pointwise if shuffle else 1

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, c, H, W]`` to the same shape."""
        y = self.relu(self.reduce(x))
        if self.shuffle > 1:
            y = channel_shuffle(y, self.shuffle)
        y = self.expand(self.relu(self.middle(y)))
        return self.relu(x + y if self.shortcut else y)


class Ghost(nn.Module):
    """A ghost module of ratio `s` (Han et al. 2020, section 3.1): a dense 3x3 convolution makes one map in `s`.

    Cheap depthwise 3x3 operations make the others. Input and output ``[N, C, H, W]``.
    """

    def __init__(self, channels: int, s: int) -> None:
        super().__init__()
        primary = channels // s
        self.primary = nn.Conv2d(channels, primary, 3, padding=1)
        self.cheap = nn.Conv2d(primary, channels - primary, 3, padding=1, groups=primary)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        y = self.primary(x)
        return torch.cat((y, self.cheap(y)), dim=1)


def g1(c1: int, c2: int) -> Stack:
    """G1, Table 1: each block a 1x1 convolution from `c1` to `c2` channels and one back."""
    return Stack(c1, lambda: nn.Sequential(nn.Conv2d(c1, c2, 1), nn.Conv2d(c2, c1, 1)))


def conv(c: int, groups: int = 1, kernel: int = 1) -> Stack:
    """G2, Table 2: each block one convolution of `c` channels in `groups` groups."""
    return Stack(c, lambda: nn.Conv2d(c, c, kernel, padding=kernel // 2, groups=groups))


def series(c: int, n: int) -> Stack:
    """G3, Table 3: each block `n` 1x1 convolutions of `c` channels, one after another."""
    return Stack(c, lambda: nn.Sequential(*(nn.Conv2d(c, c, 1) for _ in range(n))))


def parallel(c: int, n: int) -> Stack:
    """G3, Table 3: each block `n` 1x1 convolutions of `c` channels, side by side and added."""
    return Stack(c, lambda: Parallel(c, n))


def unit(
    c: int,
    m: int,
    pointwise: int = 1,
    spatial: int = 1,
    relu: bool = True,
    shortcut: bool = True,
    shuffle: bool = False,
) -> Stack:
    """G4, Table 4: ResNet's bottleneck with or without ReLU and shortcut; other papers' units by their groups."""
    return Stack(c, lambda: Unit(c, m, pointwise, spatial, relu, shortcut, shuffle))


def ghost(c: int, s: int) -> Stack:
    """Each block a ghost module of ratio `s`; ``conv`` with kernel 3 is what it replaces."""
    return Stack(c, lambda: Ghost(c, s))


STACKS: dict[str, Callable[..., Stack]] = {
    "g1": g1,
    "conv": conv,
    "series": series,
    "parallel": parallel,
    "unit": unit,
    "ghost": ghost,
}


def build(stack: str, **parameters: int | bool) -> Stack:
    """Build the stack of that name."""
    return STACKS[stack](**parameters)
