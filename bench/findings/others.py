"""SqueezeNet, MnasNet, EfficientNet, Xception, and tables of timm and Keras."""

from __future__ import annotations

from bench.findings.finding import PRINTED, Finding, counted, of, slower
from bench.findings.side import Side
from bench.papers.claims import claim

I7, EPYC, PIXEL, E5 = "Core i7-12700H", "EPYC, 92 cores", "Pixel 1", "Xeon E5-2690"
ALEXNET, GHOST, LC, V1, V2 = "alexnet", "ghostnetv1", "pplcnet", "mobilenetv1", "mobilenetv2"


def findings() -> list[Finding]:
    """Return the findings of these papers' claims."""
    squeeze, later = "squeezenet", "squeezenet:version=1.1"
    b1, r152 = Side("efficientnet-b1"), Side("resnet152")
    keras = [Side(model, batch=8) for model in ("efficientnet-b0", "inceptionv3", V1)]
    return [
        of(claim("SQ-01"), counted(squeeze, ALEXNET, "params", 50, origin=PRINTED)),
        of(claim("SQ-02"), reason="the size of a compressed file, after training; the zoo's weights are seeded"),
        of(claim("SQ-03"), counted(later, squeeze, "macs", 2.4, origin=PRINTED)),
        of(claim("SQ-04"), reason="no runtime here computes with 6-bit codebooks"),
        of(claim("SQ-05"), counted(ALEXNET, squeeze, "macs", 833 / 720, 1.1)),
        of(claim("MN-01"), slower(V1, "nasnet", 183 / 113, PIXEL)),
        of(claim("MN-02"), slower("mnasnet-a1", f"{V2}:width=1.4", 143 / 78, PIXEL)),
        of(claim("MN-03"), slower("mnasnet-a1", "nasnet", 183 / 78, PIXEL)),
        of(
            claim("EN-01"),
            slower(b1, r152, 0.554 / 0.098, E5),
            slower(b1, r152, (0.554 / 0.098) / (11 / 0.70), E5, per_mac=True, name="the same, time per MAC"),
        ),
        of(claim("EN-02"), reason="GPipe is AmoebaNet-B with 557 M parameters, which the zoo does not build"),
        of(claim("XC-01"), reason="steps of training per second; nothing is trained here"),
        of(claim("TM-01"), slower(LC, GHOST, 9.84 / 3.41, I7), slower(V1, GHOST, 9.84 / 6.39, I7)),
        of(claim("TM-02"), slower(V1, V2, 6.59 / 6.39, I7)),
        of(claim("TM-03"), slower(GHOST, "ghostnetv2", 12.84 / 9.84, I7)),
        of(
            claim("KA-01"),
            slower(
                keras[0], keras[1], (42.2 / 46.0) / (5.7 / 0.39), EPYC, per_mac=True, name="time per MAC, Inception V3"
            ),
            slower(keras[0], keras[1], 42.2 / 46.0, EPYC, name="time, Inception V3 against EfficientNet-B0"),
            slower(keras[2], keras[0], 46.0 / 22.6, EPYC, name="time, EfficientNet-B0 against MobileNet"),
            note="Batch 8 and one thread here.",
        ),
    ]
