"""Result files: rows as CSV, raw samples beside them; append and read.

A row is appended whole, flushed and fsynced when its case ends, or not at all: what a full disk took of it is cut off
again, and half a row that a crash left behind is set aside before the next. A row that an interruption meets when all
of it is written stays: it was measured. The raw samples go beside it into
``NAME.samples.jsonl.gz``: one JSON object per line for every launch of every case, one gzip member per append, so that
a killed run leaves a file that still reads.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import IO, BinaryIO

from bench.base import cache, system
from bench.base.errors import OutputError
from bench.base.wire import Unchecked
from bench.rows import table
from bench.rows.cells import cell, row_of
from bench.rows.schema import CASE, COLUMNS, MACHINE, RUN, SCHEMA_VERSION, Row

GZIP_MEMBER = b"\x1f\x8b\x08"
TAIL = 1 << 20  # bytes; no row is longer
HEADER = 1 << 16  # and no header


def samples_path(output: Path) -> Path:
    """Return where the raw samples of the rows in `output` are."""
    return output.parent / (output.name.removesuffix(".csv") + ".samples.jsonl.gz")  # a folder has perhaps no name


def torn_path(output: Path) -> Path:
    """Return where half rows of `output` are set aside."""
    return output.with_name(output.name.removesuffix(".csv") + ".torn.txt")


@contextmanager
def writing(output: Path) -> Iterator[str]:
    """Prepare `output` and keep other runs off it; yields what was set aside, as `prepare` says.

    Files that were not there before, and into which nothing came, are not there afterwards.

    Raises:
        OutputError: it cannot be written, holds something else, or another run is writing to it.
    """
    with ExitStack() as held:
        held.enter_context(_nothing_empty(output, samples_path(output)))
        note = prepare(output)
        name = hashlib.sha256(os.fsencode(output.resolve())).hexdigest()[:16]
        lock = None
        with suppress(OutputError, OSError):  # no cache, no lock: nobody else has one there either
            lock = held.enter_context((cache.folder("outputs") / name).open("w"))
        if lock is not None:
            _alone(lock, output)
        yield note


@contextmanager
def writing_samples(output: Path) -> Iterator[None]:
    """Prepare for raw samples beside `output`, as `writing` does for rows; OutputError where it cannot be written."""
    with _nothing_empty(samples_path(output)):
        prepare_samples(output)
        yield


@contextmanager
def _nothing_empty(*paths: Path) -> Iterator[None]:
    """Remove the files that the block makes and leaves empty."""
    new = [path for path in paths if not path.exists()]
    try:
        yield
    finally:
        for path in new:
            with suppress(OSError):
                if path.stat().st_size == 0:
                    path.unlink()


def _alone(lock: IO[str], output: Path) -> None:
    try:
        system.lock(lock, wait=False)
    except OSError:
        hint = "wait for its end, or choose another --output"
        raise OutputError(f"another run is writing to {output}", hint) from None


def prepare(output: Path) -> str:
    """Make sure, before anything is measured, that rows and samples can be appended to `output`.

    Returns what was set aside, in a line: half a row at its end. Nothing was where that is empty.

    Raises:
        OutputError: it cannot be written, or holds something else than rows of this schema.
    """
    prepare_samples(output)
    try:
        with output.open("ab+", buffering=0) as handle:
            system.lock(handle)
            handle.seek(0)
            first, ended, _ = handle.read(HEADER).partition(b"\n")
            torn = not ended and ",".join(COLUMNS).encode().startswith(first)
            names = COLUMNS if torn else _names(first)
            if names is None:
                raise OutputError(
                    f"{output} holds other columns than schema {SCHEMA_VERSION}",
                    "choose another --output; `bench list columns` lists them",
                )
            lacking = [name for name in COLUMNS if name not in names]
            older = f"{output} was begun by an older version: its rows go without {', '.join(lacking)}"
            return "; ".join(note for note in (_mend(handle, output), older if lacking else "") if note)
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror}", "choose another --output") from error


def prepare_samples(output: Path) -> None:
    """Make sure that raw samples can be appended beside `output`, which need not exist; OutputError if not."""
    if output.suffix != ".csv":
        raise OutputError(f"{output} does not end in .csv", "name the result file something.csv")
    for path in (output, samples_path(output)):  # to open a pipe would wait for somebody to read from it
        if path.exists() and not path.is_file():
            raise OutputError(f"{path} is no regular file", "choose another --output")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with samples_path(output).open("ab"):
            pass
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror}", "choose another --output") from error


def append(output: Path, row: Row) -> str:
    """Append one row, whole and on the disk when this returns; safe beside other processes that append.

    Returns what was set aside before it, as `prepare` does.

    Raises:
        OSError: it cannot be written; then nothing of it is.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with output.open("ab+", buffering=0) as handle:
        system.lock(handle)
        note = _mend(handle, output)
        handle.seek(0)
        names = _names(handle.read(HEADER).partition(b"\n")[0]) or COLUMNS
        if os.fstat(handle.fileno()).st_size == 0:
            writer.writerow(COLUMNS)
        writer.writerow(cell(getattr(row, name)) for name in names)
        _write(handle, text.getvalue().encode())
    return note


