"""Xception (Chollet: CVPR 2017, arXiv 1610.02357), Figure 5."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import TENSORFLOW_EPS, global_pool, with_eps

MIDDLE = 8  # repeats of the middle flow


class Separable(nn.Sequential):
    """Depthwise 3x3 then pointwise 1x1 without anything between (section 4.7), then batch normalisation.

    ``[N, inp, H, W]`` to ``[N, out, H, W]``.
    """

    def __init__(self, inp: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(inp, inp, 3, padding=1, groups=inp, bias=False),
            nn.Conv2d(inp, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )


class Module(nn.Module):
    """Separable convolutions with ReLU before each, and a shortcut: one box of Figure 5.

    Input ``[N, inp, H, W]``, output ``[N, outs[-1], ceil(H / stride), ceil(W / stride)]``; at stride 2 a max pool
    ends the branch and a 1x1 convolution makes the shortcut. The ReLUs are not in place: they would change the
    shortcut.
    """

    def __init__(self, inp: int, outs: tuple[int, ...], stride: int, start_with_relu: bool = True) -> None:
        super().__init__()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1:
            self.shortcut = nn.Sequential(nn.Conv2d(inp, outs[-1], 1, stride, bias=False), nn.BatchNorm2d(outs[-1]))
        layers: list[nn.Module] = []
        for i, out in enumerate(outs):
            if start_with_relu or i > 0:
                layers.append(nn.ReLU())
            layers.append(Separable(inp, out))
            inp = out
        if stride != 1:
            layers.append(nn.MaxPool2d(3, stride, 1))
        self.branch = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inp, H, W]`` to ``[N, outs[-1], ceil(H / stride), ceil(W / stride)]``."""
        return self.branch(x) + self.shortcut(x)


class Xception(nn.Module):
    """Entry flow, middle flow, exit flow (Figure 5). Input ``[N, 3, H, W]``, output ``[N, classes]``.

    The two convolutions of the stem have no padding, as in the author's code: 299 pixels give 149 and 147.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
        )
        self.entry = nn.Sequential(
            Module(64, (128, 128), 2, start_with_relu=False),
            Module(128, (256, 256), 2),
            Module(256, (728, 728), 2),
        )
        self.middle = nn.Sequential(*(Module(728, (728, 728, 728), 1) for _ in range(MIDDLE)))
        self.exit = nn.Sequential(
            Module(728, (728, 1024), 2),
            Separable(1024, 1536),
            nn.ReLU(),
            Separable(1536, 2048),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(2048, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(global_pool(self.exit(self.middle(self.entry(self.stem(x))))))


def build() -> Xception:
    """Build Xception."""
    return with_eps(Xception(), TENSORFLOW_EPS)
