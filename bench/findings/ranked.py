"""From rows to networks in settings: the latency of each, and what is counted of it that may tell the latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.base.errors import BenchError, clip, first_line
from bench.base.words import plural
from bench.findings.predictions import Key
from bench.plan.case import network_name
from bench.rows import identity
from bench.rows.frame import Rows
from bench.rows.schema import MEASURED

LEAST_CASES = 3
NAMED = 3  # networks that could not be counted, each with the reason
# What a prediction is for; all else is at its default.
PREDICTED = ("threads", "batch", "resolution", "shapes", "input")


@dataclass(frozen=True, slots=True)
class RankedNetwork:
    """One network in one setting: latency in ms with the ends of its interval, and what was counted of it.

    `which` tells it from other inputs of its model, where there are several.
    """

    model: str
    which: str
    macs: float
    latency_ms: float
    lo_ms: float
    hi_ms: float
    params: float | None = None
    memory_access: float | None = None
    floor_ms: float | None = None
    predicted_ms: float | None = None
    resolution: str = ""

    @property
    def label(self) -> str:
        """Its name, with the resolution where a network is there in several."""
        return f"{self.model} {self.which}" if self.which else self.model


def settings_of(
    rows: Rows, notes: list[str], predictions: Mapping[Key, float], told: Callable[[str], None]
) -> dict[str, list[RankedNetwork]]:
    """Return the networks of each setting that has three; what is left out goes to `notes`.

    `predictions` are latencies in ms; `told` hears of each network that is counted.
    """
    frame = rows.frame
    known = frame["latency_ms"].gt(0) & frame["latency_lo_ms"].gt(0) & frame["latency_hi_ms"].gt(0)
    valid = frame[frame["status"].isin(MEASURED) & known & frame["macs"].gt(0)]
    if len(valid) < len(frame):
        less = len(frame) - len(valid)
        notes.append(f"left out: {less} {plural('row', less)} without a valid latency and its interval")
    valid = identity.newest(valid, identity.cell_of()) if len(valid) else valid
    columns = identity.setting()
    records = [{str(k): v for k, v in row.items()} for row in valid.to_dict("records")]
    keys = [tuple(str(row[name]) for name in columns) for row in records]
    names = identity.named(keys, columns, ())
    found: dict[str, dict[str, RankedNetwork]] = {}
    counted: dict[str, tuple[float | None, float | None]] = {}
    why: dict[str, str] = {}  # by model: what kept it from being counted
    labels = _labels(records)
    networks = {_name(row) for row in records}
    for row, key in zip(records, keys, strict=True):
        name = _name(row)
        if name not in counted:
            told(f"counting {name}, {len(counted) + 1} of {len(networks)}")
            try:
                counted[name] = _counts(row)
            except (BenchError, ValueError) as error:
                counted[name] = None, None
                why.setdefault(str(row["model"]), first_line(error))
        params, access = counted[name]
        network = RankedNetwork(
            str(row["model"]),
            labels[name],
            float(row["macs"]),
            float(row["latency_ms"]),
            float(row["latency_lo_ms"]),
            float(row["latency_hi_ms"]),
            params,
            access,
            float(row["floor_ms"]) if row["floor_ms"] > 0 else None,
            predictions.get((name, row["backend"], row["threads"])) if identity.usual(row, PREDICTED) else None,
            str(row["resolution"]),
        )
        found.setdefault(names[key], {})[name] = network
    notes += [f"no memory access or parameters of {clip(model)}: {told}" for model, told in sorted(why.items())[:NAMED]]
    if len(why) > NAMED:
        notes.append(f"nor of {len(why) - NAMED} other {plural('network', len(why) - NAMED)}")
    return {name: list(cells.values()) for name, cells in found.items() if len(cells) >= LEAST_CASES}


def _labels(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Say of each network what tells it from others of its model: its resolution, its shapes, its data."""
    sides: dict[str, set[tuple[str, ...]]] = {}
    for row in records:
        sides.setdefault(str(row["model"]), set()).add(
            tuple(str(row[part]) for part in ("resolution", "shapes", "input"))
        )
    told = {}
    for row in records:
        name = _name(row)
        parts = [f"{row['resolution']} px"] if row["resolution"] else []
        parts += [str(row["shapes"])] if row["shapes"] else []
        parts += [f"input={row['input']}"] if row["input"] else []
        told[name] = " ".join(parts) if len(sides[str(row["model"])]) > 1 else ""
    return told


def _name(row: Mapping[str, Any]) -> str:
    return network_name(*(row[part] for part in ("model", "resolution", "batch", "shapes", "input")))


def _counts(row: Mapping[str, Any]) -> tuple[float, float]:
    """Count parameters and memory access (bytes) from the graph; rows have neither for certain.

    Raises:
        BenchError, ValueError: the network cannot be built from what the row says.
    """
    from bench.export.graph_of import graph_of
    from bench.graph.summary import summarise
    from bench.plan import case, shapes, zoo

    side = int(row["resolution"]) if row["resolution"] else None
    given = shapes.parse(row["shapes"].split(" ") if row["shapes"] else ())
    network = case.Network(zoo.resolve(row["model"]), int(row["batch"] or 1), side, given)
    found = graph_of(network)
    summary = summarise(found.inferred, row["model"], {i.name: i.shape for i in found.inputs}, found.params)
    return float(summary.params), float(summary.memory_access_bytes)
