"""AlexNet (Krizhevsky, Sutskever, Hinton: NIPS 2012), and its one-tower form (Krizhevsky 2014, arXiv 1404.5997)."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import pool_to, relu

# Output channels and groups of the five convolutions. In 2012 the second, fourth and fifth see only the feature maps
# of their own GPU (section 3.5): two groups.
CONVOLUTIONS = {
    "2012": ((96, 1), (256, 2), (384, 1), (384, 2), (256, 2)),
    "2014": ((64, 1), (192, 1), (384, 1), (256, 1), (256, 1)),
}
KERNELS = (11, 5, 3, 3, 3)
POOLED = (0, 1, 4)  # a 3x3 max pool of stride 2 follows these
HIDDEN = 4096


class AlexNet(nn.Module):
    """Five convolutions and three fully connected layers (Figure 2). Input ``[N, 3, H, W]``, output ``[N, classes]``.

    The paper says 224x224 pixels but draws 55x55 feature maps: a padding of 2 gives them. Images of another size are
    pooled to the 6x6 cells which the first fully connected layer expects.
    """

    def __init__(self, variant: str, classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inp = 3
        for i, ((out, groups), kernel) in enumerate(zip(CONVOLUTIONS[variant], KERNELS, strict=True)):
            stride, padding = (4, 2) if i == 0 else (1, kernel // 2)
            layers += [nn.Conv2d(inp, out, kernel, stride, padding, groups=groups), relu()]
            if variant == "2012" and i < 2:
                # Section 3.3: k = 2, n = 5, alpha = 1e-4; PyTorch divides its alpha by n, the paper does not.
                layers.append(nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0))
            if i in POOLED:
                layers.append(nn.MaxPool2d(3, 2))
            inp = out
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(inp * 6 * 6, HIDDEN),
            relu(),
            nn.Dropout(),
            nn.Linear(HIDDEN, HIDDEN),
            relu(),
            nn.Linear(HIDDEN, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(pool_to(self.features(x), 6).flatten(1))


def build(variant: str) -> AlexNet:
    """Build AlexNet of 2012 (two groups, local response normalisation) or of 2014 (one tower, neither)."""
    return AlexNet(variant)
