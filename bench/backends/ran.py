"""What ran: added up over the operators that a runtime tells, or read from what it did where it tells none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace

from bench.artifact.artifact import Artifact
from bench.artifact.reference import relative_l2
from bench.backends.answers import Inspected
from bench.backends.base import PARITY_TOLERANCE, Array, Effective, Operator
from bench.backends.tolerance import allowed
from bench.graph.classes import QUANTIZERS
from bench.machine.threads import count_computing


def settle(operators: Sequence[Operator], suspects: Collection[int], artifact: Artifact) -> list[Operator]:
    """Mark as `opaque` the operators, given by their places, in which multiply-accumulates may hide.

    None hides where those that are told are all that the source has. Where some are missing, a suspect may hold them: a
    fused attention, a subgraph compiled in one piece, an operator of matrix kind that is like none of the source.
    """
    complete = not artifact.uncounted and sum(op.macs or 0 for op in operators if op.needed) >= artifact.macs
    return [replace(op, opaque=not complete and i in suspects) for i, op in enumerate(operators)]


def precision_of(operators: Sequence[Operator]) -> str:
    """Name the precision of the operators that hold most of the MACs; ``unknown`` where nothing tells.

    What an opaque operator holds is not known: where one ran in another precision, it may be the larger part. A network
    without any MACs has the precision of most of its operators.
    """
    macs = Counter(macs_of(operators))
    hidden = {op.precision for op in operators if op.opaque and op.precision in PARITY_TOLERANCE}
    if macs:
        most = macs.most_common(1)[0][0]
        return most if most != "unknown" and hidden <= {most} else "unknown"
    if any(op.opaque for op in operators):
        return hidden.pop() if len(hidden) == 1 else "unknown"
    rest = Counter(op.precision for op in operators if op.precision in PARITY_TOLERANCE)
    return rest.most_common(1)[0][0] if rest else "unknown"


def macs_of(operators: Sequence[Operator]) -> dict[str, int]:
    """Add up the MACs of a graph by the precision that they ran in."""
    macs: Counter[str] = Counter()
    for op in operators:
        if op.macs:
            macs[op.precision or "unknown"] += op.macs
    return dict(macs)


def between(operators: Sequence[Operator]) -> int:
    """Count the operators that only quantise or dequantise: what is left of a quantised file's after all fusions."""
    return sum(op.kind in QUANTIZERS for op in operators if op.needed)


def inspected(
    operators: Sequence[Operator] | None, effective: Effective, busy_threads: int | None, parity: float
) -> Inspected:
    """Return a worker's answer of what really ran; `operators` are None where the runtime tells no graph."""
    told = operators or []
    opaque = sorted({op.kind for op in told if op.opaque})
    known = operators is not None and not opaque
    padded = [op.padded_macs for op in told if op.padded_macs is not None]
    settings = {name: str(value) for name, value in effective.settings.items()}
    return {
        "effective": {
            "version": effective.version,
            "device": effective.device,
            "precision": effective.precision,
            "threads": effective.threads,
            "placement": asdict(effective.placement),
            "settings": settings,
            "unmet": effective.unmet,
            "remarks": effective.remarks,
            "streams": effective.streams,
        },
        "operators": None if operators is None else len(operators),
        "macs_executed": sum(op.macs or 0 for op in told) if known else None,
        "macs_needed": sum(op.macs or 0 for op in told if op.needed) if known else None,
        "macs_padded": sum(padded) if padded and known else None,
        "macs_by_precision": macs_of(told) if known else effective.macs,
        "between": between(told) if known else effective.between,
        "opaque": opaque,
        "largest_macs": max((op.macs or 0 for op in told), default=0),
        "busy_threads": busy_threads,
        "parity_rel_l2": parity,
    }


def precision_by_error(artifact: Artifact, outputs: list[Array], reduced: str = "") -> str:
    """Name the precision of a runtime that tells none, by the error of its outputs; ``unknown`` where that decides not.

    `reduced` is the one precision below the weights' that the runtime was allowed to use, if any. One rounding of
    weights or activations to 11 bits (fp16, TF32) puts a relative error of 2**-11 / sqrt(3) x 0.7 = 2e-4 on a sum of
    products of either sign, and to 8 bits (bf16) eight times that, so that an error below the tolerance of fp32 can be
    no other precision's; and one above it is that of `reduced`, as long as it is as small as that allows.
    """
    if artifact.precision != "fp32":
        return "unknown"
    error = relative_l2(outputs, artifact.reference()[1])
    if error <= PARITY_TOLERANCE["fp32"]:
        return "fp32"
    return reduced if reduced and error <= allowed(artifact, reduced) else "unknown"


def threads_by_time(infer: Callable[[], None], asked: int) -> int | None:
    """Count the threads that share the inferences of a runtime that does not tell its pool, by their CPU time.

    None where fewer computed than were asked for: a small operator is not shared, and that is not told from a thread
    that something withholds.
    """
    found = count_computing(infer, asked)
    return None if found is None or found < asked else found
