"""Tables of result rows as they are found: any separator, quoting, encoding, or gzip; and what of them is no row.

This program writes plain CSV in UTF-8. Spreadsheets, scripts and a full disk make something else of it, and one such
row costs itself alone: `Table.left_out` has its line and the reason, for a person to be told.
"""

from __future__ import annotations

import codecs
import csv
import glob
import io
import math
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from bench.base.errors import OutputError, UsageError, clip
from bench.base.words import counted, listed, plural
from bench.rows.schema import NOTHING, SCHEMA_VERSION, STATUSES, canonical, figure, kinds

HINT = "give a CSV that `bench run` wrote"
REQUIRED = frozenset({"status", "model", "backend", "latency_ms", "schema_version"})
ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
SEPARATORS = ",;\t|"
LONGEST = 50  # lines of one row in which cells hold line breaks
TOLD = 10  # reasons that are listed, and lines of each
FILE, LINE = "file", "line"  # where a row stands: columns of a frame beside those of the schema
GZIP = b"\x1f\x8b"
_SURROGATE = re.compile(r"[\udc80-\udcff]")  # what `surrogateescape` makes of bytes that are no UTF-8


@dataclass(frozen=True)
class Table:
    """Whole rows: `names` of the columns, and of each row the line on which it begins and a cell per name.

    `left_out` has line and reason of what is no row.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[int, list[str]], ...]
    left_out: tuple[tuple[int, str], ...] = ()


def is_table(path: Path) -> bool:
    """Tell from a file's name whether it may hold rows."""
    return path.name.lower().endswith(ENDINGS)


def find(source: str) -> list[Path]:
    """Return the tables of a file, folder (with all below it) or pattern, in order.

    Raises:
        UsageError: there is none.
    """
    path = Path(source)
    if os.path.isdir(source):  # a name may be too long for pathlib, which raises
        found = tables(path)
    elif os.path.exists(source):
        found = [path]
    else:
        hits = [Path(hit) for hit in sorted(glob.glob(source, recursive=True))]
        found = [p for hit in hits for p in (tables(hit) if hit.is_dir() else [hit])]
    if not found:
        raise UsageError(f"there are no result files in {clip(source)!r}", "give a CSV, a folder, or a quoted pattern")
    return found


def tables(folder: Path) -> list[Path]:
    """Return the files below a folder that may hold rows, in order."""
    there = (path for path in folder.rglob("*") if is_table(path))
    # A link that leads nowhere is one whose rows are missing: to read it says so.
    return sorted(path for path in there if path.is_file() or (path.is_symlink() and not path.exists()))


def content(path: Path, told: Callable[[str], None] | None = None) -> bytes:
    """Return what is in a file, unpacked; of a damaged archive what comes before the damage, and `told` hears of it.

    Raises:
        OutputError: it cannot be read; or it is damaged and nobody is told.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror}", HINT) from error
    found = [] if data.startswith(GZIP) else [data]
    while data.startswith(GZIP):
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        with suppress(zlib.error):
            found.append(member.decompress(data))
        if not member.eof:
            said = f"{clip(str(path), 300)} is damaged: it does not unpack to its end"
            if told is None:
                raise OutputError(said, "take it from where it was copied, anew")
            told(said)
        data = member.unused_data
    return b"".join(found)


def parse(data: bytes, checked: Collection[str] | None = None) -> Table | None:
    """Read a table; None if it holds no result rows. `checked` are the columns whose numbers must read, else all."""
    lines = list(io.StringIO(_text(data), newline=""))
    start = next((i for i, line in enumerate(lines) if line.strip() and not re.match(r"sep=.\s*$", line)), len(lines))
    for separator in SEPARATORS:
        names, used = _record(lines, start, separator)
        names = [name.strip() for name in names or ()]
        while names and not names[-1]:
            names.pop()
        if set(names) >= REQUIRED and len(set(names)) == len(names):
            return _table(lines, start + used, separator, names, checked)
    return None


def header(data: bytes) -> tuple[str, ...]:
    """Return the names in the first line of a table, whatever it is a table of; nothing where they do not read."""
    lines = list(io.StringIO(_text(data), newline=""))
    start = next((i for i, line in enumerate(lines) if line.strip() and not re.match(r"sep=.\s*$", line)), len(lines))
    found = [_record(lines, start, separator)[0] or [] for separator in SEPARATORS]
    return tuple(name.strip() for name in max(found, key=len))


def _text(data: bytes) -> str:
    """Decode; what is no UTF-8 becomes surrogates, by which its row is known."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):  # without a mark: every other byte of ASCII is zero
        if len(data) > 8 and not any(data[first:64:2]) and all(data[1 - first : 64 : 2]):
            return data.decode(encoding, "replace")
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _record(lines: Sequence[str], at: int, separator: str) -> tuple[list[str] | None, int]:
    """Return the cells of the row that begins on a line, None if its quotes do not match, and how many connections it
    has.
    """
    reader = csv.reader(islice(lines, at, at + LONGEST), delimiter=separator, strict=True)
    try:
        return next(reader, []), reader.line_num
    except csv.Error:
        return None, 1


