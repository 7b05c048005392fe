"""Rows brought together: which rows are the same case on the same machine, and what each job says of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.base.errors import clip
from bench.rows import identity
from bench.stats.jobs import JobSide, within_variance

if TYPE_CHECKING:
    import pandas as pd

SHORT = {"artifact_sha256": 8}  # characters of a value that are shown


@dataclass(frozen=True)
class Jobs:
    """One case on one machine on one side: a row per job, in order of time, and why other jobs of it do not count."""

    rows: pd.DataFrame
    refused: tuple[str, ...] = ()

    @property
    def side(self) -> JobSide:
        """What the statistics need."""
        logs = [math.log(v) for v in self.rows["latency_ms"]]
        return JobSide(tuple(logs), tuple(within(self.rows)), self.between_sd)

    @property
    def between_sd(self) -> float | None:
        """What the rows themselves say runs differ by beyond their launches; None where none says it."""
        known = self.rows["between_sd"].dropna()
        return math.sqrt(float((known**2).mean())) if len(known) else None

    @property
    def runs(self) -> tuple[str, ...]:
        """The jobs' names."""
        return tuple(self.rows["job"])

    def only(self, runs: Sequence[str]) -> Jobs:
        """Return the rows of these jobs, in this order."""
        return Jobs(self.rows.set_index("job", drop=False).loc[list(runs)], self.refused)

    def of(self, column: str) -> tuple[str, ...]:
        """Return the distinct values of a column, sorted."""
        return tuple(sorted(set(self.rows[column].astype(str))))


def within(rows: pd.DataFrame) -> list[float]:
    """Return the variance of each row's log latency that its own launches admit.

    Rows that were written before there were two intervals have only the one over launches.
    """
    lo, hi = (rows[f"within_{end}_ms"].fillna(rows[f"latency_{end}_ms"]) for end in ("lo", "hi"))
    return [within_variance(*values) for values in zip(lo, hi, rows["launches"], strict=True)]


def group(frame: pd.DataFrame, keys: Iterable[str]) -> dict[tuple[str, ...], Jobs]:
    """Group rows by `keys`; of each job the last row of a case counts, and only if it is ok."""
    names = list(dict.fromkeys(keys))
    last = frame.drop_duplicates(list(dict.fromkeys((*names, *identity.job()))), keep="last")
    last = last.assign(job=_names(last))
    result = {}
    for key, rows in last.groupby(names, observed=True, sort=False):
        ok = rows[rows["status"] == "ok"].sort_values("started_at", kind="stable", key=lambda c: c.astype(str))
        refused = tuple(sorted(rows.loc[rows["status"] != "ok", "status"].astype(str)))
        result[tuple(str(part) for part in key)] = Jobs(ok, refused)
    return result


def _names(frame: pd.DataFrame) -> list[str]:
    """Name each row's job: its run, and the machine where one run had several."""
    found, keys = identity.numbers(frame, identity.job())
    runs = Counter(key[identity.RUN_ID] for key in keys)
    names = [key[identity.RUN_ID] if runs[key[identity.RUN_ID]] == 1 else " ".join(key.values()) for key in keys]
    return [names[number] for number in found]


def as_dict(key: tuple[str, ...], names: Sequence[str]) -> dict[str, str]:
    """Return a group's key by name, with an empty text for what is not in it."""
    return dict.fromkeys(identity.cell_of(), "") | dict(zip(names, key, strict=True))


def differing(base: Jobs, new: Jobs) -> tuple[str, ...]:
    """Say which columns of the environment differ between two sides, and how."""
    return tuple(
        f"{column}: {_values(column, base.of(column))} -> {_values(column, new.of(column))}"
        for column in identity.environment()
        if base.of(column) != new.of(column)
    )


def _values(column: str, values: Sequence[str]) -> str:
    cut = SHORT.get(column, 60)
    return "/".join(clip(v, 60)[:cut] or "?" for v in values)
