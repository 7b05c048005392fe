"""The energy of an inference, from a running total: between two of its steps, a second or more apart.

Such a total moves every 1 to 100 ms, so a block is too short for it. What the device draws anyhow is measured just
before, while nothing runs, and taken out.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.backends.answers import Energy
from bench.backends.base import Session
from bench.base.errors import BenchError
from bench.machine import meters

LEAST_S = 1.0
PATIENCE_S = 1.0  # a total that has not moved for so long does not move
EVERY_S = 0.002  # asking takes time in which nothing runs
QUESTIONS = 10  # of a slow meter, at least, in what is told of it
REST_S = 0.02

Total = Callable[[], float | None]
Step = tuple[float, int, int]  # the total, inferences since the step before, and when (ns)


def per_inference_mj(
    infer: Callable[[], None], total_mj: Callable[[], int | None], clock: Callable[[], int] = time.perf_counter_ns
) -> float | None:
    """Return the energy of one inference in mJ, back to back and synchronised as they are timed.

    None where nothing counts it, where the total does not move, or where it fell: somebody has reset it.
    """
    spent = _between(infer, total_mj, clock, LEAST_S, EVERY_S)
    return None if spent is None else spent[0] / spent[1]


def measure(
    infer: Callable[[], None],
    meter: meters.Meter,
    clock: Callable[[], int] = time.perf_counter_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> Energy:
    """Measure what the device draws when idle, then inferences back to back; the difference is the inferences'."""
    least_s, every_s = max(LEAST_S, QUESTIONS * meter.every_s), max(EVERY_S, meter.every_s)
    idle = _between(lambda: sleep(max(REST_S, every_s)), meter.total_j, clock, least_s, every_s)
    busy = None if idle is None else _between(infer, meter.total_j, clock, least_s, every_s)
    if idle is None or busy is None:
        return failed(f"{meter.name} stands still, or stopped telling", meter.name)
    idle_w = idle[0] / idle[2]
    net_j = busy[0] - idle_w * busy[2]
    if net_j <= 0:
        return failed(f"{meter.name} tells no more while it runs than while it rests ({idle_w:.3g} W)", meter.name)
    return {"mj": 1e3 * net_j / busy[1], "idle_w": idle_w, "by": meter.name, "why_not": ""}


def told_by(meter: str, session: Session) -> Energy:
    """Measure the energy of an inference, by the meter of that name; say why, where there is none."""
    device = session.device
    if device is not None and meter in (meters.AUTO, meters.NVML):
        if device.energy_mj() is None:
            return failed("the device counts no energy, or nothing is installed that tells it")
        return measure(session.infer, OfDevice(device.energy_mj))
    try:
        opened = meters.find(meter)
    except BenchError as error:
        return failed(error.told)
    try:
        return measure(session.infer, opened)
    finally:
        opened.close()


class OfDevice:
    """The running total of a device that counts its own energy."""

    name, every_s = "NVML", EVERY_S

    def __init__(self, total_mj: Callable[[], int | None]) -> None:
        self._total_mj = total_mj

    def total_j(self) -> float | None:
        """Return the total in J."""
        found = self._total_mj()
        return None if found is None else found / 1e3

    def close(self) -> None:
        """Do nothing."""


def failed(why_not: str, by: str = "") -> Energy:
    """Return an answer that tells no energy, and why."""
    return {"mj": None, "idle_w": None, "by": by, "why_not": why_not}


def _between(
    work: Callable[[], None], total: Total, clock: Callable[[], int], least_s: float, every_s: float
) -> tuple[float, int, float] | None:
    """Return by how much the total rose while some work was done, how often it was, and in how many seconds."""
    begin = _step(work, total, clock, 0.0, every_s)
    end = None if begin is None else _step(work, total, clock, least_s, every_s)
    if begin is None or end is None or end[0] <= begin[0]:
        return None
    return end[0] - begin[0], end[1], (end[2] - begin[2]) / 1e9


def _step(
    work: Callable[[], None], total: Total, clock: Callable[[], int], least_s: float, every_s: float
) -> Step | None:
    """Work for so long, and on until the total has moved; return it, how often work was done, and the moment."""
    last, n, begin = total(), 0, clock()
    asked, patience_s = begin, max(PATIENCE_S, 3 * every_s)
    while last is not None:
        work()
        n += 1
        now = clock()
        if now - asked < every_s * 1e9:
            continue
        asked, told = now, total()
        spent_s = (now - begin) / 1e9
        if told is None or (told == last and spent_s > least_s + patience_s):
            return None
        if told != last and spent_s >= least_s:
            return told, n, now
        if spent_s < least_s:
            last = told
    return None
