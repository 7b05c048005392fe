"""When rows were measured: the dates that can be, and which cannot. A board without a battery says 1970, or 2099."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.base.errors import clip
from bench.rows.table import FILE, LINE, told

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)  # no row is older than this program
LATEST_YET = datetime(2027, 1, 1, tzinfo=UTC)  # of a machine whose own clock was never set
AHEAD = timedelta(days=366)  # by which the clock of another machine may be ahead of ours


def days(frame: pd.DataFrame, now: datetime | None = None) -> Array:
    """Return each row's time in days since 1970, UTC; NaN where `started_at` is no date, or one that cannot be."""
    column = frame["started_at"].cat
    found = np.array([_day(str(text), now) for text in column.categories], dtype=np.float64)
    return np.append(found, np.nan)[column.codes.to_numpy()]


def _day(text: str, now: datetime | None) -> float:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return np.nan
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    try:
        known = EARLIEST <= when <= max(now or datetime.now(UTC), LATEST_YET) + AHEAD
    except OverflowError:  # the year 1 in a zone east of Greenwich
        return np.nan
    return when.timestamp() / 86400 if known else np.nan


def text(day: float) -> str:
    """Write a day as an ISO date."""
    return str(np.datetime64(int(np.floor(day)), "D"))


def undated(frame: pd.DataFrame, days: Array) -> list[str]:
    """Name the rows that have no date: file, line and what they say instead."""
    rows = frame.loc[np.isnan(days), [FILE, LINE, "started_at"]].astype({FILE: str, "started_at": str})
    return told(
        [
            (Path(path), line, f"started_at {clip(started)!r} is no possible date")
            for path, line, started in rows.itertuples(index=False)
        ]
    )
