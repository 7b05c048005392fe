"""Our own rows beside the published ones: whose order of mobile networks do they have, and is it better than MACs'?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.base.errors import BenchError, OutputError
from bench.devices.settings import Known, Setting
from bench.plan.zoo import resolve
from bench.rows import identity
from bench.rows.frame import Rows
from bench.rows.schema import MEASURED
from bench.stats.ranks import Correlation, resampled

LEAST_SHARED = 6  # mobile networks that both have
Own = dict[str, dict[Known, float]]


@dataclass(frozen=True)
class Likeness:
    """One of our settings beside a published one: rank correlations of their latencies, and of MACs with theirs."""

    ours: str
    theirs: Setting
    own: Correlation
    macs: Correlation

    @property
    def better(self) -> bool:
        """Whether our order is nearer theirs than that of MACs."""
        return self.own.value > self.macs.value


def own(rows: Rows) -> Own:
    """Return the latency in ms of every network of the zoo, by setting; of several rows of a case the newest counts.

    Raises:
        OutputError: no row is of a network of the zoo at batch 1.
    """
    frame = rows.frame
    valid = frame[frame["status"].isin(MEASURED) & frame["latency_ms"].gt(0) & frame["batch"].isin(("", "1"))]
    valid = identity.newest(valid, identity.cell_of()) if len(valid) else valid
    columns = identity.setting()
    records = valid.to_dict("records")
    keys = [tuple(str(row[name]) for name in columns) for row in records]
    names = identity.named(keys, columns, ("backend", "threads"))
    found: Own = {}
    for row, key in zip(records, keys, strict=True):
        try:
            model = resolve(str(row["model"]))
        except BenchError:  # a file that is not here; no table has it
            continue
        side = int(float(row["resolution"])) if row["resolution"] else model.resolution
        if model.kind == "zoo" and side and not row["shapes"]:
            found.setdefault(names[key], {})[model.canonical, side] = float(row["latency_ms"])
    if not found:
        raise OutputError(
            "the rows have no network of the zoo that was measured at batch 1",
            "bench run --suite zoo --backend onnxruntime measures some",
        )
    return found


def likeness(ours: Mapping[str, Mapping[Known, float]], published: Iterable[Setting]) -> list[Likeness]:
    """Hold every setting of ours against every published one that shares at least six mobile networks with it."""
    found = []
    theirs = [(setting, setting.networks(mobile=True)) for setting in published]
    for name, times in ours.items():
        for setting, networks in theirs:
            shared = [key for key in networks if key in times]
            counted = [networks[key][0].macs for key in shared]
            if len(shared) < LEAST_SHARED or None in counted:
                continue
            their_ms = [networks[key][1] for key in shared]
            mine = _spearman([times[key] for key in shared], their_ms)
            macs = _spearman([m for m in counted if m is not None], their_ms)
            if mine and macs:
                found.append(Likeness(name, setting, mine, macs))
    return found


def _spearman(x: Sequence[float], y: Sequence[float]) -> Correlation | None:
    return next((c for c in resampled(x, y) if c.name == "Spearman"), None)
