"""ResNet (He, Zhang, Ren, Sun: CVPR 2016, arXiv 1512.03385), Table 1 and Figure 5."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import ConvBN, global_pool, relu

# Table 1: units in conv2_x, conv3_x, conv4_x, conv5_x.
REPEATS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
WIDTHS = (64, 128, 256, 512)  # channels inside the units


class Residual(nn.Module):
    """A branch added to its input, then ReLU. Input ``[N, inp, H, W]``, output ``[N, out, H / stride, W / stride]``.

    Where the shapes differ the shortcut is a 1x1 projection (option B of section 3.3).
    """

    def __init__(self, branch: nn.Module, inp: int, out: int, stride: int) -> None:
        super().__init__()
        self.branch = branch
        same = stride == 1 and inp == out
        self.shortcut = nn.Identity() if same else ConvBN(inp, out, 1, stride, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, out, H / stride, W / stride]``."""
        return torch.relu(self.branch(x) + self.shortcut(x))


class Basic(Residual):
    """Two 3x3 convolutions (Figure 5, left)."""

    expansion = 1

    def __init__(self, inp: int, width: int, stride: int) -> None:
        branch = nn.Sequential(
            ConvBN(inp, width, 3, stride, activation=relu),
            ConvBN(width, width, 3, activation=None),
        )
        super().__init__(branch, inp, width, stride)


class Bottleneck(Residual):
    """1x1, 3x3 and 1x1 convolutions (Figure 5, right), the 3x3 in `groups` groups (ResNeXt).

    The paper strides in the first 1x1, `stride_first`; most implementations since in the 3x3.
    """

    expansion = 4

    def __init__(
        self, inp: int, width: int, stride: int, inner: int | None = None, groups: int = 1, stride_first: bool = False
    ) -> None:
        inner = inner or width
        out = width * self.expansion
        first, middle = (stride, 1) if stride_first else (1, stride)
        branch = nn.Sequential(
            ConvBN(inp, inner, 1, first, activation=relu),
            ConvBN(inner, inner, 3, middle, groups=groups, activation=relu),
            ConvBN(inner, out, activation=None),
        )
        super().__init__(branch, inp, out, stride)


class ResNet(nn.Module):
    """Table 1: 7x7 stem, max pool, four stages, global pool, classifier.

    Input ``[N, 3, H, W]``, output ``[N, classes]``. `options` go to every unit.
    """

    def __init__(
        self,
        unit: type[Basic] | type[Bottleneck],
        repeats: tuple[int, ...],
        inner: tuple[int | None, ...] = (None,) * 4,
        classes: int = 1000,
        **options: int,
    ) -> None:
        super().__init__()
        self.stem = ConvBN(3, 64, 7, 2, activation=relu)
        self.pool = nn.MaxPool2d(3, 2, 1)
        inp = 64
        stages = []
        for stage, (width, inside, count) in enumerate(zip(WIDTHS, inner, repeats, strict=True)):
            extra = options if inside is None else options | {"inner": inside}
            for i in range(count):
                stages.append(unit(inp, width, 2 if i == 0 and stage > 0 else 1, **extra))
                inp = width * unit.expansion
        self.stages = nn.Sequential(*stages)
        self.classifier = nn.Linear(inp, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(global_pool(self.stages(self.pool(self.stem(x)))))


def build(depth: int, stride: str) -> ResNet:
    """Build ResNet at one of the depths of Table 1; `stride` says which convolution of a bottleneck halves the size."""
    if depth < 50:
        return ResNet(Basic, REPEATS[depth])
    return ResNet(Bottleneck, REPEATS[depth], stride_first=stride == "1x1")
