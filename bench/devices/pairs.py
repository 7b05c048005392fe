"""Two networks on every device: how many times as long one takes as the other, against what their MACs say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.devices.settings import Setting
from bench.plan.zoo import canonical, resolve

# The one with more MACs first. Each pair stands for a step in the history of networks that FLOPs were meant to order.
PAIRS = (
    ("mobilenetv1", "shufflenetv2", "MobileNet V1 over ShuffleNet V2"),
    ("mobilenetv1", "mobilenetv2", "MobileNet V1 over V2"),
    ("resnet18", "efficientnet-b0", "ResNet-18 over EfficientNet-B0"),
)


@dataclass(frozen=True)
class Ratio:
    """On one setting the time of the first network of a pair over that of the second, and their MACs' ratio."""

    pair: str
    setting: Setting
    times: float
    macs: float


def ratios(settings: Iterable[Setting], pairs: Iterable[tuple[str, str, str]] = PAIRS) -> list[Ratio]:
    """Return the ratio of every pair on every setting that has both, the very ones, at the zoo's resolution."""
    known = [(setting, setting.networks(mobile=False)) for setting in settings]
    found = []
    for first, second, title in pairs:
        keys = [(canonical(spec), resolve(spec).resolution or 0) for spec in (first, second)]
        for setting, networks in known:
            if all(key in networks for key in keys):
                (a, a_ms), (b, b_ms) = (networks[key] for key in keys)
                if a.match == b.match == "same" and a.macs and b.macs:
                    found.append(Ratio(title, setting, a_ms / b_ms, a.macs / b.macs))
    return found
