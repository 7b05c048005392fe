"""ShuffleNet (Zhang et al. 2018, arXiv 1707.01083): Table 8 against theory, SE, groups, the unit's formula."""

from __future__ import annotations

from typing import Unpack

from bench.findings.finding import FIGURE, PRINTED, Experiment, Finding, More, counted, direction, of, share, slower
from bench.findings.side import Side
from bench.papers.claims import claim

DEVICE = "Snapdragon 820"
# Table 8: milliseconds at 224x224, 480x640 and 720x1280. The zoo's inputs are square: 554 and 960 pixels have the area
# of the last two.
RESOLUTIONS = (None, 554, 960)
TABLE8 = {
    "shufflenetv1:width=0.5": (15.2, 87.4, 260.1),
    "shufflenetv1": (37.8, 222.2, 684.5),
    "shufflenetv1:width=2.0": (108.8, 617.0, 1857.6),
    "alexnet": (184.0, 1156.7, 3633.9),
    "mobilenetv1": (110.0, 612.0, 1879.2),
}
PAPER = "ShuffleNet v1"
HALF, WHOLE, TWICE = "shufflenetv1:width=0.5", "shufflenetv1", "shufflenetv1:width=2.0"


def time(a: str, b: str, column: int = 0, **more: Unpack[More]) -> Experiment:
    """Return two rows of Table 8 at one of its resolutions."""
    left, right = (Side(model, resolution=RESOLUTIONS[column]) for model in (a, b))
    return slower(left, right, TABLE8[b][column] / TABLE8[a][column], DEVICE, **more)


def findings() -> list[Finding]:
    """Return the findings of the paper's claims."""
    # The paper's MFLOPs: 38, 140, 524.
    actual = tuple(
        slower(
            Side(small, resolution=RESOLUTIONS[i]),
            Side(large, resolution=RESOLUTIONS[i]),
            TABLE8[large][i] / TABLE8[small][i] / ratio,
            DEVICE,
            per_mac=True,
            name=f"{large} against {small}, time per MAC, {RESOLUTIONS[i] or 224} px",
        )
        for small, large, ratio in ((HALF, WHOLE, 140 / 38), (WHOLE, TWICE, 524 / 140))
        for i in range(3)
    )
    c, m = 256, 64
    resnet, spatial = f"stack/unit:c={c},m={m}", f"stack/unit:c={c},m={m},spatial=32"
    shuffle = f"stack/unit:c={c},m={m},pointwise=4,spatial={m},shuffle=true"
    bottleneck = 2 * c * m
    found = [
        of(claim("SV1-01"), *actual, note="Below 1: the larger network does more per unit of time than the smaller."),
        of(claim("SV1-02"), *(time(HALF, "alexnet", i) for i in range(3))),
        of(claim("SV1-03"), counted(HALF, "alexnet", "macs", 18, 1.1, origin=PRINTED)),
        of(
            claim("SV1-04"),
            slower(TWICE, f"{TWICE},se=true", (1.25 * 1.4) ** 0.5, "mobile", name="SE in every unit, 2x"),
            note="Published is the middle of the printed 1.25 to 1.40.",
        ),
        of(
            claim("SV1-05"),
            share("stack/unit:c=256,m=128,spatial=32", "pointwise share of macs", 0.934, within=0.01),
        ),
        of(
            claim("SV1-06"),
            direction(WHOLE, f"{WHOLE}:groups=8", 1, DEVICE, per_mac=True, name="8 groups against 3, time per MAC"),
            direction(WHOLE, f"{WHOLE}:groups=4", 1, DEVICE, per_mac=True, name="4 groups against 3, time per MAC"),
            direction(WHOLE, f"{WHOLE}:groups=2", -1, DEVICE, per_mac=True, name="2 groups against 3, time per MAC"),
            direction(WHOLE, f"{WHOLE}:groups=1", -1, DEVICE, per_mac=True, name="1 group against 3, time per MAC"),
        ),
        of(
            claim("SV1-07"),
            direction(
                "stack/conv:c=128",
                "stack/conv:c=128,groups=128,kernel=3",
                1,
                "mobile",
                per_mac=True,
                name="depthwise 3x3 against 1x1, time per MAC",
            ),
        ),
        of(claim("SV1-08"), *(time(TWICE, "mobilenetv1", i, equals=True, within=1.1) for i in range(2))),
        of(claim("SV1-09"), reason="accuracy is quoted, never tested again: nothing is trained here"),
        of(
            claim("SV1-10"),
            counted(resnet, spatial, "macs", (bottleneck + 9 * m * m / 32) / (bottleneck + 9 * m * m)),
            counted(resnet, shuffle, "macs", (bottleneck / 4 + 9 * m) / (bottleneck + 9 * m * m)),
            note="Published is what the formula gives for c = 256, m = 64, g = 32 and 4.",
        ),
    ]
    extra = Finding(
        "SV1-shuffle",
        "channel shuffle, which has no FLOPs, costs time",
        f"{PAPER}, Table 3 (accuracy only); {PAPER} is the network of ShuffleNet V2's Figure 2, 5% on its GPU",
        PAPER,
        tuple(
            slower(
                f"shufflenetv1:groups={g},shuffle=false",
                f"shufflenetv1:groups={g}",
                1 / 0.95,
                "GTX 1080Ti",
                name=f"with shuffle against without, {g} groups",
                origin=FIGURE,
            )
            for g in (3, 8)
        ),
        headline="with shuffle against without, 3 groups",
    )
    return [*found, extra]
