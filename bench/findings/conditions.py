"""Under which conditions an effect was published, and under which it was measured here: only like is held against like.

What a source does not tell is empty, and what is not known is not the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.base.words import plural
from bench.plan.case import Case

GPU, PHONE, X86, ARM = "GPU", "phone CPU", "x86 CPU", "Arm CPU"
KINDS = (GPU, PHONE, X86, ARM)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Device class, runtime, threads, batch and precision; empty where they are not told."""

    kind: str = ""
    runtime: str = ""
    threads: str = ""
    batch: str = ""
    precision: str = ""

    def __str__(self) -> str:
        threads = f"{self.threads} {plural('thread', 1 if self.threads == '1' else 2)}" if self.threads else ""
        batch = f"batch {self.batch}" if self.batch else ""
        told = (self.kind, self.runtime, threads, batch, self.precision)
        return ", ".join(part for part in told if part) or "not told"


# By the name that experiments give the device, in the words of models/published/latencies.csv.
PUBLISHED = {
    "GTX 1080Ti": Conditions(GPU, "cudnn"),
    "Snapdragon 810": Conditions(PHONE, "", "1"),
    "Snapdragon 820": Conditions(PHONE, "", "1"),
    "mobile": Conditions(PHONE),
    "Pixel 1": Conditions(PHONE, "tflite", "1", "", "fp32"),
    "a phone, TFLite": Conditions(PHONE, "tflite", "1"),
    "a phone": Conditions(PHONE),
    "Xeon Gold 6148": Conditions(X86, "paddle-mkldnn", "10"),
    "Core i7-12700H": Conditions(X86, "torch-compile", "", "", "fp32"),
    "EPYC, 92 cores": Conditions(X86, "keras", "", "32"),
    "Xeon E5-2690": Conditions(X86, "", "1"),
}
# Tables 1 to 4 of ShuffleNet V2 do not tell their batch; Table 8 does.
BATCH_UNTOLD = "stack/"


def published(device: str, a: Case) -> Conditions:
    """Return the published conditions of an experiment by its device and its first case here."""
    known = PUBLISHED.get(device, Conditions())
    if known.batch or not device:
        return known
    batch = "" if a.network.model.canonical.startswith(BATCH_UNTOLD) else str(a.network.batch)
    return Conditions(known.kind, known.runtime, known.threads, batch, known.precision)


def here(case: Case, arch: str, precision: str) -> Conditions:
    """Return the conditions of a case on a device of this architecture that ran in this precision."""
    spec = case.backend.canonical
    kind = GPU if "device=cuda" in spec else X86 if arch in ("x86_64", "AMD64") else ARM if arch else ""
    runtime = case.backend.name
    if runtime == "torch" and "compile=true" in spec:
        runtime = "torch-compile"
    return Conditions(
        kind, {"litert": "tflite"}.get(runtime, runtime), str(case.settings.threads), str(case.network.batch), precision
    )


def alike(a: Conditions, b: Conditions) -> bool:
    """Tell whether two effects were measured under like conditions: all of them are known, and the same."""
    return a == b and all((a.kind, a.runtime, a.threads, a.batch, a.precision))
