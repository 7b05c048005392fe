"""ShuffleNet V2 (Ma, Zhang, Zheng, Sun: ECCV 2018, arXiv 1807.11164).

Figure 3 (c, d) and Table 5; the large networks of Table 6, which the appendix describes (see the notes on the card).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from bench.base.errors import ParameterError

from .blocks import ConvBN, SqueezeExcite, channel_shuffle, global_pool, relu, with_eps

# Table 5: output channels of stage 2, 3, 4 and of conv5, by width.
CHANNELS = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
REPEATS = (4, 8, 4)  # units of stage 2, 3, 4; the first of each has stride 2

# Output channels and units of conv2_x to conv5_x (appendix, Table 2). Only conv3_1, conv4_1 and conv5_1 have stride 2.
LARGE = {50: ((244, 488, 976, 1952), (3, 4, 6, 3)), 164: ((256, 512, 1024, 2048), (10, 10, 23, 10))}
LAST = {50: 2048, 164: 1280}  # output channels of the last convolution
LARGE_EPS = 1e-9  # of batch normalisation in the authors' code of the 164-layer network
STEM = {0: (24,), 50: (64,), 164: (64, 64, 128)}  # output channels of the 3x3 convolutions of the stem


def even_and_odd(x: Tensor) -> tuple[Tensor, Tensor]:
    """Split ``[N, C, H, W]`` into its even and its odd channels, ``[N, C / 2, H, W]`` each."""
    left, right = channel_shuffle(x, x.shape[1] // 2).chunk(2, dim=1)
    return left, right


class Unit(nn.Module):
    """The unit of Figure 3 (c) at stride 1, of Figure 3 (d) where the shape changes.

    Input ``[N, inp, H, W]``, output ``[N, out, H / stride, W / stride]``. At stride 1 half of the channels pass
    untouched (guideline G4: fewer element-wise operations). Where the shape changes, both parts are computed from all
    channels; the shortcut keeps their number and the branch adds the rest, as in the authors' code (ShuffleNet-Series):
    only so do the complexities of Table 5 come out. Their code shuffles where channels are split, even ones to the
    left; so a unit that is followed by stride 2 shuffles nothing. With `half_shortcut` each part gives half, and every
    unit shuffles what it has joined, as in Figure 3 and in torchvision. Appendix, Figure 2: (a) `residual` adds the
    branch's input before its last ReLU, where it has the shape; (b, c) `se` weighs the branch before that sum, or
    without one after the ReLU, as in the authors' code. SE has half as many neurons as the unit has channels (appendix,
    Table 2).
    """

    def __init__(self, inp: int, out: int, stride: int, residual: bool, se: bool, half_shortcut: bool = False) -> None:
        super().__init__()
        half = out // 2
        self.splits = stride == 1 and inp == out
        kept = half if self.splits or half_shortcut else inp
        self.shuffle_last = half_shortcut
        self.residual = residual and self.splits
        if not self.splits:
            self.shortcut = nn.Sequential(
                ConvBN(inp, inp, 3, stride, groups=inp, activation=None), ConvBN(inp, kept, activation=relu)
            )
        layers: list[nn.Module] = [
            ConvBN(half if self.splits else inp, half, activation=relu),
            ConvBN(half, half, 3, stride, groups=half, activation=None),
            ConvBN(half, out - kept, activation=None if self.residual else relu),
        ]
        if se:
            layers.append(SqueezeExcite(out - kept, half))
        self.branch = nn.Sequential(*layers)
        self.relu = relu()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, out, H / stride, W / stride]``."""
        if self.splits:
            left, right = x.chunk(2, dim=1) if self.shuffle_last else even_and_odd(x)
            y = self.branch(right)
            right = self.relu(right + y) if self.residual else y
        else:
            left, right = self.shortcut(x), self.branch(x)
        joined = torch.cat((left, right), dim=1)
        return channel_shuffle(joined, 2) if self.shuffle_last else joined


class Unit164(nn.Module):
    """The unit of ShuffleNet V2-164, as in the authors' code (ShuffleNet-Series, ShuffleNetV2.Large).

    Input ``[N, inp, H, W]``, output ``[N, out, H / stride, W / stride]``. It differs from `Unit`: the 3x3 convolution
    has 8 groups instead of being depthwise and a ReLU follows it; where the shape changes, each half is computed from
    one half only, the left one by a full 3x3; and a 1x1 convolution mixes the channels after stride 2.
    """

    def __init__(self, inp: int, out: int, stride: int, residual: bool, se: bool) -> None:
        super().__init__()
        inp, half = inp // 2, out // 2
        changes = inp != half
        self.residual = residual and not changes
        self.shortcut = ConvBN(inp, half, 3, stride, activation=None) if changes else nn.Identity()
        layers: list[nn.Module] = [
            ConvBN(inp, half, activation=relu),
            ConvBN(half, half, 3, stride, groups=8, activation=relu),
            ConvBN(half, half, activation=None),
        ]
        if se:
            layers.append(SqueezeExcite(half, half))
        self.branch = nn.Sequential(*layers)
        self.relu = relu()
        self.mix = ConvBN(out, out, activation=relu) if stride == 2 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, out, H / stride, W / stride]``."""
        left, right = even_and_odd(x)
        y = self.branch(right)
        if self.residual:
            y = right + y
        return self.mix(self.relu(torch.cat((self.shortcut(left), y), dim=1)))


class ShuffleNetV2(nn.Module):
    """Table 5, or at a `depth` Table 2 of the appendix: stem, max pool, stages, last convolution, pool, classifier.

    Input ``[N, 3, H, W]``, output ``[N, classes]``.
    """

    def __init__(
        self, width: float, depth: int, residual: bool, se: bool, half_shortcut: bool, classes: int = 1000
    ) -> None:
        super().__init__()
        if depth == 0:
            (*outs, last), repeats = CHANNELS[width], REPEATS
        else:
            (outs, repeats), last = LARGE[depth], LAST[depth]
        unit = Unit164 if depth == 164 else partial(Unit, half_shortcut=half_shortcut)
        stem = STEM[depth]
        self.stem = nn.Sequential(
            *(ConvBN(i, o, 3, 2 if i == 3 else 1, activation=relu) for i, o in zip((3, *stem), stem, strict=False))
        )
        self.pool = nn.MaxPool2d(3, 2, 1)
        stages = []
        inp = stem[-1]
        for stage, (out, n) in enumerate(zip(outs, repeats, strict=True)):
            first_stride = 1 if depth and stage == 0 else 2
            units = [unit(inp, out, first_stride, residual, se)]
            units += [unit(out, out, 1, residual, se) for _ in range(n - 1)]
            stages.append(nn.Sequential(*units))
            inp = out
        self.stages = nn.Sequential(*stages)
        self.conv5 = ConvBN(inp, last, 3 if depth == 164 else 1, activation=relu)
        # The authors' networks of Table 5 have no bias here; torchvision's and the authors' large one do.
        self.classifier = nn.Linear(last, classes, bias=half_shortcut or depth > 0)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(global_pool(self.conv5(self.stages(self.pool(self.stem(x))))))


def build(width: float, depth: int, residual: bool, se: bool, half_shortcut: bool) -> ShuffleNetV2:
    """Build ShuffleNet V2 at a width of Table 5 (depth 0), or one of the large networks of Table 6."""
    if depth and width != 1.0:
        raise ParameterError(f"shufflenetv2: depth={depth} comes in one width", "leave width out")
    model = ShuffleNetV2(width, depth, residual, se, half_shortcut)
    return with_eps(model, LARGE_EPS) if depth == 164 else model
