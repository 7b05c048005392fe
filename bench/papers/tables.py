"""A CSV table that a person keeps, read row by row; an error names the file, the line and the cell."""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import NoReturn

from bench.base.errors import BenchError, clip

# Figures as tables print them: no sign, no exponent, no digit separators.
NUMBER = re.compile(r"\d+(\.\d+)?")
SIZE = re.compile(r"(\d+)(?:x(\d+))?")


class TableError(BenchError):
    """A table does not read; the message names file, line and cell."""


@dataclass(frozen=True, slots=True)
class PrintedRow:
    """One line of a table: its cells by column, and where it stands, for the errors."""

    where: str
    cells: dict[str, str]

    def fail(self, column: str, message: str) -> NoReturn:
        """Raise a TableError about one cell."""
        raise TableError(f"{self.where}, {column}: {message}")

    def text(self, column: str) -> str:
        """Return a cell, which may be empty."""
        return self.cells[column]

    def required(self, column: str) -> str:
        """Return a cell that must not be empty."""
        return self.text(column) or self.fail(column, "must not be empty")

    def one_of(self, column: str, known: Sequence[str]) -> str:
        """Return a cell that must be one of `known`."""
        text = self.text(column)
        return text if text in known else self.fail(column, f"{clip(text)!r} is none of {', '.join(known)}")

    def number(self, column: str, low: float = 0.0, high: float = math.inf) -> float:
        """Return a cell that must be a plain number, above `low` and at most `high`."""
        text = self.text(column)
        if not NUMBER.fullmatch(text):
            self.fail(column, f"{clip(text)!r} is not a plain number such as 12 or 3.40")
        value = float(text)
        return value if low < value <= high else self.fail(column, f"{text} lies outside {low:g} to {high:g}")

    def whole(self, column: str) -> int:
        """Return a cell that must be a whole number above zero."""
        text = self.text(column)
        if not (text.isascii() and text.isdigit() and int(text) > 0):
            self.fail(column, f"{clip(text)!r} is not a whole number above zero")
        return int(text)

    def size(self, column: str) -> tuple[int, int]:
        """Return a cell such as ``224`` or ``480x640``, as two numbers of pixels."""
        match = SIZE.fullmatch(self.text(column))
        if not match:
            self.fail(column, f"{clip(self.text(column))!r} is not a size such as 224 or 480x640")
        first, second = match.groups()
        return int(first), int(second or first)


def read(table: Traversable, columns: Sequence[str]) -> Iterator[PrintedRow]:
    """Read a UTF-8 table whose header is exactly `columns`; ``.gz`` is unpacked.

    Raises:
        TableError: the file is missing or no UTF-8, its header differs, a line has another number of cells, or a
            cell holds a character that cannot be printed.
    """
    name = table.name
    try:
        content = table.read_bytes()
        text = (gzip.decompress(content) if name.endswith(".gz") else content).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TableError(f"{name} cannot be read: {error}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if tuple(header) != tuple(columns):
            raise TableError(
                f"{name}: the columns are not {','.join(columns)}", f"found: {clip(','.join(header), 200)}"
            )
        for cells in reader:
            where = f"{name}, line {reader.line_num}"
            if len(cells) != len(columns):
                raise TableError(f"{where}: {len(cells)} cells instead of {len(columns)}", "quote a cell with a comma")
            row = PrintedRow(where, {column: cell.strip() for column, cell in zip(columns, cells, strict=True)})
            for column, cell in row.cells.items():
                if not cell.isprintable():
                    row.fail(column, f"{clip(cell)!r} holds a control character")
            yield row
    except csv.Error as error:
        raise TableError(f"{name}, line {reader.line_num}: {error}") from None
