"""Rows as they are met in the field: files that are valid, or nearly, and odd in one way each."""

from __future__ import annotations

import csv
import io
import math
import random
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

from bench.rows.cells import cell
from bench.rows.schema import COLUMNS, kinds
from tests.rows.rows import row

NETWORKS = {"squeezenet:version=1.1": 2.0, "shufflenetv2": 3.0, "mobilenetv2": 5.0}
REFERENCE = "squeezenet:version=1.1"
INTEL = {"arch": "x86_64", "cpu": "Intel Xeon 8370C", "cpu_id": "family=6 model=106 stepping=6", "target": "x86"}
ARM = {"arch": "aarch64", "cpu": "Neoverse-N2", "cpu_id": "implementer=0x41 part=0xd49", "target": "arm"}
FIRST = date(2026, 1, 1)
WHOLE = tuple(name for name in COLUMNS if kinds()[name] is int and name != "schema_version")
Cells = dict[str, str]


def slower(times: float) -> Callable[[str], float]:
    """One network is `times` as slow."""
    return lambda model: times if model == "shufflenetv2" else 1.0


def job(
    run_id: str,
    day: int,
    factor: Callable[[str], float] = lambda model: 1.0,
    spread: float = 0.005,
    started: str = "",
    **changed: str,
) -> list[Cells]:
    """One run: a row for each network, `factor(model)` times as slow as usual."""
    rng = random.Random(f"{run_id} {changed.get('cpu')}")
    found = []
    for model, usual in NETWORKS.items():
        ms = usual * factor(model) * math.exp(rng.gauss(0, spread))
        when = started or f"{FIRST + timedelta(days=day)}T02:20:00+00:00"
        one = row(ms, 0.015, model=model, run_id=run_id, started_at=when, samples=400, seed=0, params=7)
        found.append({name: cell(value) for name, value in asdict(one).items()} | changed)
    return found


def text(rows: Iterable[Cells], quoting: int = csv.QUOTE_MINIMAL, separator: str = ",") -> str:
    """Write rows as a CSV."""
    handle = io.StringIO()
    writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n", quoting=quoting, delimiter=separator)  # type: ignore[arg-type]
    writer.writeheader()
    writer.writerows(rows)
    return handle.getvalue()


def put(path: Path, content: str | bytes) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def floats(rows: Iterable[Cells]) -> list[Cells]:
    """What pandas makes of whole numbers once a cell of the column was empty."""
    return [one | {name: f"{one[name]}.0" for name in WHOLE if one[name]} for one in rows]
