"""ShuffleNet V2 (Ma, Zhang, Zheng, Sun: ECCV 2018, arXiv 1807.11164), Figure 3 (c, d) and Table 5."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import ConvBN, channel_shuffle, global_pool, relu

# Table 5: output channels of stage 2, 3, 4 and of conv5, by width.
CHANNELS = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
REPEATS = (4, 8, 4)  # units of stage 2, 3, 4; the first of each has stride 2


class Unit(nn.Module):
    """The unit of Figure 3 (c) at stride 1, of Figure 3 (d) at stride 2.

    Input ``[N, inp, H, W]``, output ``[N, out, H / stride, W / stride]``. At stride 1 half of the channels pass
    untouched (guideline G4: fewer element-wise operations), at stride 2 both halves are computed from all channels.
    """

    def __init__(self, inp: int, out: int, stride: int) -> None:
        super().__init__()
        half = out // 2
        self.stride = stride
        if stride == 2:
            self.shortcut = nn.Sequential(
                ConvBN(inp, inp, 3, 2, groups=inp, activation=None), ConvBN(inp, half, activation=relu)
            )
        self.branch = nn.Sequential(
            ConvBN(inp if stride == 2 else half, half, activation=relu),
            ConvBN(half, half, 3, stride, groups=half, activation=None),
            ConvBN(half, half, activation=relu),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, out, H / stride, W / stride]``."""
        if self.stride == 2:
            left, right = self.shortcut(x), self.branch(x)
        else:
            left, right = x.chunk(2, dim=1)
            right = self.branch(right)
        return channel_shuffle(torch.cat((left, right), dim=1), 2)


class ShuffleNetV2(nn.Module):
    """Table 5: 3x3 stem, max pool, three stages, 1x1 conv5, global pool, classifier.

    Input ``[N, 3, H, W]``, output ``[N, classes]``.
    """

    def __init__(self, channels: tuple[int, int, int, int], classes: int = 1000) -> None:
        super().__init__()
        self.stem = ConvBN(3, 24, 3, 2, activation=relu)
        self.pool = nn.MaxPool2d(3, 2, 1)
        stages = []
        inp = 24
        for out, repeats in zip(channels[:3], REPEATS, strict=True):
            units = [Unit(inp, out, 2), *(Unit(out, out, 1) for _ in range(repeats - 1))]
            stages.append(nn.Sequential(*units))
            inp = out
        self.stages = nn.Sequential(*stages)
        self.conv5 = ConvBN(inp, channels[3], activation=relu)
        self.classifier = nn.Linear(channels[3], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(global_pool(self.conv5(self.stages(self.pool(self.stem(x))))))


def build(width: float) -> ShuffleNetV2:
    """Build ShuffleNet V2 at one of the widths of Table 5."""
    return ShuffleNetV2(CHANNELS[width])
