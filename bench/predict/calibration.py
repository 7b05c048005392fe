"""How wrong predictions are: every measured network is predicted as if it had not been, its family left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Literal

from bench.predict.predictor import Predictor
from bench.predict.table import Calibration, KernelTable

Told = Callable[[str], None]
FOLDS = 5


def calibrate(
    table: KernelTable, seed: int = 0, told: Told = lambda text: None, folds: int = FOLDS
) -> list[Calibration]:
    """Predict every measured network as if it had not been, and say how wrong that was.

    One record each: `seen` is the log ratio of prediction to measurement with all its kernels timed, `unseen` with
    those hidden that only networks left out with it have, `unsure` how unsure the trees are then. Families are left
    out whole, several at a time, so that there are `folds` (0: each alone).
    """
    found = []
    measured = [n for n in table.networks.values() if n.latency_ns]
    families = sorted({n.family for n in measured})
    number = min(folds, len(families)) or len(families)
    everything = Predictor(table, seed=seed)
    for i in range(number):
        left_out = set(families[i::number])
        told(f"calibrating, {i + 1} of {number}")
        here = Predictor(table, (), left_out, seed, everything)
        blind = Predictor(table, hidden_keys(table, left_out), left_out, seed)
        both: tuple[tuple[Literal["seen", "unseen"], Predictor], ...] = (("seen", here), ("unseen", blind))
        for network in (n for n in measured if n.family in left_out):
            record: Calibration = {"network": network.name, "family": network.family}
            for name, predictor in both:
                one = predictor.predict(network)
                if not one.complete or (name == "seen" and one.sums.unsure > MOSTLY_SEEN):
                    continue
                record[name] = math.log(one.latency_ns / float(network.latency_ns or 1))
                if name == "unseen":
                    record["unsure"] = one.sums.unsure
            found.append(record)
    return found


MOSTLY_SEEN = 0.01  # up to which a network counts as one whose kernels were all timed


def hidden_keys(table: KernelTable, families: str | Collection[str]) -> set[str]:
    """Return the keys that only these families have, among the networks of a table."""
    left_out = {families} if isinstance(families, str) else set(families)
    own = {key for n in table.networks.values() if n.family in left_out for key in n.keys}
    others = {key for n in table.networks.values() if n.family not in left_out for key in n.keys}
    return own - others
