"""NASNet-A (Zoph, Vasudevan, Shlens, Le: CVPR 2018, arXiv 1707.07012), Figure 4 and appendix A."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .blocks import TENSORFLOW_EPS, global_pool, with_eps


class Plan(NamedTuple):
    """What a cell does: five times add ``(operation, operand)`` and ``(operation, operand)``; then join some sums.

    Operand 0 is the previous cell's output, 1 that of the cell before it, 2 to 6 are the sums.
    """

    sums: tuple[tuple[str, int, str, int], ...]
    joined: tuple[int, ...]


# Figure 4, left and right.
NORMAL = Plan(
    (
        ("sep5", 0, "sep3", 1),
        ("sep5", 1, "sep3", 1),
        ("avg", 0, "same", 1),
        ("avg", 1, "avg", 1),
        ("sep3", 0, "same", 0),
    ),
    joined=(1, 2, 3, 4, 5, 6),
)
REDUCTION = Plan(
    (
        ("sep5", 0, "sep7", 1),
        ("max", 0, "sep7", 1),
        ("avg", 0, "sep5", 1),
        ("same", 3, "avg", 2),
        ("sep3", 2, "max", 0),
    ),
    joined=(3, 4, 5, 6),
)


def conv_bn(inp: int, out: int, stride: int = 1) -> nn.Sequential:
    """ReLU, 1x1 convolution, batch normalisation."""
    return nn.Sequential(nn.ReLU(), nn.Conv2d(inp, out, 1, stride, bias=False), nn.BatchNorm2d(out))


def separable(inp: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    """ReLU, depthwise, pointwise, batch normalisation: all of it twice, striding the first time (appendix A)."""
    layers: list[nn.Module] = []
    for channels, step in ((inp, stride), (out, 1)):
        layers += [
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel, step, kernel // 2, groups=channels, bias=False),
            nn.Conv2d(channels, out, 1, bias=False),
            nn.BatchNorm2d(out),
        ]
    return nn.Sequential(*layers)


def operation(name: str, inp: int, out: int, stride: int) -> nn.Module:
    """One operation of a cell, ``[N, inp, H, W]`` to ``[N, out, ceil(H / stride), ceil(W / stride)]``."""
    if name.startswith("sep"):
        return separable(inp, out, int(name[3:]), stride)
    if name == "same":
        return nn.Identity() if stride == 1 and inp == out else conv_bn(inp, out, stride)
    pool = nn.MaxPool2d(3, stride, 1) if name == "max" else nn.AvgPool2d(3, stride, 1, count_include_pad=False)
    if inp == out:
        return pool
    return nn.Sequential(pool, nn.Conv2d(inp, out, 1, bias=False), nn.BatchNorm2d(out))


class HalveByTwo(nn.Module):
    """Halve the size by two strided 1x1 convolutions, the second one pixel aside, each making half of the channels.

    ``[N, inp, H, W]`` to ``[N, out, ceil(H / 2), ceil(W / 2)]``.
    """

    def __init__(self, inp: int, out: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(inp, out // 2, 1, 2, bias=False)
        self.odd = nn.Conv2d(inp, out - out // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, out, ceil(H / 2), ceil(W / 2)]``."""
        x = torch.relu(x)
        aside = nn.functional.pad(x[:, :, 1:, 1:], (0, 1, 0, 1))
        return self.norm(torch.cat((self.even(x), self.odd(aside)), dim=1))


class Cell(nn.Module):
    """A searched cell: ``x`` is the previous cell's output, ``before`` (None in the first cell) that of the one before.

    Both are brought to `filters` channels and to the size of ``x``; `halve` says that ``before`` is twice as large.
    ``[N, inp, H, W]`` to ``[N, out, ceil(H / stride), ceil(W / stride)]``.
    """

    def __init__(self, plan: Plan, inp: int, before: int | None, filters: int, stride: int, halve: bool) -> None:
        super().__init__()
        self.sums = plan.sums
        self.joined = plan.joined
        self.out = filters * len(plan.joined)
        self.here = conv_bn(inp, filters)
        self.before: nn.Module = nn.Identity()
        if before is not None and halve:
            self.before = HalveByTwo(before, filters)
        elif before is not None and before != filters:
            self.before = conv_bn(before, filters)
        channels = (filters, inp if before is None else filters, *(filters,) * len(plan.sums))
        self.operations = nn.ModuleList(
            operation(name, channels[operand], filters, stride if operand < 2 else 1)
            for left, i, right, j in plan.sums
            for name, operand in ((left, i), (right, j))
        )

    def forward(self, x: Tensor, before: Tensor | None) -> Tensor:
        """Map ``x`` ``[N, inp, H, W]`` to ``[N, out, ceil(H / stride), ceil(W / stride)]``."""
        states = [self.here(x), x if before is None else self.before(before)]
        for n, (_, i, _, j) in enumerate(self.sums):
            states.append(self.operations[2 * n](states[i]) + self.operations[2 * n + 1](states[j]))
        return torch.cat([states[i] for i in self.joined], dim=1)


class Step(NamedTuple):
    """A cell's place in the network: its plan, channels and stride, and how many cells back ``before`` comes from."""

    plan: Plan
    filters: int
    stride: int
    back: int = 1


class CellNet(nn.Module):
    """3x3 stem of `stem` channels, cells, global pool, classifier. Input ``[N, 3, H, W]``, output ``[N, classes]``."""

    def __init__(self, stem: int, steps: Sequence[Step], dropout: float, classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 3, 2, bias=False), nn.BatchNorm2d(stem))
        self.back = [step.back for step in steps]
        outputs = [(stem, 1)]  # channels and reduction of the stem and of every cell
        cells = []
        for n, (plan, filters, stride, back) in enumerate(steps):
            inp, reduction = outputs[-1]
            before, earlier = outputs[-1 - back] if n > 0 else (None, reduction)
            cells.append(Cell(plan, inp, before, filters, stride, halve=earlier < reduction))
            outputs.append((cells[-1].out, reduction * stride))
        self.cells = nn.ModuleList(cells)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(outputs[-1][0], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        outputs = [self.stem(x)]
        for n, (cell, back) in enumerate(zip(self.cells, self.back, strict=True)):
            outputs.append(cell(outputs[-1], outputs[-1 - back] if n > 0 else None))
        return self.classifier(self.dropout(global_pool(torch.relu(outputs[-1]))))


# N normal cells per stage, filters of the first stage, stem channels, dropout. In the large network the cell after a
# reduction looks past the reduction's input, at the reduction's own ``before``.
VARIANTS = {"mobile": (4, 44, 32, 0.5, 1), "large": (6, 168, 96, 0.5, 2)}


def build(variant: str) -> CellNet:
    """Build NASNet-A (4 @ 1056), mobile, or NASNet-A (6 @ 4032), large."""
    repeats, filters, stem, dropout, back = VARIANTS[variant]
    steps = [Step(REDUCTION, filters // 4, 2), Step(REDUCTION, filters // 2, 2)]
    for stage in range(3):
        if stage > 0:
            filters *= 2
            steps.append(Step(REDUCTION, filters, 2))
        first = Step(NORMAL, filters, 1, back if stage > 0 else 1)
        steps += [first, *(Step(NORMAL, filters, 1) for _ in range(repeats - 1))]
    return with_eps(CellNet(stem, steps, dropout), TENSORFLOW_EPS)