def _table(lines: Sequence[str], at: int, separator: str, names: list[str], checked: Collection[str] | None) -> Table:
    rows: list[tuple[int, list[str]]] = []
    left_out: list[tuple[int, str]] = []
    for number, cells, ended in _records(lines, at, separator, names):
        reason, fitting = "its quotes do not match, or a cell is endless", cells or []
        if cells is not None:
            fitting, reason = _fitting(cells, names, ended)
            if separator == ";":
                fitting = [_point(name, cell) for name, cell in zip(names, fitting, strict=True)]
            reason = reason or fault(dict(zip(names, fitting, strict=True)), checked)
        if reason:
            left_out.append((number, reason))
        else:
            rows.append((number, fitting))
    return Table(tuple(names), tuple(rows), tuple(left_out))


def _records(
    lines: Sequence[str], at: int, separator: str, names: Sequence[str]
) -> Iterator[tuple[int, list[str] | None, bool]]:
    """Yield the line, the cells and whether the line was ended, of all that is not empty and no second header."""
    while at < len(lines):
        cells, used = _record(lines, at, separator)
        if used > 1 and len(cells or ()) != len(names):
            cells, used = None, 1  # a quote that was never closed must not swallow the rows below
        if cells is None or (any(cells) and cells[: len(names)] != names):
            yield at + 1, cells, lines[at + used - 1].endswith(("\n", "\r"))
        at += used


def _fitting(cells: list[str], names: Sequence[str], ended: bool) -> tuple[list[str], str]:
    """Return a cell per name, and why the row is none. Programs leave empty cells at the end away, or add some."""
    width, more = len(names), [cell for cell in cells[len(names) :] if cell]
    fitting = (cells + [""] * width)[:width]
    if len(cells) < width and (not ended or not fitting[names.index("schema_version")]):
        return fitting, f"it ends early, with {len(cells)} of {width} cells"
    if more and names[-1] != "error":
        return fitting, f"it has {len(cells)} cells under {width} names"
    text = "".join(fitting)
    return fitting, "" if text.isascii() or text.isprintable() or not _SURROGATE.search(text) else "it is no UTF-8"


def _point(name: str, cell: str) -> str:
    """Read the decimal comma of the languages whose spreadsheets separate by semicolons."""
    return cell.replace(",", ".") if kinds().get(name) in (int, float) and cell.count(",") == 1 else cell


@cache
def numbers() -> tuple[str, ...]:
    """Return the columns that hold numbers."""
    return tuple(name for name, kind in kinds().items() if kind in (int, float))


def reads(name: str, cell: str) -> bool:
    """Tell whether a cell of a column of numbers holds one, or says that there is none."""
    if cell in NOTHING:
        return True
    try:
        value = float(cell)
        return "_" not in cell and (kinds()[name] is float or value == int(canonical(name, cell)))
    except (ValueError, OverflowError):
        return False


def fault(row: Mapping[str, str], checked: Collection[str] | None = None) -> str:
    """Say why cells are no row; nothing if they are. `checked` are the columns whose numbers must read, else all."""
    version = row["schema_version"]
    if not version or not reads("schema_version", version):
        return f"schema_version is {clip(version)!r}"
    if float(version) > SCHEMA_VERSION:
        return f"rows of schema {clip(version)}; this version knows {SCHEMA_VERSION}: upgrade isoflops"
    for name in numbers() if checked is None else checked:
        if not reads(name, cell := row.get(name, "")):
            whole = "whole number" if kinds()[name] is int else "number"
            return f"{name} is {clip(cell)!r}, which is no {whole}"
    status, name = row["status"], figure(row.get("mode", ""))
    cell = row.get(name, "")
    if status not in STATUSES:
        return f"status {clip(status)!r} is none"
    if status == "ok" and not 0 < float(cell if cell not in NOTHING else "nan") < math.inf:
        return f"status 'ok', {name} {clip(cell) or 'None'}"
    return ""


def told(left_out: Sequence[tuple[Path | str, int, str]]) -> list[str]:
    """Say what was left out: file, lines and reason."""
    found: dict[tuple[str, str], list[int]] = {}
    for path, number, reason in left_out:
        found.setdefault((clip(str(path), 300), reason), []).append(number)
    said = [f"left out: {path}, {_lines(numbers)}: {reason}" for (path, reason), numbers in found.items()]
    more = sum(len(numbers) for numbers in list(found.values())[TOLD:])
    rest = f"left out: {counted(more, 'more row')} of other files or for other reasons"
    return [*said[:TOLD], *([rest] if more else [])]


def _lines(numbers: Sequence[int]) -> str:
    return f"{plural('line', len(numbers))} {listed([str(number) for number in numbers], TOLD)}"
