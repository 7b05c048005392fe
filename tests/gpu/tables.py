"""A CSV file that grows line by line, so that what is there need not be made again."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path


def read(path: Path) -> list[dict[str, str]]:
    """Return the lines of a file; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def append(path: Path, row: Mapping[str, object]) -> None:
    """Add a line, and before the first one the header."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(row))
        if new:
            writer.writeheader()
        writer.writerow({key: "" if value is None else value for key, value in row.items()})
