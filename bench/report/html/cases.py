"""The cases of a report: of every case the newest row, with what a chart or a filter needs of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from bench.base.errors import BenchError, clip
from bench.findings.ranks import VALID
from bench.rows.fields import family as family_of
from bench.rows.frame import CASE, MACHINE, Rows

if TYPE_CHECKING:
    import pandas as pd

TEXTS = ("pace_ms", "error")
NUMBERS = ("floor_ms", "attainable_share", "machine_speed", "set_aside")
# What makes two rows the same case of a report.
KEY = (*CASE, *MACHINE, "target", "pace_ms")
# Within one of these, latencies of networks stand against each other.
SETTING = ("target", "cpu", "backend", "threads", "batch", "precision", "pace")
MOST = 2500  # more cases than that are sampled: a page draws no more at once
WIDTH = 48  # characters of a name in a chart


@dataclass(frozen=True, slots=True)
class CaseRow:
    """The newest row of a case; `index` is its place, `rows` how many rows the case has.

    Times in ms, None where the row has none. `family` and `series` (the family with all but its width) group models;
    `setting` holds everything but the network; `label` is a name short enough for a chart, with the resolution where
    a model is there in several.
    """

    index: int
    model: str
    label: str
    family: str
    series: str
    backend: str
    version: str
    target: str
    cpu: str
    arch: str
    threads: str
    batch: str
    resolution: str
    precision: str
    pace: str
    status: str
    started: str
    run: str
    error: str
    macs: float | None
    latency_ms: float | None
    lo_ms: float | None
    hi_ms: float | None
    floor_ms: float | None
    peak_gmacs_per_s: float | None
    rows: int

    @property
    def setting(self) -> tuple[str, ...]:
        """Everything but the network."""
        return tuple(getattr(self, name) for name in SETTING)

    @property
    def measured(self) -> bool:
        """Whether there is a latency that may be believed with its interval."""
        return self.status in VALID and None not in (self.latency_ms, self.lo_ms, self.hi_ms, self.macs)


@dataclass(frozen=True)
class Cases:
    """The cases, how many there are in all, and how many rows."""

    rows: tuple[CaseRow, ...]
    found: int
    frame_rows: int

    @property
    def sampled(self) -> bool:
        """Whether some are left out."""
        return len(self.rows) < self.found


def cases(rows: Rows) -> Cases:
    """Take the newest row of every case; beyond `MOST` cases, every n-th in the order of MACs."""
    frame = rows.frame
    order = frame["started_at"].astype(str).argsort(kind="stable")
    frame = frame.iloc[order.to_numpy()]
    grouped = frame.groupby(list(KEY), observed=True, sort=False)
    counts = grouped.ngroup()
    newest = frame[~counts.duplicated(keep="last")].assign(
        rows=counts.map(counts.value_counts())[~counts.duplicated(keep="last")]
    )
    found = len(newest)
    if found > MOST:
        newest = newest.sort_values("macs", kind="stable").iloc[:: math.ceil(found / MOST)]
    newest = newest.sort_values(["macs", "latency_ms"], kind="stable")
    sides = newest.groupby("model", observed=True)["resolution"].nunique()
    several = set(sides[sides > 1].index)
    records = [_case(i, row, several) for i, row in enumerate(newest.to_dict("records"))]
    return Cases(tuple(records), found, len(frame))


def _case(index: int, row: Mapping[Any, Any], several: set[str]) -> CaseRow:
    def text(name: str, width: int = 80) -> str:
        return clip(str(row[name]), width)

    latency, share, macs = (_number(row[name]) for name in ("latency_ms", "attainable_share", "macs"))
    model = str(row["model"])
    family, series = group_of(model)
    return CaseRow(
        index=index,
        model=clip(model, 120),
        label=clip(f"{model} {row['resolution']} px" if model in several else model, WIDTH),
        family=family,
        series=series,
        backend=text("backend"),
        version=text("backend_version"),
        target=text("target"),
        cpu=text("cpu"),
        arch=text("arch"),
        threads=text("threads"),
        batch=text("batch"),
        resolution=text("resolution"),
        precision=text("precision_effective") or text("precision") or "unknown",
        pace=text("pace_ms"),
        status=text("status"),
        started=text("started_at", 25),
        run=text("run_id", 40),
        error=text("error", 200),
        macs=macs,
        latency_ms=latency,
        lo_ms=_number(row["latency_lo_ms"]),
        hi_ms=_number(row["latency_hi_ms"]),
        floor_ms=_number(row["floor_ms"]),
        peak_gmacs_per_s=macs / latency / 1e6 / share if macs and latency and share else None,
        rows=int(str(row["rows"])),
    )


def _number(value: object) -> float | None:
    """Return a positive, finite number; a missing one as None."""
    number = float(str(value))
    return number if math.isfinite(number) and number > 0 else None


@cache
def group_of(model: str) -> tuple[str, str]:
    """Return a model's family, and its family with every hyper-parameter but the width."""
    from bench.plan import zoo
    from bench.plan.spec import parse

    try:
        spec = parse(model)
    except BenchError:
        return (clip(model, 40),) * 2
    family = zoo.names().get(spec.name)
    if family is None:
        return clip(family_of(model), 40), clip(model, 120)
    try:
        params = zoo.resolve(model).params
    except BenchError:
        params = dict(spec.params)
    rest = ",".join(f"{k}={v}" for k, v in params.items() if k != "width")
    return family, f"{family}:{rest}"


def named(rows: Sequence[CaseRow]) -> dict[tuple[str, ...], str]:
    """Name every setting by what differs between them; one alone by its backend and target."""
    settings = list(dict.fromkeys(row.setting for row in rows))
    varying = [i for i in range(len(SETTING)) if len({s[i] for s in settings}) > 1]
    before = {"threads": "threads ", "batch": "batch ", "pace": "pace "}
    after = {"pace": " ms"}

    def told(i: int, value: str) -> str:
        name = SETTING[i]
        return f"{before.get(name, '')}{value or 'none'}{after.get(name, '') if value else ''}"

    for name in ("cpu", "precision", "batch"):  # what other parts of the name tell already
        rest = [i for i in varying if SETTING[i] != name]
        if rest and len({tuple(s[i] for i in rest) for s in settings}) == len(settings):
            varying = rest
    varying = varying or [SETTING.index("backend"), SETTING.index("target")]
    return {s: ", ".join(clip(told(i, s[i]), 40) for i in varying) for s in settings}


def frame_days(frame: pd.DataFrame) -> pd.Series:
    """Return the date of every row as ISO text, UTC; the empty text where it has none."""
    import pandas as pd

    categories = pd.Series(frame["started_at"].cat.categories, dtype="object")
    times = pd.to_datetime(categories, format="ISO8601", utc=True, errors="coerce")
    texts = times.dt.strftime("%Y-%m-%d").fillna("").to_numpy(dtype=object)
    return pd.Series(texts[frame["started_at"].cat.codes.to_numpy()], index=frame.index, dtype="object")
