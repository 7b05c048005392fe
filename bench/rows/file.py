"""Result files: rows as CSV, raw samples beside them; append and read.

A row is appended whole, flushed and fsynced when its case ends. The raw samples go beside it into
``NAME.samples.jsonl.gz``: one JSON object per line for every launch of every case, one gzip member per append, so that
a killed run leaves a file that still reads.
"""

from __future__ import annotations

import csv
import fcntl
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from bench.base.errors import OutputError, clip
from bench.base.escape import csv_guard, csv_unguard, line
from bench.base.wire import Unchecked
from bench.rows.schema import COLUMNS, SCHEMA_VERSION, Row, canonical, kinds

GZIP_MEMBER = b"\x1f\x8b\x08"


def samples_path(output: Path) -> Path:
    """Return where the raw samples of the rows in `output` are."""
    return output.with_name(output.name.removesuffix(".csv") + ".samples.jsonl.gz")


def prepare(output: Path) -> None:
    """Make sure, before anything is measured, that rows and samples can be appended to `output`.

    Raises:
        OutputError: it cannot be written, or holds something else than rows of this schema.
    """
    prepare_samples(output)
    if output.exists() and not output.is_file():
        raise OutputError(f"{output} is no regular file", "choose another --output")
    try:
        with output.open("a+", encoding="utf-8", newline="") as handle:
            handle.seek(0)
            header = handle.readline(1 << 16).strip()
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror}", "choose another --output") from error
    if header and header != ",".join(COLUMNS):
        raise OutputError(
            f"{output} holds other columns than schema {SCHEMA_VERSION}",
            "choose another --output; `bench list columns` lists them",
        )


def prepare_samples(output: Path) -> None:
    """Make sure that raw samples can be appended beside `output`, which need not exist; OutputError if not."""
    if output.suffix != ".csv":
        raise OutputError(f"{output} does not end in .csv", "name the result file something.csv")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with samples_path(output).open("ab"):
            pass
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror}", "choose another --output") from error


def append(output: Path, row: Row) -> None:
    """Append one row, whole and on the disk when this returns; safe beside other processes that append."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with output.open("a", encoding="utf-8", newline="") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle.fileno()).st_size == 0:
            writer.writerow(COLUMNS)
        writer.writerow(cell(getattr(row, name)) for name in COLUMNS)
        handle.write(text.getvalue())
        handle.flush()
        os.fsync(handle.fileno())


def append_samples(output: Path, records: Iterable[Mapping[str, object]]) -> None:
    """Append raw samples as one gzip member."""
    lines = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
    if lines:
        with samples_path(output).open("ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            handle.write(gzip.compress(lines.encode(), 6))


def read_samples(output: Path) -> Iterator[Unchecked]:
    """Yield the raw samples of `output`, one launch at a time; a member that was cut by a crash is passed over."""
    data = samples_path(output).read_bytes()
    at = data.find(GZIP_MEMBER)
    while at >= 0:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            lines = member.decompress(data[at:])
            whole = member.eof
        except zlib.error:
            whole = False
        if whole:
            yield from (json.loads(line) for line in lines.splitlines())
        at = data.find(GZIP_MEMBER, len(data) - len(member.unused_data) if whole else at + 1)


def read_any(path: Path) -> list[Row]:
    """Read rows back as `read` does; of a file that is empty or not there, none."""
    return read(path) if path.exists() and path.stat().st_size else []


def read(path: Path) -> list[Row]:
    """Read rows back, typed.

    Raises:
        OutputError: the file is missing, is no CSV of rows, or a cell does not parse.
    """
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle)
            if not set(reader.fieldnames or ()) >= {"status", "model", "backend", "schema_version"}:
                raise OutputError(f"{path} holds no result rows", "give a CSV that `bench run` wrote")
            return [_row(path, number, cells) for number, cells in enumerate(reader, 2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OutputError(f"{path} cannot be read: {error}", "give a CSV that `bench run` wrote") from error


def _row(path: Path, number: int, cells: dict[str, str]) -> Row:
    values: dict[str, Any] = {}
    for f in fields(Row):
        text = cells.get(f.name)
        if text in (None, ""):
            values[f.name] = None if f.default is MISSING else f.default
            continue
        kind = kinds()[f.name]
        try:
            values[f.name] = _READ.get(kind, kind)(canonical(f.name, text) if kind is int else text)
        except ValueError:
            said = f"{path}, line {number}: {f.name} is {clip(text)!r}"
            raise OutputError(said, f"it must be a {kind.__name__}") from None
    return Row(**values)


def text_of(cell: str) -> str:
    """Return the text that a cell says, printable: a file that others wrote may hold anything."""
    return line(csv_unguard(cell))


_READ: dict[type, Callable[[str], object]] = {bool: lambda cell: cell == "true", str: text_of}


def cell(value: object) -> str:
    """Write a value as a row's cell has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return csv_guard(line(str(value)))
