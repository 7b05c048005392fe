"""MobileNet V1 (Howard et al. 2017, arXiv 1704.04861), Table 1."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import ConvBN, global_pool, relu

# Table 1: output channels and stride of each depthwise separable convolution. The paper prints stride 2 for the
# last one, which its own output size (7x7) rules out.
BODY = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)


class Separable(nn.Sequential):
    """Depthwise 3x3 then pointwise 1x1, each with batch normalisation and ReLU (Figure 3, right)."""

    def __init__(self, inp: int, out: int, stride: int) -> None:
        super().__init__(ConvBN(inp, inp, 3, stride, groups=inp, activation=relu), ConvBN(inp, out, activation=relu))


class MobileNetV1(nn.Module):
    """Table 1 with every channel number multiplied by `width`. Input ``[N, 3, H, W]``, output ``[N, classes]``."""

    def __init__(self, width: float, classes: int = 1000) -> None:
        super().__init__()
        inp = int(32 * width)
        self.stem = ConvBN(3, inp, 3, 2, activation=relu)
        body = []
        for channels, stride in BODY:
            out = int(channels * width)
            body.append(Separable(inp, out, stride))
            inp = out
        self.body = nn.Sequential(*body)
        self.classifier = nn.Linear(inp, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(global_pool(self.body(self.stem(x))))


def build(width: float) -> MobileNetV1:
    """Build MobileNet V1 with the width multiplier alpha of section 3.3."""
    return MobileNetV1(width)
