"""Rows brought together: which rows are the same case on the same machine, and what each job says of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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

    @cached_property
    def side(self) -> JobSide:
        """What the statistics need."""
        logs = np.log(self.rows["latency_ms"].to_numpy())
        return JobSide(tuple(logs.tolist()), tuple(self.rows["within"].tolist()), self.between_sd)

    @property
    def between_sd(self) -> float | None:
        """What the rows themselves say runs differ by beyond their launches; None where none says it."""
        known = self.rows["between_sd"].dropna()
        return math.sqrt(float((known**2).mean())) if len(known) else None

    @cached_property
    def runs(self) -> tuple[str, ...]:
        """The jobs' names."""
        return tuple(self.rows["job"])

    def only(self, runs: Sequence[str]) -> Jobs:
        """Return the rows of these jobs, in this order."""
        at = {run: i for i, run in enumerate(self.runs)}
        return Jobs(self.rows.iloc[[at[run] for run in runs]], self.refused)

    def of(self, column: str) -> tuple[str, ...]:
        """Return the distinct values of a column of texts, sorted."""
        values = self.rows[column].cat
        return tuple(sorted(str(values.categories[code]) for code in np.unique(values.codes)))


def within(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return the variance of each row's log latency that its own launches admit.

    Rows that were written before there were two intervals have only the one over launches.
    """
    lo, hi = (rows[f"within_{end}_ms"].fillna(rows[f"latency_{end}_ms"]) for end in ("lo", "hi"))
    return within_variance(*(column.to_numpy(dtype=float) for column in (lo, hi, rows["launches"])))


def group(frame: pd.DataFrame, keys: Iterable[str]) -> dict[tuple[str, ...], Jobs]:
    """Group rows by `keys`; of each job the last row of a case counts, and only if it is ok."""
    names = list(dict.fromkeys(keys))
    last = frame.drop_duplicates(list(dict.fromkeys((*names, *identity.job()))), keep="last")
    began = last["started_at"].cat
    order = np.argsort(np.argsort(began.categories.to_numpy(dtype=str)))[began.codes.to_numpy()]
    last = last.assign(job=_names(last), within=within(last), order=order)
    result = {}
    for key, rows in last.groupby(names, observed=True, sort=False):
        is_ok = (rows["status"] == "ok").to_numpy()
        refused = tuple(sorted(rows.loc[~is_ok, "status"].astype(str)))
        result[tuple(str(part) for part in key)] = Jobs(rows[is_ok].sort_values("order", kind="stable"), refused)
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
