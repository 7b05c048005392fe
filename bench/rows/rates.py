"""Rows of mode throughput among rows of latencies: kept apart here, so that nothing else has to think of them.

They have no latency, and no place where latencies are compared: `bench.rows.frame.load` leaves them out, and says so,
unless a reader asks for them. Two such rows of one case are compared by their time per sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.base.errors import OutputError, clip
from bench.base.words import counted
from bench.plan.protocol import THROUGHPUT

if TYPE_CHECKING:
    import pandas as pd

PER_SAMPLE = {
    "latency_ms": "throughput",
    "latency_lo_ms": "throughput_hi",
    "latency_hi_ms": "throughput_lo",
    "within_lo_ms": "throughput_within_hi",
    "within_hi_ms": "throughput_within_lo",
}
RATES = tuple(PER_SAMPLE.values())
HINT = "`bench show` and `bench compare BASE NEW` read them"


def latencies(frame: pd.DataFrame, sources: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Leave the rows out that have no latency, and say how many.

    Raises:
        OutputError: none is left.
    """
    rates = (frame["mode"] == THROUGHPUT).to_numpy()
    if rates.all():
        raise OutputError(f"all rows in {clip(', '.join(sources))} are of mode throughput", HINT)
    if not rates.any():
        return frame, []
    told = f"left out: {counted(int(rates.sum()), 'row')} of mode throughput; {HINT}"
    return frame[~rates].reset_index(drop=True), [told]


def timed(frame: pd.DataFrame) -> pd.DataFrame:
    """Give rows of mode throughput their time per sample, in ms, in the columns of latency.

    For comparing rows of one case with each other, which are all of one mode, and for nothing else.
    """
    rates = (frame["mode"] == THROUGHPUT).to_numpy()
    if not rates.any():
        return frame
    times = {time: np.where(rates, 1e3 / frame[rate], frame[time]) for time, rate in PER_SAMPLE.items()}
    return frame.assign(**times)
