"""How far an output may be from the reference: one rule, for rows, for the conformance kit, for what ran by its error.

What is allowed follows from what the precision costs the network at hand, where that was found (on several inputs, by
the reference implementation); else from the precision alone.
"""

from __future__ import annotations

from bench.artifact.artifact import Artifact

# Relative L2 error of any network, by the precision that ran. fp32 leaves room for another summation order over the
# deepest networks. Networks of fifty layers with drawn weights make 60 to 100 times its unit round-off of what each
# operator rounds: up to 0.032 was measured in fp16, 0.21 in bf16 (PyTorch, every operator of it), 0.035 in TF32 (its
# rounding of operands, done on the CPU). A network that computes something else is off by about 1.
PARITY_TOLERANCE = {
    "fp32": 1e-4,
    "fp64": 1e-4,
    "tf32": 5e-2,
    "fp16": 5e-2,
    "bf16": 3e-1,
    "int8": 5e-1,
    "int4": 5e-1,
    "fp4": 5e-1,
    "fp8": 5e-1,
}
# Another order of summation is about as far from exact arithmetic as the reference is: twice that is usual for two
# that are both off, four times has room. A network whose noise is larger than a hundredth tells nothing apart.
NOISE, MOST_NOISE = 4.0, 1e-2
# A runtime that rounds in the same places is as far from fp32 as what was found, give or take the inputs; one that
# rounds operands again, inside, up to sqrt(2) times as far. Twice has room.
ROUNDING = 2.0
# Outputs that have nothing to do with each other are sqrt(2) apart: half of that still tells them apart.
MOST = 0.7


def allowed(artifact: Artifact, ran: str) -> float:
    """Return the relative L2 error that an output may have which was computed in the precision `ran`.

    A quantised network is held against itself in the reference implementation. Every lawful way to run it rounds to
    the same steps, some in fewer places (what it fuses) and some to the neighbouring step where a sum lies between two:
    it is closer to the reference than the reference, which rounds in all of them, is to fp32. So what quantisation
    costs the network is the bound.
    """
    strict = max(PARITY_TOLERANCE["fp32"], min(NOISE * artifact.noise, MOST_NOISE))
    if artifact.quantization is not None:
        return max(strict, min(artifact.quantization.cost, MOST))
    if ran in artifact.rounding:
        return max(strict, min(ROUNDING * artifact.rounding[ran], MOST))
    # The reference is one of the stored weights, so that theirs is the least that can be asked for.
    return max(strict, *(PARITY_TOLERANCE.get(precision, strict) for precision in (ran, artifact.precision)))
