"""Why guidelines fail here: channels in steps of two, and the same networks held to older instructions.

No claim of a paper, and no verdict: experiments that tell one explanation from another. They are of the form of
findings, so that they are measured, kept and judged as those are; the catalogue does not have them.

*Channels*: a stack of ten 1x1 or ten depthwise 3x3 convolutions from 16 to 64 channels, time per MAC against that of
64 channels. A runtime that computes in blocks of 16 takes as long for 34 channels as for 48.

*Instructions*: Table 8 was measured on a core with vectors of 4 numbers. OpenVINO and PyTorch can be held to such on
this CPU.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import backends
from bench.findings.catalog import GUIDELINES, select
from bench.findings.evaluate import Result, evaluate
from bench.findings.finding import Experiment, Finding, follows
from bench.findings.shufflenetv2 import RIVALS
from bench.findings.side import Side
from bench.findings.store import Evidence
from bench.plan.protocol import ReplicateProtocol
from bench.plan.zoo import canonical

FIRST, FULL, BLOCK = 16, 64, 16
SWEEPS = {"pointwise": "stack/conv:c={c}", "depthwise": "stack/conv:c={c},groups={c},kernel=3"}
# Replicates that begin quickly: what is looked for is far larger than what a fresh load moves.
PROTOCOL = ReplicateProtocol(replicates=3, most=3, turns=3, block_ms=20.0, warmup_ms=30.0, live=13, reload=False)
HELD = ("openvino", "torch")  # runtimes that can be held to older instructions
AS_IT_COMES = "as it comes"
LOST = 10  # times as long as it comes: there is no kernel of these instructions for the network
ISA = {"": AS_IT_COMES, ":isa=avx2": "AVX2", ":isa=sse41": "SSE4.1"}  # what they are called, by the options
GPU_CORE = ("1:12, x1, GTX 1080Ti", "8 groups, x1, GTX 1080Ti", "4 fragments, series, c=128, GTX 1080Ti")


@dataclass(frozen=True, slots=True)
class Stage:
    """What is measured on which backends."""

    name: str
    findings: tuple[Finding, ...]
    backends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """Time per MAC of a stack of so many channels, that of `FULL` channels being 1, with its interval; and its ms."""

    kind: str
    backend: str
    channels: int
    time: float
    lo: float
    hi: float
    ms: float


def stages() -> tuple[Stage, ...]:
    """Return all that is measured, what says most first."""
    both = tuple(sweep(kind, 2) for kind in SWEEPS)
    coarse = tuple(sweep(kind, 4) for kind in SWEEPS)
    networks, stacks = (tuple(f for f in held() if (f.id in GUIDELINES) is wanted) for wanted in (False, True))
    return (
        Stage("channels", both, ("onnxruntime", "openvino")),
        Stage("channels under AVX2", both[:1], ("openvino:isa=avx2",)),
        Stage("instructions", networks, tuple(f"openvino{option}" for option in ISA)),
        Stage("instructions in PyTorch", networks, tuple(f"torch{option}" for option in ISA)),
        # Not under SSE4.1: stacks of many channels take a second there.
        Stage("guidelines under AVX2", stacks, tuple(f"openvino{option}" for option in tuple(ISA)[:2])),
        Stage("channels in PyTorch", coarse, ("torch",)),
    )


def sweep(kind: str, step: int) -> Finding:
    """Return the stacks of one kind against that of 64 channels, in steps of so many channels."""
    text = SWEEPS[kind]
    full = Side(text.format(c=FULL))
    experiments = tuple(
        follows(full, Side(text.format(c=c)), f"{c} channels") for c in range(FIRST, FULL, step)
    )  # fmt: skip
    claim = f"a stack of {kind} convolutions takes the same time per MAC at any number of channels"
    return Finding(f"WHY-{kind}", claim, "ours", "isoflops", experiments, headline=experiments[0].name)


def held() -> tuple[Finding, ...]:
    """Return experiments of Table 8 at batch 1, G1 to G3 and PP-LCNet whose answer older instructions may turn."""
    found = [finding.only(_turns) for finding in select([*(f"T8-{n}" for n in RIVALS), "G1", "G2", "G3", "LC-04"])]
    return tuple(finding for finding in found if finding is not None)


def _turns(e: Experiment) -> bool:
    """Tell whether an experiment is one of them: MobileNet V1 and the rivals of Table 8, the GPU's own guidelines."""
    if e.name.removesuffix(", aligned") in GPU_CORE:
        return True
    rivals = {canonical(model) for model in RIVALS.values()}
    b = None if e.b is None or e.b.model.startswith("stack/") else e.b.model
    if b is None or e.a.batch != 1:
        return False
    return canonical(b) in rivals or canonical(b).startswith("mobilenetv1") or e.a.model == "mobilenetv1"


def points(evidence: Evidence) -> list[Point]:
    """Return the sweeps that evidence has, one point per stack, backend after backend."""
    found = []
    for kind in SWEEPS:
        for r in judged([sweep(kind, 2)], evidence):
            if r.found is not None and r.experiment is not None and r.b_ms and r.a_ms:
                channels = int(r.experiment.name.split()[0])
                ratio, lo, hi = r.found.ratios
                found.append(Point(kind, r.backend, channels, ratio, lo, hi, r.b_ms))
    return found


def held_results(evidence: Evidence) -> list[Result]:
    """Return what evidence says of the networks of `held`, as they come and held to older instructions."""
    return [r for r in judged(held(), evidence) if split(r.backend)[0] in HELD]


def without_kernel(r: Result, among: Mapping[str, Result]) -> bool:
    """Tell whether a network is so much slower than as it comes that it must run without a kernel made for it."""
    native = among.get(AS_IT_COMES)
    sides = ((r.a_ms, native.a_ms), (r.b_ms, native.b_ms)) if native is not None else ()
    return any(here and there and here / there > LOST for here, there in sides)


def split(backend: str) -> tuple[str, str]:
    """Return the runtime of a backend, and what its instructions are called."""
    name, colon, options = backend.partition(":")
    return name, ISA.get(colon + options, options)


def judged(findings: Sequence[Finding], evidence: Evidence) -> list[Result]:
    """Return the effects that evidence has, on the backends that it has."""
    specs = list(dict.fromkeys(line["backend"] for line in evidence.replicates))
    refs = [backends.resolve(spec, here=False) for spec in specs]
    return [r for r in evaluate(findings, refs, evidence) if r.found is not None] if refs else []


def padded(kind: str, channels: int, block: int = BLOCK) -> float:
    """Return how many times its MACs a stack computes where channels are padded to whole blocks."""
    more = math.ceil(channels / block) * block / channels
    return more * more if kind == "pointwise" else more
