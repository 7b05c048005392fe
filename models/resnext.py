"""ResNeXt (Xie, Girshick, Dollar, Tu, He: CVPR 2017, arXiv 1611.05431), Table 1 and Figure 3 (c)."""

from __future__ import annotations

from .resnet import REPEATS, WIDTHS, Bottleneck, ResNet


def build(depth: int, cardinality: int, bottleneck: int) -> ResNet:
    """Build ResNeXt: ResNet whose 3x3 convolutions have `cardinality` groups of `bottleneck` channels in conv2_x.

    Input ``[N, 3, H, W]``, output ``[N, 1000]``. The groups get twice as wide in each later stage (Table 1).
    """
    inner = tuple(width // WIDTHS[0] * cardinality * bottleneck for width in WIDTHS)
    return ResNet(Bottleneck, REPEATS[depth], inner, groups=cardinality)
