"""PNASNet-5 (Liu et al.: ECCV 2018, arXiv 1712.00559), Figure 1; the network around the cell is that of NASNet-A."""

from __future__ import annotations

from .blocks import TENSORFLOW_EPS, with_eps
from .nasnet import CellNet, Plan, Step

# Figure 1, left. The same cell, with stride 2, also reduces: there is no reduction cell.
CELL = Plan(
    (
        ("sep5", 1, "max", 1),
        ("sep7", 0, "max", 0),
        ("sep5", 0, "sep3", 0),
        ("sep3", 4, "max", 0),
        ("sep3", 1, "same", 0),
    ),
    joined=(2, 3, 4, 5, 6),
)
# Cells per stage N, filters of the first stage F, stem channels, dropout.
VARIANTS = {"mobile": (3, 54, 32, 0.5), "large": (4, 216, 96, 0.5)}


def build(variant: str) -> CellNet:
    """Build PNASNet-5 (N = 3, F = 54), mobile, or (N = 4, F = 216), large.

    Input ``[N, 3, H, W]``, output ``[N, 1000]``.
    """
    repeats, filters, stem, dropout = VARIANTS[variant]
    steps = [Step(CELL, filters // 4, 2), Step(CELL, filters // 2, 2)]
    for stage in range(3):
        width = filters * 2**stage
        steps.append(Step(CELL, width, 2 if stage > 0 else 1))
        steps += [Step(CELL, width, 1) for _ in range(repeats - 1)]
    return with_eps(CellNet(stem, steps, dropout), TENSORFLOW_EPS)
