"""A row and the row that the same case gave here: how they compare, and what differs between the two machines."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.base.errors import clip
from bench.rows import identity
from bench.rows.cells import cell
from bench.rows.jobs import SHORT
from bench.rows.schema import MEASURED, Row
from bench.stats.jobs import Difference, JobSide, difference, within_variance

AGREES, DIFFERS, OPEN, CANNOT = "agrees", "differs", "no verdict", "cannot be run here"
# What must be the same, or two latencies are of two things.
SAME = ("batch", "resolution", "macs", "precision_effective", "threads_effective")


@dataclass(frozen=True)
class Likeness:
    """A row of a file, the row that its case gave `here`, and a verdict with its reason.

    `found` is the latency here over the row's, on the log scale; None where there is no verdict. `differs` names what
    of hardware, system, versions and file is not the same, each as ``column: there -> here``.
    """

    row: Row
    here: Row | None
    verdict: str
    reason: str = ""
    found: Difference | None = None
    differs: tuple[str, ...] = ()

    @property
    def ratio(self) -> tuple[float, float, float] | None:
        """The latency here over the row's, and the ends of its 95% interval; None where there is no verdict."""
        if self.found is None:
            return None
        lo, hi = self.found.interval(0.95)
        return math.exp(self.found.log_ratio), math.exp(lo), math.exp(hi)


def unlike(row: Row, reason: str, verdict: str = CANNOT) -> Likeness:
    """Say of a row that it was not run, and why."""
    return Likeness(row, None, verdict, reason)


def compare(row: Row, here: Row) -> Likeness:
    """Hold a row against what its case gave here.

    They agree where the 95% interval of their ratio holds 1. It comes from both intervals, as in `bench compare`: each
    row is one job, whose spread is what its launches admit and what its machine's runs are known to differ by; an older
    row that does not tell the latter gets what is usual (`bench.stats.jobs.PRIOR_SD`).
    """
    differs = differing(row, here)
    if here.status not in MEASURED:
        return Likeness(row, here, CANNOT, f"{here.status}: {here.error or 'no reason was told'}", differs=differs)
    other = [
        f"{name} {_told(row, name)} there and {_told(here, name)} here" for name in SAME if _apart(row, here, name)
    ]
    if other:
        return Likeness(row, here, OPEN, f"not the same work: {'; '.join(other)}", differs=differs)
    if here.status != "ok":
        return Likeness(row, here, OPEN, f"{here.status} here: {here.error or 'no reason was told'}", differs=differs)
    found = difference(_side(row), _side(here))
    lo, hi = found.interval(0.95)
    return Likeness(row, here, AGREES if lo <= 0 <= hi else DIFFERS, "", found, differs)


def differing(row: Row, here: Row) -> tuple[str, ...]:
    """Name what differs of hardware and environment; the target is no hardware, and a name that anyone may choose."""
    names = (*identity.cpu(), *identity.environment())
    return tuple(
        f"{name}: {_told(row, name)} -> {_told(here, name)}"
        for name in names
        if cell(getattr(row, name)) != cell(getattr(here, name))
    )


def _told(row: Row, name: str) -> str:
    return clip(cell(getattr(row, name)), 60)[: SHORT.get(name, 60)] or "?"


def _apart(row: Row, here: Row, name: str) -> bool:
    """Tell whether both say something, and not the same."""
    told = getattr(row, name), getattr(here, name)
    return None not in told and told[0] != told[1]


def _side(row: Row) -> JobSide:
    """Return a row as a job of its own; rows from before there were two intervals have only the one over launches."""
    assert row.latency_ms is not None
    lo = row.latency_lo_ms if row.within_lo_ms is None else row.within_lo_ms
    hi = row.latency_hi_ms if row.within_hi_ms is None else row.within_hi_ms
    known = math.nan, math.nan
    if lo is not None and hi is not None:
        known = lo, hi
    within = float(within_variance(*known, row.launches or 0))
    return JobSide((math.log(row.latency_ms),), (within,), row.between_sd)
