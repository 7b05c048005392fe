"""Rows for tests, made as `bench run` would write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.rows.file import append
from bench.rows.schema import Row

DEFAULTS: dict[str, Any] = {
    "run_id": "job0", "started_at": "2026-03-01T00:00:00+00:00", "status": "ok", "model": "net", "backend":
    "onnxruntime", "backend_version": "1.0", "precision": "fp32", "precision_effective": "fp32", "threads": 1,
    "threads_effective": 1, "batch": 1, "resolution": 224, "target": "local", "arch": "x86_64", "cpu": "EPYC",
    "cpu_id": "family=25 model=1", "macs": 10**9, "launches": 8,
}  # fmt: skip


def row(latency_ms: float | None = 5.0, half: float = 0.01, **changed: Any) -> Row:
    """A row whose interval is `half` of the latency to either side; None for a case that was not measured."""
    latency = {} if latency_ms is None else {
        "latency_ms": latency_ms, "latency_lo_ms": latency_ms * (1 - half), "latency_hi_ms": latency_ms * (1 + half)
    }  # fmt: skip
    return Row(**DEFAULTS | latency | changed)


def write(path: Path, rows: Sequence[Row]) -> Path:
    """Append rows to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for one in rows:
        append(path, one)
    return path


def nights(path: Path, logs: Sequence[float], model: str = "net", **changed: Any) -> Path:
    """Write one job per value: a case at 5 ms times e to the value."""
    name = path.stem
    return write(
        path,
        [
            row(
                5 * math.exp(v),
                model=model,
                run_id=f"{name}{i}",
                started_at=f"2026-03-{i + 1:02}T00:00:00+00:00",
                **changed,
            )
            for i, v in enumerate(logs)
        ],
    )
