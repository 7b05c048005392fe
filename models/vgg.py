"""VGG (Simonyan, Zisserman: ICLR 2015, arXiv 1409.1556), Table 1."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import pool_to, relu

CHANNELS = (64, 128, 256, 512, 512)
# Table 1, columns A, B, D, E: 3x3 convolutions in each of the five stages.
CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
HIDDEN = 4096


class VGG(nn.Module):
    """3x3 convolutions, a max pool after each stage, three fully connected layers (Table 1).

    Input ``[N, 3, H, W]``, output ``[N, classes]``. Images of another size than 224x224 are pooled to the 7x7 cells
    which the first fully connected layer expects.
    """

    def __init__(self, depth: int, batch_norm: bool, classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inp = 3
        for out, convolutions in zip(CHANNELS, CONVOLUTIONS[depth], strict=True):
            for _ in range(convolutions):
                layers.append(nn.Conv2d(inp, out, 3, padding=1))
                if batch_norm:
                    layers.append(nn.BatchNorm2d(out))
                layers.append(relu())
                inp = out
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(inp * 7 * 7, HIDDEN),
            relu(),
            nn.Dropout(),
            nn.Linear(HIDDEN, HIDDEN),
            relu(),
            nn.Dropout(),
            nn.Linear(HIDDEN, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(pool_to(self.features(x), 7).flatten(1))


def build(depth: int, batch_norm: bool) -> VGG:
    """Build VGG at one of the depths of Table 1, as published or with batch normalisation after each convolution."""
    return VGG(depth, batch_norm)
