"""How wrong predictions are: every measured network is predicted as if it had not been, its family left out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from bench.predict.predictor import ALIKE, Predictor, operator_of
from bench.predict.table import Calibration, KernelTable

Told = Callable[[str], None]


def calibrate(
    table: KernelTable, seed: int = 0, told: Told = lambda text: None, strict: bool = False
) -> list[Calibration]:
    """Predict every measured network as if it had not been, and say how wrong that was.

    One record each: `seen` is the log ratio of prediction to measurement with all its kernels timed, `unseen` with
    those that only its family has hidden (see `hidden_keys` for `strict`), `share` the part of the time that was
    predicted then. Families are left out whole. A prediction with an unknown operator is left out.
    """
    found = []
    measured = [n for n in table.networks.values() if n.latency_ns]
    for family in sorted({n.family for n in measured}):
        told(f"calibrating without {family}")
        here = Predictor(table, (), (family,), seed)
        blind = Predictor(table, hidden_keys(table, family, strict), (family,), seed)
        both: tuple[tuple[Literal["seen", "unseen"], Predictor], ...] = (("seen", here), ("unseen", blind))
        for network in (n for n in measured if n.family == family):
            record: Calibration = {"network": network.name, "family": family}
            for name, predictor in both:
                one = predictor.predict(network)
                if one.complete:
                    record[name] = math.log(one.latency_ns / float(network.latency_ns or 1))
                    record["share"] = one.sums.share_unseen
            found.append(record)
    return found


def hidden_keys(table: KernelTable, family: str, strict: bool = True) -> set[str]:
    """Return the keys that only a family has, among the networks of a table.

    Without `strict` operators of which too few would be left to predict another from stay: a network that has one is
    refused, so that an interval needs not cover it.
    """
    own = {key for n in table.networks.values() if n.family == family for key in n.keys}
    others = {key for n in table.networks.values() if n.family != family for key in n.keys}
    hidden = own - others
    if strict:
        return hidden
    left: dict[str, int] = {}
    for key, timing in table.timings.items():
        if timing.runs and key not in hidden:
            left[operator_of(timing.kernel)] = left.get(operator_of(timing.kernel), 0) + 1
    return {key for key in hidden if left.get(operator_of(table.timings[key].kernel), 0) >= ALIKE}
