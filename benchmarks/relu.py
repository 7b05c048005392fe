"""The least network there is: what a call of it takes is the cost of a call."""

from __future__ import annotations

from torch import nn


def relu() -> nn.Module:
    """Return one ReLU; its input is 1 x 3 x 8 x 8."""
    return nn.ReLU()


relu.resolution = 8  # type: ignore[attr-defined]
