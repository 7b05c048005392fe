"""Which rows are shown, in which order and groups, and how many are not, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.base.words import counted
from bench.rows import identity
from bench.rows.curve import COLUMNS
from bench.rows.fields import Field, find, to_load
from bench.rows.frame import Rows, load
from bench.rows.where import Filter, matching

if TYPE_CHECKING:
    import pandas as pd

# What is shown of a row, besides what every reader of rows loads.
SHOWN = ("error", "gmacs_per_s", "attainable_share", "cores", *COLUMNS[0], *COLUMNS[1])


@dataclass(frozen=True)
class Selection:
    """The rows of `frame` in the order in which they are shown, grouped by `groups`; what was left out, and why."""

    frame: pd.DataFrame
    groups: tuple[Field, ...]
    sort: Field
    left_out: tuple[str, ...]
    found: int
    notes: tuple[str, ...]

    def parts(self) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
        """Yield the values that name a group, and its rows; one group without a name where nothing groups."""
        if not self.groups or not len(self.frame):
            yield (), self.frame
            return
        columns = [np.array(texts, dtype=object)[codes] for codes, texts in (f.texts(self.frame) for f in self.groups)]
        keys = list(zip(*columns, strict=True))
        start = 0
        for i in range(1, len(keys) + 1):
            if i == len(keys) or keys[i] != keys[start]:
                yield keys[start], self.frame.iloc[start:i]
                start = i


def read(sources: Sequence[str], fields: Sequence[Field]) -> Rows:
    """Load what is shown and what `fields` need; raises what `bench.rows.frame.load` does."""
    return load(sources, *to_load([*map(find, SHOWN), *fields]), rates=True)


def select(
    rows: Rows,
    filters: Sequence[Filter] = (),
    groups: Sequence[Field] = (),
    sort: Field | None = None,
    reverse: bool = False,
    top: int | None = None,
    every: bool = False,
) -> Selection:
    """Filter; of each case keep the newest row, unless `every`; put in order; keep the first `top` of each group.

    Rows that have no value to be sorted by come last, whichever way.
    """
    frame, left = rows.frame, []
    kept = frame[matching(frame, filters)]
    if len(kept) < len(frame):
        left.append(f"{len(frame) - len(kept):,} by --where")
    if not every:
        kept, before = identity.newest(kept, identity.cell_of()), len(kept)
        if len(kept) < before:
            left.append(f"{counted(before - len(kept), 'older row')} of the same cases (--all)")
    by = sort or find("latency")
    kept = _ordered(kept, groups, by, reverse)
    if top is not None:
        kept, before = _first(kept, groups, top), len(kept)
        if len(kept) < before:
            left.append(f"{before - len(kept):,} beyond --top {top}{' of each group' if groups else ''}")
    return Selection(kept, tuple(groups), by, tuple(left), len(frame), rows.notes)


def _ordered(frame: pd.DataFrame, groups: Sequence[Field], sort: Field, reverse: bool) -> pd.DataFrame:
    value = sort.rank(frame)
    # The last key counts most: NaN is last in either direction, for lexsort puts it there.
    keys = [find("started_at").rank(frame), find("model").rank(frame), -value if reverse else value]
    keys += [field.rank(frame) for field in reversed(groups)]
    return frame.iloc[np.lexsort(keys)]


def _first(frame: pd.DataFrame, groups: Sequence[Field], top: int) -> pd.DataFrame:
    if not groups:
        return frame.iloc[:top]
    ranks = np.stack([field.rank(frame) for field in groups])
    # NaN is unlike itself: rows without a value would each be a group.
    ranks = np.nan_to_num(ranks, nan=-np.inf)
    begins = np.ones(len(frame), dtype=bool)
    begins[1:] = (ranks[:, 1:] != ranks[:, :-1]).any(axis=0)
    start = np.maximum.accumulate(np.where(begins, np.arange(len(frame)), 0))
    return frame[np.arange(len(frame)) - start < top]
