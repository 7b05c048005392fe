"""GhostNet (Han et al. 2020, arXiv 1911.11907) and GhostNetV2 (Tang et al. 2022, arXiv 2211.12905)."""

from __future__ import annotations

from bench.findings.finding import FIGURE, Finding, counted, of, slower
from bench.papers.claims import claim

PHONE = "a phone, TFLite"
ACCURACY = "accuracy is quoted, never tested again: nothing is trained here"


def findings() -> list[Finding]:
    """Return the findings of both papers."""
    dense = "stack/conv:c=64,kernel=3"
    # Section 3.2 with kernels d = k: s c / (s + c - 1).
    ghosts = tuple(
        counted(dense, f"stack/ghost:c=64,s={s}", "macs", (s + 63) / (s * 64), name=f"macs: ghost module of ratio {s}")
        for s in (2, 4)
    )
    return [
        of(claim("GN-01"), reason=ACCURACY),
        of(
            claim("GN-02"),
            slower("ghostnetv1:width=1.2", "mobilenetv3-large", 45 / 40, PHONE),
            note="The width is that whose MACs (198 M) the figure shows.",
        ),
        of(claim("GN-03"), *ghosts),
        of(claim("GN-04"), reason="about a GPU beside a CPU: compare `bench rank` of both"),
        of(
            claim("GN-05"),
            slower(
                "ghostnetv1", "mobilenetv3:width=0.75", 32.2 / 31.1, PHONE, origin=FIGURE, blur=0.3 / 32.2 + 0.3 / 31.1
            ),
        ),
        of(
            claim("G2-01"),
            reason="about a local self-attention that the authors tried and left out; its layers are not printed",
        ),
        of(
            claim("G2-02"),
            slower("ghostnetv1:width=1.1", "ghostnetv2", 37.5 / 37.2, "a phone", equals=True, origin=FIGURE),
            note="The latencies at 168 and 167 M of its figure; the accuracy is quoted, never tested again.",
        ),
    ]
