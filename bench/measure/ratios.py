"""Which case of a run is faster, and by how much: from the rounds in which both ran a block.

Rows tell latencies one by one, with intervals that hold what the machine did meanwhile. Two cases of one replicate met
the same machine, round by round, so their ratio is known better than either of them.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.measure.evidence import full_share, log_time, theft
from bench.measure.state import CaseState, LaunchRecord
from bench.rows.schema import MEASURED, Row
from bench.stats.ratio import LEAST, Effect, effect


@dataclass(frozen=True, slots=True)
class Ratio:
    """The latency of `slow` over that of `fast`, on the log scale, with its interval over replicates.

    Of two cases in mode throughput it is that of their times per sample.
    """

    slow: Row
    fast: Row
    found: Effect


def ratios(ended: Sequence[tuple[CaseState, Row]]) -> list[Ratio]:
    """Return the ratio of each two of the cases that shared replicates, where they did three times or more.

    `ended` are the cases of one group, with their rows. What was not measured as asked, or on an emulated CPU, is left
    out; a latency and a throughput have no ratio.
    """
    good = [(state, row) for state, row in ended if row.status in MEASURED and not row.emulated]
    found = []
    for (one, a), (other, b) in itertools.combinations(good, 2):
        if one.case.settings.mode != other.case.settings.mode:
            continue
        logs = differences(one.launches, other.launches, (one.threads, other.threads))
        if len(logs) >= LEAST:
            b_over_a = effect(logs)
            found.append(Ratio(b, a, b_over_a) if b_over_a.log >= 0 else Ratio(a, b, b_over_a.inverse))
    return found


def differences(a: Sequence[LaunchRecord], b: Sequence[LaunchRecord], threads: tuple[int, int] = (1, 1)) -> list[float]:
    """Return the log of B's latency over A's for each replicate: the mean over the rounds that disturbed neither.

    The n-th launch of either side was the n-th replicate's. A replicate of which less than half of the rounds is left
    is no evidence.
    """
    logs = []
    for here, there in zip(
        _rounds(a, threads[0]), _rounds(b, threads[1]), strict=False
    ):  # the one that was sure first had fewer
        both = [there[r] - here[r] for r in here.keys() & there.keys()]
        calm = [log for log in both if not math.isnan(log)]
        if calm and 2 * len(calm) >= len(both):
            logs.append(statistics.fmean(calm))
    return logs


def _rounds(side: Sequence[LaunchRecord], threads: int) -> list[dict[int, float]]:
    """Return for each launch the log median of its blocks, by round; NaN where something took the cores."""
    full = full_share([block for launch in side for block in launch.blocks], threads)
    return [
        {block["round"]: math.nan if theft(block, full, threads) else log_time(block) for block in launch.blocks}
        for launch in side
    ]
