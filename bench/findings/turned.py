"""Whether the order of networks is another one in the settled state than in the first minute."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.rows import identity
from bench.rows.frame import Rows

COLUMNS = tuple(f"{part}{end}_ms" for part in ("early", "settled") for end in ("", "_lo", "_hi"))


@dataclass(frozen=True, slots=True)
class Turn:
    """Two networks of a run that change places: `faster` in the first minute, and slower once both had settled.

    Ratios are its latency over the other's. It is `certain` where intervals keep the two apart at both times.
    """

    setting: str
    faster: str
    slower: str
    early: float
    settled: float
    certain: bool


@dataclass(frozen=True, slots=True)
class Sustained:
    """What rows that were kept going say of a setting: how many networks, and which pairs turned."""

    setting: str
    networks: int
    turns: tuple[Turn, ...]


def turned(rows: Rows) -> list[Sustained]:
    """Hold the order in the first minute against that in the settled state, in every setting of every job.

    Only networks that were kept going together are held against each other; of several rows of one the newest counts.
    """
    frame = rows.frame
    if "settled_ms" not in frame:
        return []
    kept = frame[(frame["early_ms"] > 0) & (frame["settled_ms"] > 0)]
    if not len(kept):
        return []
    kept = identity.newest(kept, (*identity.cell_of(), identity.RUN_ID))
    columns = identity.setting()
    keys = [tuple(key) for key in kept[list(columns)].astype(str).itertuples(index=False)]
    names = identity.named(keys, columns, ())
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for key, row in zip(keys, kept.to_dict("records"), strict=True):
        groups.setdefault((str(row[identity.RUN_ID]), *key), []).append({str(k): v for k, v in row.items()})
    found = []
    for (_, *place), some in groups.items():
        if len(some) > 1:
            setting = names[tuple(place)]
            pairs = (_turn(setting, a, b) for a, b in itertools.combinations(some, 2))
            found.append(Sustained(setting, len(some), tuple(pair for pair in pairs if pair is not None)))
    return found


def _turn(setting: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Turn | None:
    fast, slow = (a, b) if a["early_ms"] <= b["early_ms"] else (b, a)
    if fast["settled_ms"] <= slow["settled_ms"]:
        return None
    certain = bool(fast["early_hi_ms"] < slow["early_lo_ms"] and slow["settled_hi_ms"] < fast["settled_lo_ms"])
    early, settled = (float(fast[f"{part}_ms"] / slow[f"{part}_ms"]) for part in ("early", "settled"))
    names = identity.labels([{name: str(row[name]) for name in identity.NETWORK} for row in (fast, slow)])
    return Turn(setting, names[0], names[1], early, settled, certain)
