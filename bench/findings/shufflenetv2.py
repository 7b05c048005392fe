"""ShuffleNet V2 (Ma et al. 2018, arXiv 1807.11164): the claims beside G1 to G4, and Table 8 level by level."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bench.findings import guidelines
from bench.findings.finding import FIGURE, SHARE, Experiment, Finding, blur, counted, direction, of, share, slower
from bench.findings.guidelines import ARM, GPU, PAPER
from bench.findings.side import Side
from bench.papers.claims import claim

# Table 8: what the zoo builds, with batches/s on the GPU (batch 8) and images/s on the ARM core (batch 1). DenseNet and
# Xception are the authors' own narrow versions, whose channels are not printed; the zoo has no IGCV2.
TABLE8: dict[int, dict[str, tuple[float, float, int | None]]] = {
    40: {
        "shufflenetv2:width=0.5": (417, 57.0, None),
        "mobilenetv1:width=0.25": (502, 36.4, None),
        "mobilenetv2:width=0.4": (333, 33.2, 160),
        "mobilenetv2:width=0.15": (351, 33.6, None),
        "shufflenetv1:width=0.5": (347, 56.8, None),
    },
    140: {
        "shufflenetv2": (341, 24.4, None),
        "mobilenetv1:width=0.5": (382, 16.5, None),
        "mobilenetv2:width=0.75": (235, 15.9, 192),
        "mobilenetv2:width=0.6": (249, 14.9, None),
        "shufflenetv1": (213, 21.8, None),
        "igcv3:width=0.7": (143, 11.7, None),
    },
    300: {
        "shufflenetv2:width=1.5": (255, 11.8, None),
        "mobilenetv1:width=0.75": (314, 10.6, None),
        "mobilenetv2": (180, 8.9, None),
        "shufflenetv1:width=1.5": (164, 10.3, None),
        "igcv3": (102, 6.3, None),
    },
    500: {
        "shufflenetv2:width=2.0": (217, 6.7, None),
        "mobilenetv1": (247, 6.5, None),
        "mobilenetv2:width=1.4": (137, 5.4, None),
        "shufflenetv1:width=2.0": (133, 6.4, None),
        "igcv3:width=1.4": (82, 4.5, None),
        "shufflenetv2:width=2.0,se=true": (161, 5.6, None),
        "nasnet": (130, 4.6, None),
        "pnasnet": (115, 4.1, None),
    },
}
# Of each level the rival that the text of section 4 names: MobileNet V2, "much slower" on ARM.
RIVALS = {40: "mobilenetv2:width=0.4", 140: "mobilenetv2:width=0.75", 300: "mobilenetv2", 500: "mobilenetv2:width=1.4"}
HERE = "the network is the authors' own version, whose channel numbers are not printed"
ACCURACY = "accuracy is quoted, never tested again: nothing is trained here"
DETECTION = "a detector, with its own head: the zoo builds classifiers"


def table8(level: int, other: str, device: str) -> Experiment:
    """Return one row of Table 8 against ShuffleNet V2 at its level, at the device's batch."""
    rows = TABLE8[level]
    first = next(iter(rows))
    batch = 8 if device == GPU else 1
    a, b = (Side(model, batch=batch, resolution=rows[model][2]) for model in (first, other))
    fast, slow = (rows[model][0] if device == GPU else rows[model][1] for model in (first, other))
    return slower(a, b, fast / slow, device, core=device == ARM, blur=blur(fast, slow))


def levels() -> list[Finding]:
    """Return Table 8, a finding per level of complexity."""
    found = []
    for level, rows in TABLE8.items():
        others = list(rows)[1:]
        text = f"at the {level} MFLOPs level of Table 8, how much slower each network is than ShuffleNet V2"
        experiments = tuple(table8(level, other, device) for device in (ARM, GPU) for other in others)
        found.append(
            Finding(
                f"T8-{level}",
                text,
                f"{PAPER}, Table 8",
                PAPER,
                experiments,
                note="GPU batch 8, ARM batch 1.",
                headline=table8(level, RIVALS[level], ARM).name,
            )
        )
    return found


