"""SqueezeNet (Iandola et al. 2016, arXiv 1602.07360), Table 1 and Figure 2; version 1.1 from its repository."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import relu

# Table 1: s1x1 and e1x1 = e3x3 of fire2 to fire9.
FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
# conv1 (channels, kernel), and the fire modules that max pooling follows (0: conv1 itself; fire n is n - 1 here).
VERSIONS = {"1.0": ((96, 7), (0, 3, 7)), "1.1": ((64, 3), (0, 2, 4))}


class Fire(nn.Module):
    """Squeeze to few channels by 1x1, expand by 1x1 and 3x3 side by side (section 3.2).

    Input ``[N, inp, H, W]``, output ``[N, 2 * expand, H, W]``. `bypass` adds the input (section 6, Figure 2): "simple"
    where the shapes agree, "complex" through a 1x1 convolution where they do not.
    """

    def __init__(self, inp: int, squeeze: int, expand: int, bypass: str) -> None:
        super().__init__()
        out = 2 * expand
        self.squeeze = nn.Conv2d(inp, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.relu = relu()
        self.adds = bypass == "complex" or (bypass == "simple" and inp == out)
        self.bypass = nn.Conv2d(inp, out, 1) if bypass == "complex" and inp != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, 2 * expand, H, W]``."""
        squeezed = self.relu(self.squeeze(x))
        y = torch.cat((self.relu(self.expand1x1(squeezed)), self.relu(self.expand3x3(squeezed))), dim=1)
        return y + self.bypass(x) if self.adds else y


class SqueezeNet(nn.Module):
    """Table 1: conv1, fire2 to fire9 with three max pools among them, conv10, global pool.

    Input ``[N, 3, H, W]``, output ``[N, classes]``. The classifier is the convolution conv10; there is no linear layer.
    """

    def __init__(self, version: str, bypass: str, classes: int = 1000) -> None:
        super().__init__()
        (inp, kernel), pooled = VERSIONS[version]
        layers: list[nn.Module] = [nn.Conv2d(3, inp, kernel, 2), relu()]
        for i, (squeeze, expand) in enumerate(FIRES, start=1):
            if i - 1 in pooled:
                layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            layers.append(Fire(inp, squeeze, expand, bypass))
            inp = 2 * expand
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.5)
        self.conv10 = nn.Conv2d(inp, classes, 1)
        self.relu = relu()

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        x = self.relu(self.conv10(self.dropout(self.features(x))))
        return torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1)


def build(version: str, bypass: str) -> SqueezeNet:
    """Build SqueezeNet 1.0 or 1.1, with the bypass connections of section 6 ("none", "simple" or "complex")."""
    return SqueezeNet(version, bypass)
