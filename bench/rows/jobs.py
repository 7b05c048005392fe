"""Rows brought together: which rows are the same case on the same machine, and what each job says of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.base.errors import clip
from bench.rows.frame import CASE, ENVIRONMENT, MACHINE
from bench.stats.jobs import Side, within_variance

if TYPE_CHECKING:
    import pandas as pd

SHORT = {"artifact_sha256": 8}  # characters of a value that are shown


@dataclass(frozen=True)
class Jobs:
    """One case on one machine on one side: a row per job, in order of time, and why other jobs of it do not count."""

    rows: pd.DataFrame
    refused: tuple[str, ...] = ()

    @property
    def side(self) -> Side:
        """What the statistics need."""
        logs = [math.log(v) for v in self.rows["latency_ms"]]
        intervals = self.rows[["latency_lo_ms", "latency_hi_ms", "launches"]].itertuples(index=False)
        return Side(tuple(logs), tuple(within_variance(lo, hi, launches) for lo, hi, launches in intervals))

    @property
    def runs(self) -> tuple[str, ...]:
        """The jobs' names."""
        return tuple(self.rows["run_id"].astype(str))

    def only(self, runs: Sequence[str]) -> Jobs:
        """Return the rows of these jobs, in this order."""
        return Jobs(self.rows.set_index(self.rows["run_id"].astype(str), drop=False).loc[list(runs)], self.refused)

    def of(self, column: str) -> tuple[str, ...]:
        """Return the distinct values of a column, sorted."""
        return tuple(sorted(set(self.rows[column].astype(str))))


def label(case: dict[str, str]) -> str:
    """Name a case as `bench run` does, without its resolution."""
    extras = [f"{name}={case[name]}" for name in ("threads", "batch") if case[name] not in ("", "1")]
    extras += [case["shapes"]] if case["shapes"] else []
    return " ".join([case["model"], *(["on", case["backend"]] if case["backend"] else []), *extras])


def labels(cases: Sequence[dict[str, str]]) -> list[str]:
    """Name cases so that no two have the same name: with resolution and precision where only that differs."""
    names = [label(case) for case in cases]
    for name in ("resolution", "precision"):
        if len(set(names)) == len(names):
            break
        twice = {n for n in names if names.count(n) > 1}
        names = [f"{n} {name}={c[name] or '?'}" if n in twice else n for n, c in zip(names, cases, strict=True)]
    return names


def machine(row: dict[str, str]) -> str:
    """Name a machine by its CPU; the identity stands beside the name, because virtual machines share names."""
    known = [row[name] for name in ("cpu", "cpu_id") if row[name]]
    return (
        f"{known[0]} ({known[1]})"
        if len(known) == 2
        else "".join(known) or f"unknown {row['arch']} CPU".replace("  ", " ")
    )


def group(frame: pd.DataFrame, keys: Iterable[str]) -> dict[tuple[str, ...], Jobs]:
    """Group rows by `keys`; of each run the last row of a case counts, and only if it is ok."""
    last = frame.drop_duplicates([*keys, "run_id"], keep="last")
    result = {}
    for key, rows in last.groupby(list(keys), observed=True, sort=False):
        ok = rows[rows["status"] == "ok"].sort_values("started_at", kind="stable", key=lambda c: c.astype(str))
        refused = tuple(sorted(rows.loc[rows["status"] != "ok", "status"].astype(str)))
        result[tuple(str(part) for part in key)] = Jobs(ok, refused)
    return result


KEYS = (*CASE, *MACHINE)


def as_dict(key: tuple[str, ...], names: Sequence[str] = KEYS) -> dict[str, str]:
    """Return a group's key by name, with an empty text for what is not in it."""
    return dict.fromkeys(KEYS, "") | dict(zip(names, key, strict=True))


def differing(base: Jobs, new: Jobs, columns: Sequence[str] = ENVIRONMENT) -> tuple[str, ...]:
    """Say which columns of the environment differ between two sides, and how."""
    return tuple(
        f"{column}: {_values(column, base.of(column))} -> {_values(column, new.of(column))}"
        for column in columns
        if base.of(column) != new.of(column)
    )


def _values(column: str, values: Sequence[str]) -> str:
    cut = SHORT.get(column, 60)
    return "/".join(clip(v, 60)[:cut] or "?" for v in values)
