"""The curve of a case that was kept going: what its raw samples, which lie beside the rows, say of it over time."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench.base.wire import Unchecked
from bench.rows import file as records
from bench.rows.table import FILE

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("case_id",), ("sustain_s", "early_ms", "settled_ms", "settled_after_s", "settled_mhz", "settled_celsius")
BINS = 120  # of the time: a block of a fast network takes 50 ms, and nobody sees 36,000 points


@dataclass(frozen=True)
class Point:
    """A moment: seconds since the cases began, the median latency, clock and temperature where they were told."""

    at_s: float
    ms: float
    mhz: float | None = None
    celsius: float | None = None


def curves(frame: pd.DataFrame) -> Iterator[tuple[int, tuple[Point, ...]]]:
    """Yield the position of every row that was kept going, and its curve; of one whose samples are gone, none."""
    if "sustain_s" not in frame:
        return
    for i, (path, run_id, case_id, length) in enumerate(
        zip(
            frame[FILE].astype(str),
            frame["run_id"].astype(str),
            frame["case_id"].astype(str),
            frame["sustain_s"],
            strict=True,
        )
    ):
        if length > 0:
            yield i, _of_file(Path(path)).get((run_id, case_id), ())


@lru_cache(maxsize=8)
def _of_file(path: Path) -> Mapping[tuple[str, str], tuple[Point, ...]]:
    found: dict[tuple[str, str], list[Unchecked]] = {}
    with suppress(OSError):
        for launch in records.read_samples(path):
            with suppress(KeyError, TypeError, AttributeError):  # a line that another program wrote
                blocks = [block for block in launch["blocks"] if "at_s" in block]
                found.setdefault((str(launch["run_id"]), str(launch["case_id"])), []).extend(blocks)
    return {key: tuple(_points(blocks)) for key, blocks in found.items() if blocks}


def _points(blocks: list[Unchecked]) -> Iterator[Point]:
    end = max(block["at_s"] for block in blocks)
    parts: dict[int, list[Unchecked]] = {}
    for block in blocks:
        parts.setdefault(min(int(block["at_s"] / end * BINS) if end else 0, BINS - 1), []).append(block)
    for _, some in sorted(parts.items()):
        yield Point(
            statistics.median(block["at_s"] for block in some),
            statistics.median(ns for block in some for ns in block["latency_ns"]) / 1e6,
            _median(some, "mhz", "sm_mhz"),
            _median(some, "celsius", "celsius"),
        )


def _median(blocks: list[Unchecked], of_cores: str, of_device: str) -> float | None:
    told = [reading[of_device] for block in blocks for reading in block.get("device", ()) if reading.get(of_device)]
    values = told or [block["heat"][of_cores] for block in blocks if of_cores in block.get("heat", {})]
    return float(statistics.median(values)) if values else None
