"""Blocks that more than one family is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

TENSORFLOW_EPS = 1e-3  # of batch normalisation in slim, in Keras, and in the authors' code that is written with them


M = TypeVar("M", bound=nn.Module)


def with_eps(model: M, eps: float) -> M:
    """Give every batch normalisation of `model` that epsilon (PyTorch's default is 1e-5) and return `model`."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = eps
    return model


def make_divisible(channels: float, divisor: int = 8, floor: int | None = None) -> int:
    """Round a channel number to the nearest multiple of `divisor`, at least `floor`, never below 90% of it.

    This is how the MobileNet V2 and V3 reference code scales widths.
    """
    rounded = max(floor or divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


class ConvBN(nn.Sequential):
    """Convolution without bias, batch normalisation, and an activation (None: linear).

    Input ``[N, inp, H, W]``, output ``[N, out, ceil(H / stride), ceil(W / stride)]``: padding is half the kernel.
    """

    def __init__(
        self,
        inp: int,
        out: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: Callable[[], nn.Module] | None = nn.ReLU,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inp, out, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(out),
        ]
        if activation is not None:
            layers.append(activation())
        super().__init__(*layers)


def relu() -> nn.Module:
    """Return an in-place ReLU."""
    return nn.ReLU(inplace=True)


def relu6() -> nn.Module:
    """Return an in-place ReLU6, the activation of MobileNet V2."""
    return nn.ReLU6(inplace=True)


def hswish() -> nn.Module:
    """Return an in-place h-swish, x ReLU6(x + 3) / 6 (MobileNet V3, section 5.2)."""
    return nn.Hardswish(inplace=True)


class SqueezeExcite(nn.Module):
    """Squeeze-and-excitation (Hu et al. 2018, Figure 3): gate every channel by what the whole image shows.

    Input and output ``[N, channels, H, W]``; `squeezed` neurons in between, `gate` makes the factors (MobileNet V3,
    section 5.3: the hard sigmoid in place of the sigmoid).
    """

    def __init__(
        self,
        channels: int,
        squeezed: int,
        gate: Callable[[], nn.Module] = nn.Sigmoid,
        activation: Callable[[], nn.Module] = relu,
    ) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.activation = activation()
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, channels, H, W]`` to the same shape."""
        factors = nn.functional.adaptive_avg_pool2d(x, 1)
        return x * self.gate(self.expand(self.activation(self.reduce(factors))))


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Interleave the channels of `groups` groups: ``[N, C, H, W]`` in, the same shape out (ShuffleNet, Figure 1)."""
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


def global_pool(x: Tensor) -> Tensor:
    """Average over space: ``[N, C, H, W]`` in, ``[N, C]`` out."""
    return torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1)


def pool_to(x: Tensor, size: int) -> Tensor:
    """Average over space to ``size x size`` cells: ``[N, C, H, W]`` in, ``[N, C, size, size]`` out.

    Does nothing where the size fits already, so that the exported graph has no needless node.
    """
    return x if x.shape[-2:] == (size, size) else nn.functional.adaptive_avg_pool2d(x, size)
