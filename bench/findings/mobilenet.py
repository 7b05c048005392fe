"""MobileNet V1 (arXiv 1704.04861), V2 (1801.04381) and V3 (1905.02244)."""

from __future__ import annotations

from bench.findings.finding import PRINTED, Finding, counted, direction, of, share, slower
from bench.findings.side import Side
from bench.papers.claims import claim

V1, V2, V3 = "mobilenetv1", "mobilenetv2", "mobilenetv3-large"
DETECTION = "a detector, with its own head: the zoo builds classifiers"
VARIANT = "variant/mobilenetv3-large"


def findings() -> list[Finding]:
    """Return the findings of the three papers."""
    return [*_v1(), *_v2(), *_v3()]


def _v1() -> list[Finding]:
    full, half = f"{V1}:full=true", Side(f"{V1}:width=0.5", resolution=160)
    widths = ((0.75, 325 / 569), (0.5, 149 / 569), (0.25, 41 / 569))
    sides = ((192, 418 / 569), (160, 290 / 569), (128, 186 / 569))
    return [
        of(claim("MV1-01"), counted(V1, full, "macs", 8.55)),
        of(
            claim("MV1-02"),
            share(V1, "pointwise share of macs", 0.9486, within=0.01),
            share(V1, "pointwise share of params", 0.7459, within=0.01),
        ),
        of(
            claim("MV1-03"),
            direction(
                "stack/conv:c=128,kernel=3", "stack/conv:c=384", -1, per_mac=True, name="1x1 against 3x3 at equal MACs"
            ),
        ),
        of(
            claim("MV1-04"),
            counted(V1, "vgg16", "params", 32, origin=PRINTED),
            counted(V1, "vgg16", "macs", 27, origin=PRINTED),
        ),
        of(
            claim("MV1-05"),
            counted(half, "alexnet", "params", 45, origin=PRINTED),
            counted(half, "alexnet", "macs", 9.4, origin=PRINTED),
        ),
        of(claim("MV1-06"), counted(half, "squeezenet", "macs", 22, origin=PRINTED)),
        of(
            claim("MV1-07"),
            *(counted(V1, f"{V1}:width={w}", "macs", ratio) for w, ratio in widths),
            *(counted(V1, Side(V1, resolution=side), "macs", ratio) for side, ratio in sides),
            note="Published is the ratio of mult-adds of Tables 6 and 7.",
        ),
        of(claim("MV1-08"), counted(V1, full, "macs", 8.55), counted(V1, full, "params", 6.98)),
    ]


def _v2() -> list[Finding]:
    c, t = 16, 6
    d = c * t
    return [
        of(
            claim("MV2-01"),
            slower(V1, V2, (75 / 300) / (113 / 575), "Pixel 1", per_mac=True, name="V2 against V1, time per MAC"),
            slower(V1, V2, 75 / 113, "Pixel 1", name="V2 against V1, time"),
        ),
        of(claim("MV2-02"), slower(V1, "nasnet", 183 / 113, "Pixel 1")),
        of(claim("MV2-03"), reason="no runtime here splits a block's channels; the claim is about one that does"),
        of(claim("MV2-04"), reason=DETECTION),
        of(claim("MV2-05"), reason="about what a runtime of 2018 lacked; there is nothing to measure"),
        of(
            claim("MV2-06"),
            counted(
                "stack/conv:c=96",
                f"stack/unit:c={c},m={d},spatial={d}",
                "macs",
                c * t * (c + 9 + c) / (96 * 96),
                name="macs: a bottleneck of 16 channels, expanded 6 times, against a 1x1 of 96",
            ),
            note="Published is what the formula h w d t (d + k^2 + d) gives.",
        ),
    ]


def _v3() -> list[Finding]:
    naive = f"{VARIANT}:naive=true"
    small, slim = "mobilenetv3-small", f"{V2}:width=0.35"
    return [
        of(claim("MV3-01"), slower(V2, V3, 51 / 64, "Pixel 1")),
        of(
            claim("MV3-02"),
            slower(small, slim, 16.6 / 15.8, "Pixel 1", equals=True, within=1.1),
            note="Latencies of Table 3, which the claim calls comparable; the accuracy is quoted, never tested again.",
        ),
        of(
            claim("MV3-03"),
            slower(
                V3, f"{VARIANT}:last=original", 1 / (1 - 0.11), "Pixel 1", name="original against efficient last stage"
            ),
        ),
        of(
            claim("MV3-04"),
            slower(V3, f"{VARIANT}:stem=32", 53 / 51, "Pixel 1", name="32 against 16 filters in the stem"),
        ),
        of(
            claim("MV3-05"),
            slower(V3, naive, 57.5 / 51.4, "Pixel 1", name="h-swish in four operations against one"),
            slower("mobilenetv3:hswish=none", V3, 51.4 / 50.5, "Pixel 1", equals=True, name="h-swish against ReLU"),
        ),
        of(
            claim("MV3-06"),
            slower(
                V3, "mobilenetv3:hswish=16", 53.5 / 51.4, "Pixel 1", name="h-swish everywhere against the second half"
            ),
            note="The final version's figures; the 78/66 of the first version on arXiv were replaced.",
        ),
        of(
            claim("MV3-07"),
            slower(f"{VARIANT}:se=false", V3, 1.0, "Pixel 1", equals=True, name="with SE against without"),
        ),
        of(claim("MV3-08"), reason=DETECTION),
        of(
            claim("MV3-09"),
            slower(V2, V3, (51 / 219) / (64 / 300), "Pixel 1", per_mac=True, name="V3 against V2, time per MAC"),
            slower(
                V2,
                "mnasnet-a1",
                (71 / 315) / (64 / 300),
                "Pixel 1",
                per_mac=True,
                name="MnasNet-A1 against V2, time per MAC",
            ),
        ),
        of(
            claim("MV3-10"),
            slower(V3, "mobilenetv3:minimalistic=true", 44.1 / 51.2, "Pixel 1", name="minimalistic against whole"),
        ),
    ]
