"""PP-LCNet (Cui et al. 2021, arXiv 2109.15099), Figure 2 and Table 1."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from .blocks import ConvBN, SqueezeExcite, global_pool, hswish, make_divisible, relu

# Table 1: output channels and stride of the 13 depthwise separable blocks.
BODY = (
    (32, 1),
    (64, 2),
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    *((256, 1),) * 5,
    (512, 2),
    (512, 1),
)
ACTIVATIONS = {"hswish": hswish, "relu": relu}
HIDDEN = 1280


class DepthSepConv(nn.Sequential):
    """Depthwise convolution, squeeze-and-excitation where `se`, pointwise convolution (Figure 2).

    Input ``[N, inp, H, W]``, output ``[N, out, H / stride, W / stride]``. SE squeezes to a quarter, and its gate is the
    hard sigmoid (section 3.2).
    """

    def __init__(
        self, inp: int, out: int, kernel: int, stride: int, se: bool, activation: Callable[[], nn.Module]
    ) -> None:
        layers: list[nn.Module] = [ConvBN(inp, inp, kernel, stride, groups=inp, activation=activation)]
        if se:
            layers.append(SqueezeExcite(inp, inp // 4, nn.Hardsigmoid))
        super().__init__(*layers, ConvBN(inp, out, activation=activation))


class PPLCNet(nn.Module):
    """Table 1 at a width. Input ``[N, 3, H, W]``, output ``[N, classes]``.

    `se` and `large_kernel` say for each of the 13 blocks whether it has SE, and a 5x5 kernel instead of 3x3.
    """

    def __init__(
        self,
        width: float,
        se: list[bool],
        large_kernel: list[bool],
        activation: Callable[[], nn.Module],
        last_conv: bool,
        dropout: float,
        classes: int = 1000,
    ) -> None:
        super().__init__()
        inp = make_divisible(16 * width)
        self.stem = ConvBN(3, inp, 3, 2, activation=activation)
        body = []
        for (channels, stride), excites, large in zip(BODY, se, large_kernel, strict=True):
            out = make_divisible(channels * width)
            body.append(DepthSepConv(inp, out, 5 if large else 3, stride, excites, activation))
            inp = out
        self.body = nn.Sequential(*body)
        # On 1x1 pixels the last 1x1 convolution is a linear layer; it has no bias in the authors' code.
        self.hidden = (
            nn.Sequential(nn.Linear(inp, HIDDEN, bias=False), activation(), nn.Dropout(dropout))
            if last_conv
            else nn.Identity()
        )
        self.classifier = nn.Linear(HIDDEN if last_conv else inp, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(self.hidden(global_pool(self.body(self.stem(x)))))


def build(width: float, se: str, large_kernel: str, activation: str, last_conv: bool, dropout: float) -> PPLCNet:
    """Build PP-LCNet at a scale; the other parameters undo or move one technique each (Tables 6 to 9)."""
    flags = [[digit == "1" for digit in digits] for digits in (se, large_kernel)]
    return PPLCNet(width, *flags, ACTIVATIONS[activation], last_conv, dropout)
