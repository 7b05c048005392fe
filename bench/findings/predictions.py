"""Predicted latencies beside rows: what ``bench predict --format csv`` wrote, by network and setting."""

from __future__ import annotations

import csv
from pathlib import Path

from bench.base.errors import OutputError
from bench.plan.case import same_name

COLUMNS = ("model", "backend", "threads", "predicted_ms")
Key = tuple[str, str, str]  # the network's name, backend, threads


def read(path: Path) -> dict[Key, float]:
    """Return predicted latencies in ms; a network without a prediction is left out.

    Raises:
        OutputError: the file cannot be read, or is not what `bench predict` writes.
    """
    hint = "`bench predict MODEL... --format csv` writes one"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OutputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}", hint) from error
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise OutputError(f"{path} holds no predictions", hint)
    found: dict[Key, float] = {}
    for row in rows:
        if row["predicted_ms"]:
            key = (same_name(row["model"]), row["backend"], row["threads"])
            try:
                found[key] = float(row["predicted_ms"])
            except ValueError:
                raise OutputError(f"{path}: {row['predicted_ms']!r} is no latency in ms", hint) from None
    return found
