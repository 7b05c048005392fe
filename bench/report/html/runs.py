"""The environment and method of every run, with what to be warned of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.base.errors import clip
from bench.base.words import counted
from bench.rows import identity
from bench.rows.frame import Rows

if TYPE_CHECKING:
    import pandas as pd

MOST = 40  # runs; nights of one machine are alike
LATE = 0.25  # share of blocks set aside, or speed lost, from which on a run was disturbed
SLOW = 0.9
COLUMNS = (
    "target", "arch", "cpu", "microarchitecture", "hypervisor", "os", "backend", "backend_version", "isoflops_version",
    "exporter",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One run on one machine: when, its environment (values by column, joined where there are several), warnings."""

    name: str
    started: str
    rows: int
    ok: int
    launches: str
    schema: str
    environment: dict[str, str]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Runs:
    """The newest runs, and how many there are in all."""

    shown: tuple[Run, ...]
    found: int


def runs(rows: Rows) -> Runs:
    """Describe the newest runs, the last one first."""
    jobs, keys = identity.numbers(rows.frame, identity.job())
    frame = rows.frame.assign(job=jobs)
    started = frame.groupby("job")["started_at"].agg(lambda texts: min(map(str, texts)))
    newest = started.sort_values(ascending=False, kind="stable").index[:MOST]
    groups = dict(iter(frame[frame["job"].isin(newest)].groupby("job", sort=False)))
    return Runs(tuple(_run(keys[job][identity.RUN_ID], groups[job]) for job in newest), len(keys))


def _run(name: str, frame: pd.DataFrame) -> Run:
    status = frame["status"].astype(str).value_counts()
    launches = frame["launches"].dropna()
    environment = {c: "; ".join(_values(frame[c])) for c in COLUMNS}
    environment["backend"] = "; ".join(
        clip(f"{backend} {version}".strip(), 80)
        for backend, version in dict.fromkeys(
            zip(frame["backend"].astype(str), frame["backend_version"].astype(str), strict=True)
        )
    )
    del environment["backend_version"]
    return Run(
        name=clip(name, 60),
        started=clip(min(frame["started_at"].astype(str)), 25),
        rows=len(frame),
        ok=int(status.get("ok", 0)),
        launches=f"{launches.min():g} to {launches.max():g}" if len(launches) else "unknown",
        schema=", ".join(f"{v:g}" for v in sorted(frame["schema_version"].unique())),
        environment=environment,
        warnings=tuple(_warnings(frame, {str(k): int(v) for k, v in status.items()})),
    )


def _values(column: pd.Series) -> list[str]:
    return [clip(v, 120) for v in dict.fromkeys(column.astype(str)) if v][:4]


def _warnings(frame: pd.DataFrame, status: dict[str, int]) -> Sequence[str]:
    found = [f"{n} {name}" for name, n in sorted(status.items()) if name != "ok"]
    if frame["hypervisor"].astype(str).ne("").any():
        found.append("virtual machine")
    if (aside := int(frame["set_aside"].gt(LATE).sum())) > 0:
        found.append(f"{counted(aside, 'case')} with over {LATE:.0%} of their blocks set aside")
    if (slow := int(frame["machine_speed"].lt(SLOW).sum())) > 0:
        found.append(f"{counted(slow, 'case')} met the machine at under {SLOW:.0%} of its baseline speed")
    if (downgraded := frame["precision_effective"].astype(str).ne(frame["precision"].astype(str)).sum()) > 0:
        what = counted(downgraded, "case")
        found.append(f"{what} did not run in the precision that was asked for, or it is not known")
    return found
