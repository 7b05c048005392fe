"""What ran, added up over the operators that a runtime tells: where work may hide, and the precision it was done in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from bench.artifact.artifact import Artifact
from bench.backends.base import PARITY_TOLERANCE, Operator


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
    macs: Counter[str] = Counter()
    for op in operators:
        if op.macs:
            macs[op.precision] += op.macs
    hidden = {op.precision for op in operators if op.opaque and op.precision in PARITY_TOLERANCE}
    if macs:
        most = macs.most_common(1)[0][0]
        return most if most and hidden <= {most} else "unknown"
    if any(op.opaque for op in operators):
        return hidden.pop() if len(hidden) == 1 else "unknown"
    rest = Counter(op.precision for op in operators if op.precision in PARITY_TOLERANCE)
    return rest.most_common(1)[0][0] if rest else "unknown"
