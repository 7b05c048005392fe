"""ShuffleNet (Zhang, Zhou, Lin, Sun: CVPR 2018, arXiv 1707.01083), Figure 2 (b, c) and Table 1.

Where the channels are shuffled, and in which order, is taken from the authors' code (see the notes on the card).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import ConvBN, SqueezeExcite, channel_shuffle, global_pool, relu

# Table 1: output channels of stage 2 by number of groups; stage 3 has twice, stage 4 four times as many.
STAGE2 = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
# Output channels of conv1. The authors' code keeps 24 at width 1.5.
STEM = {0.25: 6, 0.5: 12, 1.0: 24, 1.5: 24, 2.0: 48}
REPEATS = (4, 8, 4)  # units of stage 2, 3, 4; the first of each has stride 2
SE_REDUCTION = 16  # the default of Hu et al. 2018, who add SE to a ShuffleNet, too


def channels(width: float, groups: int) -> tuple[int, int, int, int]:
    """Return the output channels of conv1 and of stage 2, 3, 4.

    Every grouped convolution must divide: the bottleneck is a quarter of a stage, so stage 2 is rounded to a multiple
    of 4 x groups (Table 4 prints 576 for stage 4 at 0.5x, g=4, where half of Table 1 is 544), and conv1 to a multiple
    of the groups (the authors' code: 16 at 0.5x, g=8).
    """
    stem = -(-STEM[width] // groups) * groups
    unit = 4 * groups
    stage2 = int(STAGE2[groups] * width / unit + 0.5) * unit
    return stem, stage2, 2 * stage2, 4 * stage2


class Unit(nn.Module):
    """The unit of Figure 2 (b) at stride 1 (a sum), of Figure 2 (c) at stride 2 (a concatenation).

    Input ``[N, inp, H, W]``, output ``[N, out, H / stride, W / stride]``. With `dense_first` the first pointwise
    convolution has no groups (section 3.3: in stage 2, where the input channels are few). The shuffle stands after the
    depthwise convolution: channel a * groups + g of C becomes channel g * C / groups + a.
    """

    def __init__(
        self, inp: int, out: int, stride: int, groups: int, dense_first: bool, shuffle: bool, se: bool
    ) -> None:
        super().__init__()
        middle = out // 4  # section 3.3: the bottleneck has a quarter of the output channels
        made = out - inp if stride == 2 else out
        self.stride = stride
        self.groups = groups
        self.shuffle = shuffle and groups > 1
        self.reduce = ConvBN(inp, middle, groups=1 if dense_first else groups, activation=relu)
        self.depthwise = ConvBN(middle, middle, 3, stride, groups=middle, activation=None)
        self.expand = ConvBN(middle, made, groups=groups, activation=None)
        self.se = SqueezeExcite(made, made // SE_REDUCTION) if se else nn.Identity()
        self.relu = relu()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, out, H / stride, W / stride]``."""
        y = self.depthwise(self.reduce(x))
        if self.shuffle:
            y = channel_shuffle(y, y.shape[1] // self.groups)
        y = self.se(self.expand(y))
        if self.stride == 1:
            return self.relu(x + y)
        # The average of values that a ReLU has passed needs no second one.
        return torch.cat((nn.functional.avg_pool2d(x, 3, 2, 1), self.relu(y)), dim=1)


class ShuffleNetV1(nn.Module):
    """Table 1: 3x3 stem, max pool, three stages, global pool, classifier.

    Input ``[N, 3, H, W]``, output ``[N, classes]``.
    """

    def __init__(self, width: float, groups: int, shuffle: bool, se: bool, classes: int = 1000) -> None:
        super().__init__()
        inp, *outs = channels(width, groups)
        self.stem = ConvBN(3, inp, 3, 2, activation=relu)
        self.pool = nn.MaxPool2d(3, 2, 1)
        units = []
        for stage, (out, repeats) in enumerate(zip(outs, REPEATS, strict=True)):
            for i in range(repeats):
                units.append(Unit(inp, out, 2 if i == 0 else 1, groups, stage == i == 0, shuffle, se))
                inp = out
        self.stages = nn.Sequential(*units)
        self.classifier = nn.Linear(inp, classes, bias=False)  # no bias in the authors' code

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(global_pool(self.stages(self.pool(self.stem(x)))))


def build(width: float, groups: int, shuffle: bool, se: bool) -> ShuffleNetV1:
    """Build ShuffleNet at a scale factor and number of groups, without its shuffles (Table 3), or with SE (Table 5)."""
    return ShuffleNetV1(width, groups, shuffle, se)
