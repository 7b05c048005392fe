"""The zoo: one file per family builds it, a card of the same name beside it tells what it offers.

``build("shufflenetv2:width=0.5")`` returns the ``nn.Module``. PyTorch is imported when a model is built, never before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def build(spec: str) -> nn.Module:
    """Build a network of the zoo from its spec, in evaluation mode, with PyTorch's own initial weights.

    Args:
        spec: ``NAME[:key=value,...]`` of a zoo network; its input is float32 ``[N, 3, H, W]`` and its output
            ``[N, classes]``.

    Raises:
        bench.base.errors.UsageError: there is no such model or hyper-parameter.
    """
    from bench.base.errors import SpecError
    from bench.plan.zoo import resolve

    ref = resolve(spec)
    if ref.kind != "zoo":
        raise SpecError(f"{spec!r} is not a network of the zoo", "`bench list models` lists them")
    module: nn.Module = import_module(f"{__name__}.{ref.source}").build(**ref.params)
    return module.eval()
