"""Questions of our own, which no paper asks in this form: does time follow the MACs?

Nothing is published that they could be held against: if MACs told the time, networks would take the same time per MAC.
"""

from __future__ import annotations

from bench.findings.finding import Finding, follows
from bench.findings.side import Side

PAPER = "isoflops"
PAIRS = "PAIRS"
V1 = "mobilenetv1"
# Networks of different make within 10% of each other's MACs, from 40 M to 590 M, of the papers whose tables set them
# side by side. Chosen before any was measured.
TEN = (
    ("mobilenetv1:width=0.25", "shufflenetv2:width=0.5"),
    ("mobilenetv3-small", "mobilenetv2:width=0.35"),
    ("pplcnet", "ghostnetv1"),
    ("shufflenetv2", "shufflenetv1"),
    ("ghostnetv1:width=1.1", "ghostnetv2"),
    ("mobilenetv2", "mnasnet-a1"),
    ("mobilenetv1:width=0.75", "mobilenetv2"),
    ("shufflenetv2:width=1.5", "igcv3"),
    (V1, "shufflenetv2:width=2.0"),
    (V1, "nasnet"),
)


def findings() -> list[Finding]:
    """Return the ten pairs, and networks that differ in their MACs by design."""
    pairs = tuple(follows(a, b, f"{b} against {a}, time per MAC", split=True) for a, b in TEN)
    scaled = (
        *(follows(V1, f"{V1}:width={w}", f"MobileNet at alpha {w}") for w in (0.75, 0.5, 0.25)),
        *(follows(V1, Side(V1, resolution=side), f"MobileNet at {side} px") for side in (192, 160, 128)),
        follows(V1, f"{V1}:full=true", "MobileNet of full convolutions"),
        follows("squeezenet:version=1.1", "squeezenet", "SqueezeNet 1.0 against 1.1"),
        follows("alexnet", "squeezenet", "SqueezeNet against AlexNet"),
        follows("stack/conv:c=64,kernel=3", "stack/ghost:c=64,s=2", "Ghost module of ratio 2 against a 3x3"),
    )
    return [
        Finding(
            PAIRS,
            "networks of equal MACs take equal time, if MACs tell the time",
            "ours: ten pairs within 10% MACs",
            PAPER,
            pairs,
            headline=pairs[-1].name,
        ),
        Finding(
            "MACS",
            "a network takes the same time per MAC when it is scaled or its convolutions are replaced, if MACs tell "
            "the time",
            "ours: scalings of MobileNet v1, SqueezeNet and GhostNet, whose papers count",
            PAPER,
            scaled,
            headline="MobileNet of full convolutions",
        ),
    ]
