"""The energy of an inference, from a device's running total: between two of its steps, a second or more apart.

Such a total moves every 20 to 100 ms, so a block is too short for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LEAST_S = 1.0
PATIENCE_S = 1.0  # a total that has not moved for so long does not move
EVERY_S = 0.002  # asking takes time in which nothing runs


def per_inference_mj(
    infer: Callable[[], None], total_mj: Callable[[], int | None], clock: Callable[[], int] = time.perf_counter_ns
) -> float | None:
    """Return the energy of one inference in mJ, back to back and synchronised as they are timed.

    None where nothing counts it, where the total does not move, or where it fell: somebody has reset it.
    """
    begin = _step(infer, total_mj, clock, 0.0)
    end = None if begin is None else _step(infer, total_mj, clock, LEAST_S)
    if begin is None or end is None or end[0] <= begin[0]:
        return None
    return (end[0] - begin[0]) / end[1]


def _step(
    infer: Callable[[], None], total_mj: Callable[[], int | None], clock: Callable[[], int], least_s: float
) -> tuple[int, int] | None:
    """Run inferences for so long, and on until the total has moved; return it and how many they were."""
    last, n, begin = total_mj(), 0, clock()
    asked = begin
    while last is not None:
        infer()
        n += 1
        now = clock()
        if now - asked < EVERY_S * 1e9:
            continue
        asked, told = now, total_mj()
        spent_s = (now - begin) / 1e9
        if told is None or (told == last and spent_s > least_s + PATIENCE_S):
            return None
        if told != last and spent_s >= least_s:
            return told, n
        if spent_s < least_s:
            last = told
    return None
