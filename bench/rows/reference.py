"""Latency relative to a frozen reference case of the same run: what the machine's speed that night cannot move."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from bench.base.errors import BenchError, UnknownName, UsageError, clip
from bench.plan.spec import written
from bench.rows.frame import CASE, Rows
from bench.rows.jobs import labels
from bench.stats.jobs import within_variance

if TYPE_CHECKING:
    import pandas as pd

Read = Callable[[str], dict[str, str]]


def cases_of(frame: pd.DataFrame) -> tuple[pd.Series, list[dict[str, str]]]:
    """Return each row's case as a number, and what the numbers mean: the cases, without the machine."""
    grouped = frame.groupby(list(CASE), observed=True, sort=False)
    numbers = grouped.ngroup()
    first = frame.loc[~numbers.duplicated(), list(CASE)].astype(str)
    order = numbers[~numbers.duplicated()].to_numpy().argsort(kind="stable")
    return numbers, [dict(zip(CASE, row, strict=True)) for row in first.to_numpy()[order].tolist()]


def find(text: str, cases: list[dict[str, str]], read: Read = written) -> int:
    """Return the number of the case that a text names; `read` says what the text means.

    Raises:
        UnknownName, UsageError: none, or more than one.
    """
    wanted = read(text)
    hits = [i for i, case in enumerate(cases) if all(case[key] == value for key, value in wanted.items())]
    if not hits:
        raise UnknownName("case in these rows", text, sorted({f"{c['model']}@{c['backend']}" for c in cases}))
    if len(hits) > 1:
        names = labels([cases[i] for i in hits])
        raise UsageError(
            f"{clip(text)} names {len(hits)} cases", f"write MODEL@BACKEND@threads=N; there are: {'; '.join(names[:4])}"
        )
    return hits[0]


def declared(cases: list[dict[str, str]], read: Read = written) -> int | None:
    """Return the reference that a shipped suite declares, if it is among the cases."""
    from bench.plan.suite import shipped

    for suite in shipped().values():
        if suite.reference:
            try:
                return find(suite.reference, cases, read)
            except BenchError:
                continue
    return None


def relative(rows: Rows, text: str, read: Read = written) -> Rows:
    """Divide every latency by that of the reference case in the same run; the reference itself leaves.

    A run whose reference is not ok leaves too, and a note says so. The interval of a row grows by the reference's own.
    """
    frame = rows.frame.drop_duplicates([*CASE, "run_id"], keep="last").reset_index(drop=True)
    numbers, cases = cases_of(frame)
    is_reference = (numbers == find(text, cases, read)).to_numpy()
    reference = frame[is_reference & (frame["status"] == "ok").to_numpy()].set_index("run_id")
    by_run = reference[["latency_ms", "latency_lo_ms", "latency_hi_ms", "launches"]].reindex(
        frame["run_id"].astype(str)
    )
    result = frame.copy()
    result["latency_ms"] = frame["latency_ms"] / by_run["latency_ms"].to_numpy()
    result = _widen(result, frame, by_run)
    usable = by_run["latency_ms"].notna().to_numpy()
    lost = frame.loc[~usable, "run_id"].nunique()
    notes = [f"{lost} runs have no ok row of the reference and do not count"] if lost else []
    return Rows(
        result[usable & ~is_reference], (*rows.notes, f"latencies are multiples of {text} in the same run", *notes)
    )


def _widen(result: pd.DataFrame, frame: pd.DataFrame, by_run: pd.DataFrame) -> pd.DataFrame:
    """Give each row the interval of the quotient: variances of the logs add."""
    columns = ["latency_lo_ms", "latency_hi_ms", "launches"]
    own = [within_variance(*values) for values in frame[columns].to_numpy()]
    of_reference = [within_variance(*values) for values in by_run[columns].fillna(0).to_numpy()]
    half = 1.96 * np.sqrt(np.add(own, of_reference))
    result["latency_lo_ms"] = result["latency_ms"] * np.exp(-half)
    result["latency_hi_ms"] = result["latency_ms"] * np.exp(half)
    result["launches"] = np.nan  # the quantile above is the normal one
    return result
