"""Which of several predictions are told apart: for choosing among architectures that nobody has run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from bench.base.words import counted, verb
from bench.predict.predictor import Prediction

NAMED = 6  # pairs that are named


def apart(a: Prediction, b: Prediction) -> bool:
    """Tell whether two latencies are in the predicted order at 90%.

    Their errors count as independent: two of one kind share some, and are told apart better than this says. A
    prediction without an interval is told apart from nothing.
    """
    if a.lo_ns is None or b.lo_ns is None:
        return False
    halves = (math.log(p.latency_ns / float(p.lo_ns or 1)) for p in (a, b))
    return abs(math.log(a.latency_ns / b.latency_ns)) > math.hypot(*halves)


def statement(found: Sequence[tuple[str, Prediction]]) -> str:
    """Say which pairs of named predictions are told apart at 90%, and name those that are not."""
    pairs = list(combinations(found, 2))
    alike = [f"{a[0]} and {b[0]}" for a, b in pairs if not apart(a[1], b[1])]
    many = f"{len(pairs) - len(alike)} of {counted(len(pairs), 'pair')}"
    told = f"{many} {verb(len(pairs), 'is', 'are')} told apart at 90%"
    if not alike:
        return told
    more = f" and {len(alike) - NAMED} more" if len(alike) > NAMED else ""
    return f"{told}; not {'; '.join(alike[:NAMED])}{more}"