def append_samples(output: Path, records: Iterable[Mapping[str, object]]) -> None:
    """Append raw samples as one gzip member, whole or not at all; OSError if they cannot be written."""
    lines = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
    if lines:
        with samples_path(output).open("ab", buffering=0) as handle:
            system.lock(handle)
            _write(handle, gzip.compress(lines.encode(), 6))


def _names(header: bytes) -> tuple[str, ...] | None:
    """Return the columns of a file, in its order; None if a row cannot be appended below them.

    A file of an older version may lack results that are told since, never what says which row it is.
    """
    try:
        names = next(csv.reader([header.decode("utf-8-sig", "replace").strip()]), [])
    except csv.Error:  # bytes that are no line of a table
        names = []
    needed = {f.name for f in fields(Row) if f.metadata["role"] in (CASE, MACHINE, RUN)} | table.REQUIRED
    return tuple(names) if needed <= set(names) <= set(COLUMNS) and len(set(names)) == len(names) else None


def _write(handle: BinaryIO, data: bytes) -> None:
    """Write all of it at the end and onto the disk; cut back what was written where that fails.

    What is there as a whole when somebody interrupts is no failure, and stays.
    """
    end = os.fstat(handle.fileno()).st_size
    try:
        left = memoryview(data)
        while left:
            left = left[handle.write(left) :]
        os.fsync(handle.fileno())
    except BaseException as error:
        # The file says how much was written; the loop may not have come to know.
        if isinstance(error, OSError) or os.fstat(handle.fileno()).st_size < end + len(data):
            os.ftruncate(handle.fileno(), end)
        raise


def _mend(handle: BinaryIO, output: Path) -> str:
    """End a last line that was not ended; set it aside if it is half a row, and say so."""
    size = os.fstat(handle.fileno()).st_size
    start = max(0, size - TAIL)
    handle.seek(start)
    rest = handle.read(size - start)
    if not rest or rest.endswith(b"\n"):
        return ""
    begin = rest.rfind(b"\n") + 1
    last = rest[begin:]
    if start + begin == 0:
        header = ",".join(COLUMNS).encode()
        if last != header and header.startswith(last):
            os.ftruncate(handle.fileno(), 0)
            return ""
    elif _half(last, output):
        with torn_path(output).open("ab", buffering=0) as aside:
            _write(aside, last + b"\n")
        os.ftruncate(handle.fileno(), start + begin)
        where = torn_path(output).name
        return f"half a row at the end of {output} was set aside, into {where}: its case counts as not measured"
    _write(handle, b"\n")
    return ""


def _half(last: bytes, output: Path) -> bool:
    """Tell whether a line is less than a row under the file's own header."""
    with output.open("rb") as handle:
        header = handle.readline(HEADER)
    found = table.parse(header.rstrip(b"\r\n") + b"\n" + last)
    return found is not None and not found.rows


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
            for line in lines.splitlines():
                with suppress(ValueError):  # a line that another program damaged
                    yield json.loads(line)
        at = data.find(GZIP_MEMBER, len(data) - len(member.unused_data) if whole else at + 1)


def read_any(path: Path, told: Callable[[str], None] | None = None) -> list[Row]:
    """Read rows back as `read` does; of a file that is empty or not there, none."""
    return read(path, told) if path.exists() and path.stat().st_size else []


def read(path: Path, told: Callable[[str], None] | None = None) -> list[Row]:
    """Read rows back, typed. What is no row is said to `told`, file and line, and left out.

    Raises:
        OutputError: the file is missing or holds no result rows; or, where nobody is told, something is no row.
    """
    damage: list[str] = []
    found = table.parse(table.content(path, None if told is None else damage.append))
    if found is None:
        raise OutputError(damage[0] if damage else f"{path} holds no result rows", table.HINT)
    if found.left_out and told is None:
        number, reason = found.left_out[0]
        raise OutputError(f"{path}, line {number}: {reason}", "repair that row or take it out")
    for note in (*damage, *table.told([(path, *one) for one in found.left_out])):
        told(note)  # type: ignore[misc]
    return [row_of(dict(zip(found.names, cells, strict=True))) for _, cells in found.rows]