def findings() -> list[Finding]:
    """Return the findings of the paper's claims, then the levels of Table 8."""
    one, two = "stack/conv:c=128", "stack/conv:c=128,kernel=3"
    found = [
        of(claim("SV2-01"), table8(500, "mobilenetv2:width=1.4", GPU)),
        of(claim("SV2-02"), table8(500, "shufflenetv1:width=2.0", GPU)),
        of(claim("SV2-03"), reason=HERE),
        of(
            claim("SV2-04"),
            table8(40, "mobilenetv2:width=0.4", ARM),
            slower("shufflenetv2:width=0.5", "shufflenetv1:width=0.5", 57.0 / 56.8, ARM, equals=True),
        ),
        of(claim("SV2-05"), *(table8(level, list(TABLE8[level])[1], GPU) for level in TABLE8)),
        of(claim("SV2-06"), table8(500, "igcv3:width=1.4", GPU), note="The zoo builds IGCV3 only."),
        of(claim("SV2-07"), *(table8(500, net, device) for device in (GPU, ARM) for net in ("nasnet", "pnasnet"))),
        of(claim("SV2-08"), *_pick(guidelines.g1(GPU, (1,)), "1:12"), *_pick(guidelines.g1(ARM, (2,)), "1:12")),
        of(claim("SV2-09"), *_pick(guidelines.g2(GPU, (1,)), "8 groups")),
        of(claim("SV2-10"), *_pick(guidelines.g2(ARM, (1, 2)), "8 groups")),
        of(claim("SV2-11"), *_pick(guidelines.g3(GPU, (0,)), "4 fragments")),
        # The claim is that it costs little: what costs nothing meets it, too.
        of(claim("SV2-12"), *(replace(e, equals=True, within=1.1) for e in guidelines.g3(ARM, (0,)))),
        of(
            claim("SV2-13"),
            *(
                e
                for d in (GPU, ARM)
                for e in _pick(guidelines.g4(d), "with ReLU and shortcut")
                if e.channels == "paper"
            ),
        ),
        of(claim("SV2-14"), reason="quoted from another paper, which decomposes the tensors of VGG-16"),
        of(claim("SV2-15"), direction(one, two, -1, GPU, per_mac=True, name="3x3 against 1x1, time per MAC")),
        of(
            claim("SV2-16"),
            slower("mobilenetv2:width=1.4", "nasnet", 183 / 143, "Pixel 1", name="NASNet-A against MobileNet V2 1.4"),
        ),
        of(claim("SV2-17"), reason="what a fragment is, is read off a drawing; no graph says it"),
        of(claim("SV2-18"), reason=DETECTION),
        of(claim("SV2-19"), reason=DETECTION),
        of(claim("SV2-20"), *(table8(500, "shufflenetv2:width=2.0,se=true", device) for device in (ARM, GPU))),
        of(claim("SV2-21"), reason=ACCURACY),
        of(claim("SV2-22"), counted("resnet50:stride=1x1", "shufflenetv2-50", "macs", 2.3 / 3.8)),
        of(claim("SV2-23"), share("shufflenetv1", SHARE, 0.50, GPU, origin=FIGURE)),
        of(claim("SV2-24"), share("mobilenetv2", SHARE, 0.54, GPU, origin=FIGURE)),
        of(claim("SV2-25"), share("shufflenetv1", SHARE, 0.87, ARM, origin=FIGURE)),
        of(claim("SV2-26"), share("mobilenetv2", SHARE, 0.89, ARM, origin=FIGURE)),
        of(
            claim("SV2-27"),
            *(
                counted("stack/g1:c1=128,c2=128", f"stack/g1:c1={a},c2={b}", "memory access", _g1_access(a, b))
                for a, b in ((90, 180), (52, 312), (36, 432))
            ),
            note="Published is the ratio that equation 1 gives for the channels of Table 1.",
        ),
        of(
            claim("SV2-28"),
            *(
                counted("stack/conv:c=128", f"stack/conv:c={c},groups={g}", "memory access", _g2_access(c, g))
                for c, g in ((180, 2), (256, 4), (360, 8))
            ),
            note="Published is the ratio that equation 2 gives for the channels of Table 2.",
        ),
    ]
    return [*found, *levels()]


def _pick(experiments: Iterable[Experiment], begins: str) -> list[Experiment]:
    return [e for e in experiments if e.name.startswith(begins)]


def _g1_access(c1: int, c2: int, hw: int = 56 * 56) -> float:
    """Equation 1: hw (c1 + c2) + c1 c2 elements, over that of 128 and 128 channels."""
    return (hw * (c1 + c2) + c1 * c2) / (hw * 256 + 128 * 128)


def _g2_access(c: int, groups: int, hw: int = 56 * 56) -> float:
    """Equation 2: hw (c1 + c2) + c1 c2 / g elements, over that of 128 channels without groups."""
    return (hw * 2 * c + c * c / groups) / (hw * 256 + 128 * 128)
