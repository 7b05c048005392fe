"""MobileNet V1 (Howard et al. 2017, arXiv 1704.04861), Table 1."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import TENSORFLOW_EPS, ConvBN, global_pool, relu, with_eps

# Table 1: output channels and stride of each depthwise separable convolution. The paper prints stride 2 for the
# last one, which its own output size (7x7) rules out.
HEAD = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2))
MIDDLE = ((512, 1),) * 5  # what the shallow network of Table 5 leaves out
TAIL = ((1024, 2), (1024, 1))


class Separable(nn.Sequential):
    """Depthwise 3x3 then pointwise 1x1, each with batch normalisation and ReLU (Figure 3, right)."""

    def __init__(self, inp: int, out: int, stride: int) -> None:
        super().__init__(ConvBN(inp, inp, 3, stride, groups=inp, activation=relu), ConvBN(inp, out, activation=relu))


class Full(ConvBN):
    """The 3x3 convolution that a `Separable` factorises, with batch normalisation and ReLU (Figure 3, left)."""

    def __init__(self, inp: int, out: int, stride: int) -> None:
        super().__init__(inp, out, 3, stride, activation=relu)


class MobileNetV1(nn.Module):
    """Table 1 with every channel number multiplied by `width`. Input ``[N, 3, H, W]``, output ``[N, classes]``."""

    def __init__(self, width: float, full: bool, shallow: bool, classes: int = 1000) -> None:
        super().__init__()
        layer = Full if full else Separable
        inp = int(32 * width)
        self.stem = ConvBN(3, inp, 3, 2, activation=relu)
        body = []
        for channels, stride in HEAD + (() if shallow else MIDDLE) + TAIL:
            out = int(channels * width)
            body.append(layer(inp, out, stride))
            inp = out
        self.body = nn.Sequential(*body)
        self.classifier = nn.Linear(inp, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(global_pool(self.body(self.stem(x))))


def build(width: float, full: bool, shallow: bool) -> MobileNetV1:
    """Build MobileNet V1 with the width multiplier alpha of section 3.3; `full` is Table 4's, `shallow` Table 5's."""
    return with_eps(MobileNetV1(width, full, shallow), TENSORFLOW_EPS)
