"""The cases of a report: of every case the newest row, with what a chart or a filter needs of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from bench.base.errors import BenchError, clip
from bench.base.escape import shortened
from bench.rows import dates, identity
from bench.rows.fields import family as family_of
from bench.rows.frame import Rows
from bench.rows.schema import MEASURED

if TYPE_CHECKING:
    import pandas as pd

TEXTS = ("error",)
NUMBERS = ("floor_ms", "attainable_share", "machine_speed", "set_aside")
MOST = 2500  # more cases than that are sampled: a page draws no more at once
WIDTH = 48  # characters of a name in a chart
FEW = 4  # settings: more of them get shorter names


@dataclass(frozen=True, slots=True)
class CaseRow:
    """The newest row of a case; `index` is its place, `rows` how many rows the case has.

    Times in ms, None where the row has none. `family` and `series` (the family with all but its width) group models;
    `setting` holds everything but the network (the columns of `bench.rows.identity.setting`); `label` is a name short
    enough for a chart, with the resolution where a model is there in several.
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
    shape: str
    precision: str
    setting: tuple[str, ...]
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
    def measured(self) -> bool:
        """Whether there is a latency that may be believed with its interval."""
        return self.status in MEASURED and None not in (self.latency_ms, self.lo_ms, self.hi_ms, self.macs)


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
    columns = list(identity.cell_of())
    numbers, _ = identity.numbers(frame, columns)
    counts = np.bincount(numbers)
    newest = identity.newest(frame.assign(rows=counts[numbers]), columns)
    found = len(newest)
    if found > MOST:
        newest = newest.sort_values("macs", kind="stable").iloc[:: math.ceil(found / MOST)]
    newest = newest.sort_values(["macs", "latency_ms"], kind="stable")
    inputs = newest[list(identity.NETWORK)].astype(str).drop_duplicates()["model"].value_counts()
    several = set(inputs[inputs > 1].index)
    found_rows = newest.to_dict("records")
    names = [_name(row, several) for row in found_rows]
    labels = shortened(names, WIDTH)
    records = [_case(i, row, labels[name]) for i, (row, name) in enumerate(zip(found_rows, names, strict=True))]
    return Cases(tuple(records), found, len(frame))


def _name(row: Mapping[Hashable, object], several: set[str]) -> str:
    """Name a network: with its input's shape, where its model is met with several."""
    model = str(row["model"])
    return f"{model} {_shape(row)}" if model in several else model


def _shape(row: Mapping[Hashable, object]) -> str:
    data = f"input={row['input']}" if row["input"] else ""
    parts = (f"{row['resolution']} px" if row["resolution"] else "", str(row["shapes"]), data)
    return " ".join(part for part in parts if part)


def _case(index: int, row: Mapping[Hashable, object], label: str) -> CaseRow:
    def text(name: str, width: int = 80) -> str:
        return clip(str(row[name]), width)

    latency, share, macs = (_number(row[name]) for name in ("latency_ms", "attainable_share", "macs"))
    model = str(row["model"])
    family, series = group_of(model)
    precision = text(identity.RAN) or text(identity.ASKED) or "unknown"
    return CaseRow(
        index=index,
        model=clip(model, 120),
        label=label,
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
        shape=_shape(row),
        precision=precision,
        setting=tuple(precision if name == identity.RAN else text(name) for name in identity.setting()),
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
    """Name every setting by what differs between them, the runtime first and the machine last.

    One alone is named by its backend and target. Of a CPU's identity the words stay that are not those of all others.
    Of more than `FEW` settings a name leaves out what `usual` says.
    """
    return _named(rows)[0]


def usual(rows: Sequence[CaseRow]) -> tuple[str, ...]:
    """Return what the names of settings leave out: what most cases have in common, unless names would be lost by it."""
    return _named(rows)[1]


def _named(rows: Sequence[CaseRow]) -> tuple[dict[tuple[str, ...], str], tuple[str, ...]]:
    columns = identity.setting()
    first = ("backend", identity.RAN)
    order = sorted(range(len(columns)), key=lambda i: (columns[i] in identity.machine(), columns[i] not in first))
    cpu = _told_apart({row.setting[columns.index("cpu_id")] for row in rows})
    keys = {
        row.setting: tuple(cpu[row.setting[i]] if columns[i] == "cpu_id" else row.setting[i] for i in order)
        for row in rows
    }
    names = identity.named(list(keys.values()), [columns[i] for i in order], ("backend", "target"))
    full = {setting: names[key] for setting, key in keys.items()}
    if len(full) <= FEW:
        return full, ()
    common = []
    for place, i in enumerate(order):
        value, count = Counter(keys[row.setting][place] for row in rows).most_common(1)[0]
        if columns[i] != "backend" and len(rows) / 2 < count < len(rows):
            common.append(identity.told(columns[i], value))
    short = {setting: _without(name, common) for setting, name in full.items()}
    if len(set(short.values())) < len(full):
        return full, ()
    said = {part for name in full.values() for part in name.split(", ")}
    return short, tuple(part for part in common if part in said)


def _without(name: str, common: Sequence[str]) -> str:
    """Leave out what is common, and a precision that the backend's own part tells already."""
    first, *parts = name.split(", ")
    return ", ".join([first, *(p for p in parts if p not in common and f"precision={p}" not in first)])


def _told_apart(values: set[str]) -> dict[str, str]:
    """Return texts of words without the words that all of them have."""
    shared = set.intersection(*(set(value.split()) for value in values)) if len(values) > 1 else set()
    short = {value: " ".join(word for word in value.split() if word not in shared) for value in values}
    return short if len(set(short.values())) == len(values) else {value: value for value in values}


def frame_days(frame: pd.DataFrame) -> pd.Series:
    """Return the date of every row as ISO text, UTC; the empty text where it has none that can be."""
    import pandas as pd

    days = np.floor(dates.days(frame))
    found = {day: dates.text(day) for day in np.unique(days[~np.isnan(days)])}
    return pd.Series([found.get(day, "") for day in days], index=frame.index, dtype="object")
