"""PP-LCNet (Cui et al. 2021, arXiv 2109.15099), Tables 2, 3 and 6 to 9, on a Xeon Gold 6148 with ten threads."""

from __future__ import annotations

from bench.findings.finding import Finding, direction, of, slower
from bench.papers.claims import claim

XEON = "Xeon Gold 6148"
HALF = "pplcnet:width=0.5"
ALL = "1" * 13
# Table 9: the network before all techniques, and with one after another.
BASE = f"{HALF},se={'0' * 13},large_kernel={'0' * 13},activation=relu,last_conv=false"
HSWISH = f"{HALF},se={'0' * 13},large_kernel={'0' * 13},last_conv=false"
KERNEL = f"{HALF},se={'0' * 13},last_conv=false"
SE = f"{HALF},last_conv=false"
# Table 2: millions of operations and milliseconds by scale.
TABLE2 = {
    0.25: (18, 1.74), 0.35: (29, 1.92), 0.5: (47, 2.05), 0.75: (99, 2.29), 1.0: (161, 2.46), 1.5: (342, 3.19),
    2.0: (590, 4.27), 2.5: (906, 5.39),
}  # fmt: skip


def findings() -> list[Finding]:
    """Return the findings of the paper's claims, and its tables of scales and techniques."""
    v1 = "mobilenetv1"
    found = [
        of(claim("LC-01"), slower(HALF, "shufflenetv2:width=0.5", 4.65 / 2.05, XEON)),
        of(
            claim("LC-02"),
            slower(HALF, f"{HALF},se={ALL}", 3.80 / 2.05, XEON, name="SE in all 13 blocks against the last two"),
            slower(HALF, f"{HALF},se=1100000000000", 2.06 / 2.05, XEON, equals=True, name="SE in the first two"),
        ),
        of(claim("LC-03"), slower(v1, "mobilenetv3-small:width=1.25", 3.95 / 3.38, XEON)),
        of(claim("LC-04"), slower(v1, "mobilenetv2", 4.26 / 3.38, XEON)),
        of(
            claim("LC-05"),
            slower(BASE, HSWISH, 1.66 / 1.61, XEON, equals=True, name="h-swish against ReLU"),
            slower(HSWISH, KERNEL, 1.70 / 1.66, XEON, equals=True, name="5x5 kernels at the tail"),
        ),
        of(claim("LC-06"), slower(SE, HALF, 2.05 / 1.85, XEON, name="with the last 1x1 convolution")),
        of(
            claim("LC-07"),
            slower(HALF, f"{HALF},large_kernel={ALL}", 2.08 / 2.05, XEON, equals=True, name="5x5 everywhere"),
        ),
        of(
            claim("LC-08"),
            slower(
                "pplcnet:width=0.25",
                "pplcnet:width=2.5",
                (5.39 / 1.74) / (906 / 18),
                XEON,
                per_mac=True,
                name="2.5x against 0.25x, time per MAC",
            ),
            slower("pplcnet:width=0.25", "pplcnet:width=2.5", 5.39 / 1.74, XEON, name="2.5x against 0.25x, time"),
        ),
        of(claim("LC-09"), reason="detection and segmentation, with their own heads: the zoo builds classifiers"),
        of(
            claim("LC-10"),
            direction(
                HALF,
                "variant/pplcnet-shortcut:width=0.5",
                1,
                XEON,
                name="with a shortcut around every block that keeps its shape",
            ),
            note="No figure is published.",
        ),
    ]
    whole_m, whole_ms = TABLE2[1.0]
    scales = tuple(
        slower(
            "pplcnet",
            f"pplcnet:width={w}",
            (ms / whole_ms) / (m / whole_m),
            XEON,
            per_mac=True,
            name=f"{w}x against 1x, time per MAC",
        )
        for w, (m, ms) in TABLE2.items()
        if w != 1.0
    )
    se = slower(KERNEL, SE, 1.85 / 1.70, XEON, name="SE in the last two blocks (Table 9)")
    relu = slower(f"{HALF},activation=relu", HALF, 2.05 / 1.94, XEON, name="h-swish (Table 6)")
    without = slower(f"{HALF},se={'0' * 13}", HALF, 2.05 / 1.87, XEON, name="SE (Table 6)")
    small = slower(f"{HALF},large_kernel={'0' * 13}", HALF, 2.05 / 2.01, XEON, name="5x5 kernels (Table 6)")
    paper = "PP-LCNet"
    return [
        *found,
        Finding(
            "LC-scales",
            "latency grows far less than the FLOPs with the scale of PP-LCNet: a small one takes more time per MAC",
            f"{paper}, Table 2",
            paper,
            scales,
            headline=scales[0].name,
        ),
        Finding(
            "LC-techniques",
            "what each technique of PP-LCNet-0.5x costs in time",
            f"{paper}, Tables 6 and 9",
            paper,
            (relu, without, small, se),
            headline=without.name,
        ),
    ]
