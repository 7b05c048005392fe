"""Two search spaces, a random network of each per seed: what a search for an architecture asks a predictor.

    bench run --model benchmarks/predict_spaces.py:mobile:seed=7

`mobile` is the space of Once-for-All (Cai et al., ICLR 2020) around MobileNet V3: per stage two to four blocks, per
block a window of 3, 5 or 7 and an expansion of 3, 4 or 6, squeeze-and-excitation and activation as in MobileNet V3;
besides, a width of its own for each stage. `residual` is around ResNet: basic or bottleneck blocks, two to four stages'
depths, widths, expansions and windows, a plain or a deep stem, a strided or an averaged shortcut. Channels are
multiples of 8. The resolution that goes with a seed is drawn by `benchmarks/predict_networks.py`.

Imports nothing but PyTorch: it is read as a file, wherever it lies.
"""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn

# Channels, stride, squeeze-and-excitation and whether Hardswish, of the stages of MobileNet V3 Large.
MOBILE = ((24, 2, False, False), (40, 2, True, False), (80, 2, False, True), (112, 1, True, True), (160, 2, True, True))
RESIDUAL = (48, 96, 160, 288)
CLASSES = 1000


def mobile(seed: int) -> nn.Module:
    """Return a network of the space around MobileNet V3."""
    rng = random.Random(seed)
    c = _round(16 * rng.choice((0.75, 1.0, 1.25)))
    layers: list[nn.Module] = [_conv(3, c, 3, 2, nn.Hardswish()), Inverted(c, c, 3, 1, c, False, False)]
    for base, stride, squeeze, hard in MOBILE:
        out = _round(base * rng.choice((0.65, 0.8, 1.0, 1.2)))
        for i in range(rng.randint(2, 4)):
            inner = _round(c * rng.choice((3, 4, 6)))
            layers.append(Inverted(c, out, rng.choice((3, 5, 7)), 1 if i else stride, inner, squeeze, hard))
            c = out
    head = c * 6
    layers += [_conv(c, head, 1, 1, nn.Hardswish()), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    layers += [nn.Linear(head, 1280), nn.Hardswish(), nn.Linear(1280, CLASSES)]
    return nn.Sequential(*layers)


def residual(seed: int) -> nn.Module:
    """Return a network of the space around ResNet."""
    rng = random.Random(seed)
    width = rng.choice((0.5, 0.65, 0.8, 1.0))
    bottleneck, deep, averaged = rng.random() < 0.5, rng.random() < 0.5, rng.random() < 0.5
    c = _round(64 * width)
    if deep:
        half = _round(c / 2)
        layers = [_conv(3, half, 3, 2), _conv(half, half, 3, 1), _conv(half, c, 3, 1)]
    else:
        layers = [_conv(3, c, 7, 2)]
    layers.append(nn.MaxPool2d(3, 2, 1))
    for stage, base in enumerate(RESIDUAL):
        wide = rng.choice((0.8, 1.0, 1.25)) * width
        out = _round(base * wide * (2 if bottleneck else 1))
        for i in range(rng.randint(1, 4)):
            stride = 2 if stage and not i else 1
            window = rng.choice((3, 3, 5))
            inner = _round(out * rng.choice((0.2, 0.25, 0.35))) if bottleneck else out
            layers.append(Residual(c, out, inner, window, stride, bottleneck, averaged))
            c = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, CLASSES))


class Inverted(nn.Module):
    """An inverted residual block: widen, depthwise, squeeze and excite, narrow."""

    def __init__(self, c: int, out: int, window: int, stride: int, inner: int, squeeze: bool, hard: bool) -> None:
        super().__init__()
        act = nn.Hardswish if hard else nn.ReLU
        layers = [_conv(c, inner, 1, 1, act())] if inner != c else []
        layers.append(_conv(inner, inner, window, stride, act(), inner))
        if squeeze:
            layers.append(Excite(inner))
        self.body = nn.Sequential(*layers, _conv(inner, out, 1, 1, nn.Identity()))
        self.same = stride == 1 and c == out

    def forward(self, x: Tensor) -> Tensor:
        """Map NCHW to NCHW, with a shortcut where the shapes allow."""
        return x + self.body(x) if self.same else self.body(x)


class Excite(nn.Module):
    """Squeeze-and-excitation as in MobileNet V3: a quarter of the channels, Hardsigmoid."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(c, _round(c / 4), 1), nn.Conv2d(_round(c / 4), c, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels of NCHW."""
        inner = torch.relu(self.squeeze(x.mean((2, 3), keepdim=True)))
        return x * nn.functional.hardsigmoid(self.excite(inner))


class Residual(nn.Module):
    """A basic or bottleneck block; the shortcut is a strided convolution, or an average and then a convolution."""

    def __init__(
        self, c: int, out: int, inner: int, window: int, stride: int, bottleneck: bool, averaged: bool
    ) -> None:
        super().__init__()
        if bottleneck:
            layers = [_conv(c, inner, 1, 1), _conv(inner, inner, window, stride)]
            layers.append(_conv(inner, out, 1, 1, nn.Identity()))
        else:
            layers = [_conv(c, inner, window, stride), _conv(inner, out, 3, 1, nn.Identity())]
        self.body = nn.Sequential(*layers)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 and averaged:
            self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), _conv(c, out, 1, 1, nn.Identity()))
        elif stride > 1 or c != out:
            self.shortcut = _conv(c, out, 1, stride, nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        """Map NCHW to NCHW."""
        return torch.relu(self.body(x) + self.shortcut(x))


def _conv(c: int, out: int, window: int, stride: int, act: nn.Module | None = None, group: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(c, out, window, stride, window // 2, groups=group, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), act or nn.ReLU())


def _round(channels: float) -> int:
    return max(8, round(channels / 8) * 8)
