"""Latency relative to a frozen reference case of the same run: what the machine's speed that night cannot move."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from bench.base.errors import BenchError
from bench.base.words import counted
from bench.plan.grammar import CaseText, parse
from bench.rows import identity
from bench.rows.frame import WITHIN, Rows
from bench.rows.jobs import within

if TYPE_CHECKING:
    import pandas as pd

Read = Callable[[str], CaseText]


def find(text: str, cases: list[dict[str, str]], read: Read = parse) -> int:
    """Return the number of the case that a text names; `read` says what the text means.

    Raises:
        UnknownName, UsageError: none, or more than one.
    """
    return identity.match(text, read(text), cases)


def declared(cases: list[dict[str, str]], read: Read = parse) -> int | None:
    """Return the reference that a shipped suite declares, if it is among the cases."""
    from bench.plan.suite import shipped

    for suite in shipped().values():
        if suite.reference:
            try:
                return find(suite.reference, cases, read)
            except BenchError:
                continue
    return None


def relative(rows: Rows, text: str, read: Read = parse) -> Rows:
    """Divide every latency by that of the reference case in the same job; the reference itself leaves.

    A job is a run on a machine: a fleet's devices share a run. One whose reference is not ok leaves too, and a note
    says so. The interval of a row grows by the reference's own.
    """
    frame = rows.frame.drop_duplicates([*identity.case(), *identity.job()], keep="last").reset_index(drop=True)
    numbers, cases = identity.numbers(frame, identity.case())
    jobs, _ = identity.numbers(frame, identity.job())
    is_reference = numbers == find(text, cases, read)
    ok = is_reference & (frame["status"] == "ok").to_numpy()
    reference = frame.loc[ok, ["latency_ms", "latency_lo_ms", "latency_hi_ms", *WITHIN, "launches"]].set_index(jobs[ok])
    by_job = reference.reindex(jobs)
    result = frame.copy()
    result["latency_ms"] = frame["latency_ms"] / by_job["latency_ms"].to_numpy()
    result = _widen(result, frame, by_job)
    usable = by_job["latency_ms"].notna().to_numpy()
    lost = len(set(jobs[~usable]))
    notes = [f"{counted(lost, 'job')} without an ok row of the reference, not counted"] if lost else []
    return Rows(
        result[usable & ~is_reference], (*rows.notes, f"latencies are multiples of {text} in the same run", *notes)
    )


def _widen(result: pd.DataFrame, frame: pd.DataFrame, by_job: pd.DataFrame) -> pd.DataFrame:
    """Give each row the interval of the quotient: variances of the logs add."""
    half = 1.96 * np.sqrt(within(frame) + within(by_job.fillna(0)))
    for name in ("latency", "within"):
        result[f"{name}_lo_ms"] = result["latency_ms"] * np.exp(-half)
        result[f"{name}_hi_ms"] = result["latency_ms"] * np.exp(half)
    result["launches"] = np.nan  # the quantile above is the normal one
    return result
