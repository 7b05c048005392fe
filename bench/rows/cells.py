"""The cells of a row: how a value is written, and what a text says.

What is read here is a row: `bench.rows.table` has said so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from bench.base.escape import csv_guard, csv_unguard, line
from bench.rows.schema import NOTHING, Row, canonical, kinds


def row_of(cells: Mapping[str, str]) -> Row:
    """Type a row's cells, by column; what a cell does not say is the default."""
    values: dict[str, Any] = {}
    for f in fields(Row):
        text, kind = cells.get(f.name, ""), kinds()[f.name]
        if kind is not float or text in NOTHING:
            text = canonical(f.name, text)
        if text:
            values[f.name] = _READ.get(kind, kind)(text)
        else:
            values[f.name] = None if f.default is MISSING else f.default
    return Row(**values)


def text_of(cell: str) -> str:
    """Return the text that a cell says, printable: a file that others wrote may hold anything."""
    return line(csv_unguard(cell))


def _finite(cell: str) -> float | None:
    """Read a number; what is none, or endless, is not known."""
    return value if math.isfinite(value := float(cell)) else None


_READ: dict[type, Callable[[str], object]] = {bool: lambda cell: cell == "true", float: _finite, str: text_of}


def cell(value: object) -> str:
    """Write a value as a row's cell has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return csv_guard(line(str(value)))
