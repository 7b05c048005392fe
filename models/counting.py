"""Parameters and multiply-adds of a zoo network, counted on shapes alone.

The network is built and run on PyTorch's meta device: no weight is allocated and no number computed, so a count
takes milliseconds to a second. Multiply-adds are those of convolutions and matrix products, half of what PyTorch's
FlopCounterMode reports.
"""

from __future__ import annotations

from functools import cache, partial

from bench.base.errors import SpecError
from bench.papers.figures import Counts
from bench.plan.zoo import resolve

from . import build


def count(spec: str, resolution: int | None = None) -> Counts:
    """Count a zoo network for one image ``[1, 3, resolution, resolution]`` (None: the resolution of its spec).

    Raises:
        bench.base.errors.UsageError: there is no such model or hyper-parameter, or it is none of the zoo.
        bench.base.errors.MissingExtra: PyTorch is not installed.
    """
    ref = resolve(spec)
    if ref.kind != "zoo" or ref.resolution is None:
        raise SpecError(f"{spec!r} is not a network of the zoo", "only those are counted without an ONNX file")
    return _count(ref.canonical, resolution or ref.resolution)


@cache
def _count(canonical: str, resolution: int) -> Counts:
    try:
        import torch
    except ModuleNotFoundError:
        from bench.base.errors import MissingExtra

        raise MissingExtra("PyTorch", "zoo") from None
    from torch import nn
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.utils.flop_counter import FlopCounterMode

    bn_elements = 0

    def same(norm: nn.Module, x: torch.Tensor) -> torch.Tensor:
        nonlocal bn_elements
        bn_elements += x.numel() if isinstance(norm, _BatchNorm) else 0
        return x

    with torch.device("meta"):
        model, image = build(canonical), torch.empty(1, 3, resolution, resolution)
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    # They change no shape and multiply no matrix, and on shapes alone PyTorch takes each of them apart into a dozen
    # primitives: most of the time of a count.
    for module in model.modules():
        if isinstance(module, (_BatchNorm, nn.ReLU, nn.ReLU6, nn.SiLU, nn.Sigmoid, nn.Hardswish, nn.Hardsigmoid)):
            module.forward = partial(same, module)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(image)
    # Two FLOPs are one multiply-add. Whatever is not a convolution is a matrix product: the counter knows no other.
    flops = {str(op): n for op, n in counter.get_flop_counts()["Global"].items()}
    conv = sum(n for op, n in flops.items() if "convolution" in op)
    return Counts(
        params=sum(p.numel() for p in model.parameters()),
        bn_params=sum(p.numel() for norm in norms for p in norm.parameters()),
        macs_conv=conv // 2,
        macs_fc=(sum(flops.values()) - conv) // 2,
        bn_elements=bn_elements,
    )
