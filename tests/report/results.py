"""Results for the tests of charts and the page: rows of two targets, nights with a change, a profile, evidence."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.rows.file import append_samples
from tests.rows.rows import row, write

HOSTILE = (
    "</script><script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "\x1b[31mred\x1b[0m\x07",
    "n" * 10_000,
    "<!--\u2028</style>\"'&`${7*7}`{{7*7}}",
)
NETWORKS = {"shufflenetv2": 146, "shufflenetv1": 138, "pplcnet": 156, "mobilenetv1": 569, "mobilenetv2": 301}


def two_targets(path: Path) -> Path:
    """Five networks on two instruction sets; on x86 ShuffleNet V2 at half width besides, and a row that failed."""
    rows = []
    for target, arch, cpu, by in (("x86", "x86_64", "EPYC", 1.0), ("arm", "aarch64", "Neoverse", 1.6)):
        for i, (model, m_macs) in enumerate(NETWORKS.items()):
            ms = by * (3 + i) * (2 if (model, target) == ("pplcnet", "arm") else 1)
            kept = {
                "case_id": model,
                "sustain_s": 1800.0,
                "early_ms": ms,
                "settled_ms": 1.2 * ms,
                "settled_after_s": 300.0,
            }
            rows.append(
                row(ms, model=model, target=target, arch=arch, cpu=cpu, cpu_id=cpu, macs=m_macs * 10**6, run_id=target,
                    **(kept if target == "x86" and i < 2 else {}))
            )  # fmt: skip
    rows.append(row(1.5, model="shufflenetv2:width=0.5", target="x86", macs=41 * 10**6, run_id="x86", cpu_id="EPYC"))
    rows.append(row(9.0, 0.05, model="squeezenet", target="x86", macs=819 * 10**6, run_id="x86", cpu_id="EPYC",
                    status="noisy", floor_ms=2.0, attainable_share=0.4))  # fmt: skip
    failed = row(model="vgg16", target="x86", status="failed", run_id="x86", cpu_id="EPYC", error="it <b>broke</b>")
    rows.append(replace(failed, latency_ms=None, latency_lo_ms=None, latency_hi_ms=None, macs=None))
    return write(path, rows)


def nights(path: Path, count: int = 24, moves_at: int = 12) -> Path:
    """Nights of three networks, one of which gets 12% slower; the noise is a fixed, small wave."""
    rows = []
    for night in range(count):
        for i, model in enumerate(("shufflenetv2", "pplcnet", "mobilenetv1")):
            wave = 0.002 * math.sin(1.7 * night + i)
            moved = 1.12 if model == "pplcnet" and night >= moves_at else 1.0
            rows.append(
                row((3 + i) * moved * math.exp(wave), model=model, run_id=f"n{night}",
                    started_at=f"2026-03-{night + 1:02}T00:00:00+00:00", macs=(140 + 200 * i) * 10**6)
            )  # fmt: skip
    return write(path, rows)


def profile(path: Path, model: str = "shufflenetv2") -> Path:
    """A profile of two operators, as `bench profile --output` writes it."""

    def operator(name: str, class_: str, time_us: float, macs: int) -> dict[str, Any]:
        return {
            "name": name, "kind": "Conv", "class": class_, "time_us": time_us, "sd_us": 1.0, "share": time_us / 4000,
            "raw_us": time_us, "macs": macs, "padded_macs": None, "gmacs_per_s": 1.0, "layout_in": "nchwc",
            "layout_out": "nchwc", "precision": "fp32", "implementation": "x", "shapes_in": [[1, 24, 56, 56]],
            "shape_out": [1, 24, 56, 56], "weight": [24, 24, 1, 1], "group": 1, "sources": [name], "precise": True,
        }  # fmt: skip

    record = {
        "model": model, "backend": "onnxruntime", "threads": 1, "batch": 1, "resolution": 224, "cpu": "EPYC",
        "version": "1.0", "precision": "fp32", "launches": 3, "latency_ms": 4.0, "latency_lo_ms": 3.9,
        "latency_hi_ms": 4.1, "operators": [operator("a", "conv 1x1", 2500.0, 10**8),
                                            operator("b", "conv depthwise", 1000.0, 10**6)],
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"profile": record}), "utf-8")
    return path


EVIDENCE = Path(__file__).parent.parent.parent / "results" / "xeon-vm-2core" / "findings.jsonl"


def curves(path: Path) -> Path:
    """Write the samples of half an hour beside rows of `two_targets`: latencies rise by a fifth."""
    for i, model in enumerate(list(NETWORKS)[:2]):
        blocks = [
            {"at_s": 10.0 * n, "latency_ns": [round((3 + i) * 1e6 * (1.2 - 0.2 * math.exp(-n / 30)))] * 3,
             "heat": {"mhz": 2000.0 - n, "celsius": 50.0 + n / 10}}
            for n in range(180)
        ]  # fmt: skip
        append_samples(path, [{"run_id": "x86", "case_id": model, "blocks": blocks}])
    return path


def everything(folder: Path) -> list[str]:
    """Write one of each, and return what to name on a command line."""
    curves(two_targets(folder / "targets.csv"))
    nights(folder / "nights" / "nights.csv")
    profile(folder / "profile.json")
    return [str(folder), str(EVIDENCE)]
