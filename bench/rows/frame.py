"""Many result files as one data frame: only the columns that are needed, a million rows in seconds.

Files with the same header are joined as bytes and parsed at once: a parser that starts anew for each of thousands of
small nightly files takes longer than all their rows. A file that is not as this program writes it, or in which
something is no row, is read line by line instead (`bench.rows.table`), and what is no row is left out and named.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.base.errors import PANDAS, OutputError, clip, needs
from bench.base.words import counted
from bench.rows import identity, schema, spellings, table
from bench.rows.cells import cell, text_of
from bench.rows.rates import RATES, latencies
from bench.rows.table import FILE, LINE

if TYPE_CHECKING:
    import pandas as pd

TEXTS = (*identity.cell_of(), *identity.environment(), "run_id", "started_at", "status")
WITHIN = ("within_lo_ms", "within_hi_ms")
FIGURES = ("latency_ms", "latency_lo_ms", "latency_hi_ms", *WITHIN, *RATES)
NUMBERS = ("macs", *FIGURES, "between_sd", "launches", "floor_ms")
Columns = tuple[Sequence[str], Sequence[str]]  # texts, numbers
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """Result rows as a frame of `TEXTS` (categories; the empty text where a cell or column is missing) and `NUMBERS`.

    Its columns `FILE` and `LINE` say where a row stands. `notes` says in a line each what was passed over or left out,
    and what is worth knowing.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Part:
    """The rows of one file, a line each; `lines` says on which they stand there, None if below the header in order."""

    path: Path
    body: bytes
    lines: NDArray[np.intp] | None = None

    @property
    def places(self) -> NDArray[np.intp]:
        """The line of each row."""
        return np.arange(2, 2 + self.body.count(b"\n")) if self.lines is None else self.lines


def load(
    sources: Sequence[str], texts: Sequence[str] = (), numbers: Sequence[str] = (), pool: str = "", rates: bool = False
) -> Rows:
    """Read all rows of files, folders and patterns; `texts` and `numbers` are columns to read besides.

    Rows of mode throughput, which have no latency, are there only where `rates` asks for them. With the `pool` ``cpu``
    targets of one CPU model are one machine.

    What is no row is left out, and a note names file, line and reason. Another names every file without rows, and an
    archive that is damaged; one that was named must be a table of rows.

    Raises:
        UsageError: a source names nothing.
        OutputError: a named file holds no rows or cannot be read, or there is not one row in all that is asked for.
        MissingExtra: pandas is not installed.
    """
    needs(*PANDAS)
    named = {Path(source) for source in sources}
    columns = tuple(dict.fromkeys((*TEXTS, *texts))), tuple(dict.fromkeys((*NUMBERS, *numbers)))
    groups: dict[bytes, list[_Part]] = {}
    empty, bare, other, notes = [], [], [], _overlooked(sources)
    left_out: list[tuple[Path, int, str]] = []
    for path in {os.path.realpath(p): p for source in sources for p in table.find(source)}.values():
        damage: list[str] = []
        try:
            data = table.content(path, damage.append)
        except OutputError as error:
            if path in named:
                raise
            notes.append(f"passed over, {error.message}")
            continue
        wrong = len(left_out)
        split = _plain(path, data) or _tidy(path, data, columns[1], left_out)
        if split is None and damage and path in named:
            raise OutputError(damage[0], table.HINT)
        notes += damage
        if split is not None:
            groups.setdefault(split[0], []).append(split[1])
            bare += [] if split[1].body or len(left_out) > wrong else [path]
        elif damage:
            continue
        elif not data.strip():
            empty.append(path)
        elif path in named:
            raise OutputError(f"{path} holds no result rows", table.HINT)
        else:
            other.append(path)
    frames = [_parse(header, parts, columns, left_out) for header, parts in groups.items()]
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        where = clip(", ".join(sources))
        if left_out:
            path, number, reason = left_out[0]
            raise OutputError(f"there are no rows in {where} that read: {path}, line {number}: {reason}", table.HINT)
        raise OutputError(f"there are no rows in {where}", "nothing was measured there yet")
    (frame,) = spellings.joined(frames[0] if len(frames) == 1 else _concat(frames))
    notes += [*_named("passed over, no result rows", other), *_named("empty", empty)]
    notes += _named("no rows below the header", bare)
    notes += table.told(left_out)
    versions = sorted(frame["schema_version"].unique())
    if len(versions) > 1:
        notes.append(
            f"rows of schema versions {', '.join(f'{v:g}' for v in versions)}; a missing column counts as empty"
        )
    frame, said = (frame, []) if rates else latencies(frame, sources)
    return Rows(identity.pooled(frame) if pool == "cpu" else frame, (*notes, *said))


def _overlooked(sources: Sequence[str]) -> list[str]:
    """Name what in the folders is called a CSV and is not read by its ending."""
    folders = [Path(source) for source in sources if os.path.isdir(source)]
    found = [p for folder in folders for p in sorted(folder.rglob("*.[cC][sS][vV]?*")) if not table.is_table(p)]
    return _named(f"passed over, no {' or '.join(table.ENDINGS[:3])}", found)


def _plain(path: Path, data: bytes) -> tuple[bytes, _Part] | None:
    """Return header and rows of a file as this program writes it; None of any other, which takes longer to read."""
    header, _, body = data.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    header = header.strip()
    ours = header.endswith(b",error") and b",schema_version," in header and not set(header) & set(b'" ')
    odd = body[:1] in b"\r\n" or b"\n\n" in body or b"\n\r\n" in body or b"\0" in body or body.count(b'"') % 2
    if not ours or (body and (odd or not body.endswith(b"\n"))):
        return None
    names = header.split(b",")
    whole = {name.encode() for name in table.REQUIRED} <= set(names) and len(set(names)) == len(names)
    return (header, _Part(path, body)) if whole else None


def _tidy(
    path: Path, data: bytes, numbers: Sequence[str], left_out: list[tuple[Path, int, str]]
) -> tuple[bytes, _Part] | None:
    """Read a file line by line and write its rows as this program would; None if it holds no result rows."""
    found = table.parse(data, (*numbers, *FIGURES_OF_CASES))
    if found is None:
        return None
    left_out += [(path, *one) for one in found.left_out]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(found.names)
    for _, cells in found.rows:
        writer.writerow(_written(name, cell, numbers) for name, cell in zip(found.names, cells, strict=True))
    header, _, body = text.getvalue().encode("utf-8", "replace").partition(b"\n")
    return header, _Part(path, body, np.array([line for line, _ in found.rows], dtype=np.intp))


def _written(name: str, cell: str, numbers: Sequence[str]) -> str:
    """Write a cell that `table` has read so that the fast parser reads the same."""
    if name == "schema_version" or name in numbers:
        return "" if cell in schema.NOTHING else repr(float(cell))
    return " ".join(cell.splitlines())


def _parse(
    header: bytes, parts: Sequence[_Part], columns: Columns, left_out: list[tuple[Path, int, str]]
) -> pd.DataFrame:
    try:
        frame = _frame(header, parts, columns)
    except ValueError:  # pandas.errors.ParserError and UnicodeDecodeError are of this kind
        suspects = set(range(len(parts)))
    else:
        suspects = set(np.unique(frame[FILE].cat.codes.to_numpy()[_wrong(frame)]).tolist())
        if not suspects:
            return frame
    mended = []
    for i, part in enumerate(parts):
        if i in suspects and part.lines is None:
            split = _tidy(part.path, header + b"\n" + part.body, columns[1], left_out)
            assert split is not None
            header, part = split
        mended.append(part)
    return _frame(header, mended, columns)


# Numbers among the texts: what a case is.
FIGURES_OF_CASES = tuple(name for name in TEXTS if schema.kinds()[name] in (int, float))


def _wrong(frame: pd.DataFrame) -> Mask:
    """Tell which rows are none, or only of a newer version."""
    version, latency, status = frame["schema_version"], frame["latency_ms"], frame["status"]
    found: Mask = np.array(version.isna() | (version > schema.SCHEMA_VERSION) | ~status.isin(schema.STATUSES))
    time = latency.where(frame["mode"] != "throughput", frame["throughput"])
    found |= np.asarray((status == "ok") & ~((time > 0) & (time < math.inf)))
    for name in FIGURES_OF_CASES:
        column = frame[name].cat
        found |= np.array([not table.reads(name, text) for text in column.categories], dtype=bool)[column.codes]
    return found


def _clean(name: str, column: pd.Categorical) -> pd.Categorical:
    """Read each distinct text as `cells.row_of` does, in its canonical form; an empty one says the column's default."""
    usual = cell(schema.defaults()[name])
    said = [schema.canonical(name, text_of(text)) or usual for text in column.categories]
    if said == list(column.categories):
        return column
    return _categories(np.array(said, dtype=object)[column.codes])


def _categories(values: np.ndarray[tuple[int], np.dtype[np.object_]]) -> pd.Categorical:
    import pandas as pd

    codes, categories = pd.factorize(values)
    return pd.Categorical.from_codes(codes, categories=pd.Index(categories, dtype=object))


def _frame(header: bytes, parts: Sequence[_Part], columns: Columns) -> pd.DataFrame:
    """Parse files that share a header at once; ValueError if they do not read, or have other lines than rows."""
    import pandas as pd

    there = header.decode().split(",")
    texts, numbers = ([c for c in names if c in there] for names in columns)
    # Not read as categories: pandas would take run 007 and a network named 1e3 for numbers.
    dtype = dict.fromkeys(texts, str) | dict.fromkeys(numbers, "float64")
    frame = pd.read_csv(
        io.BytesIO(b"".join([header, b"\n", *(part.body for part in parts)])),
        usecols=[*texts, *numbers, "schema_version"],
        dtype=dtype | {"schema_version": "float64"},
        keep_default_na=False,
        na_values={name: list(schema.NOTHING) for name in (*numbers, "schema_version")},
        skip_blank_lines=True,
        index_col=False,  # cells beyond the header are left alone, not taken for an index
    )
    counts = [part.body.count(b"\n") for part in parts]
    if sum(counts) != len(frame):
        raise ValueError("lines and rows differ")
    for name in columns[0]:
        values = (
            frame[name].fillna("").to_numpy(dtype=object) if name in there else np.full(len(frame), "", dtype=object)
        )
        frame[name] = _clean(name, _categories(values))
    for name in columns[1]:
        if name not in there:
            frame[name] = math.nan
    paths = pd.Index([str(part.path) for part in parts], dtype=object)
    frame[FILE] = pd.Categorical.from_codes(np.repeat(np.arange(len(parts)), counts), categories=paths)
    frame[LINE] = np.concatenate([part.places for part in parts])
    if "" in frame["run_id"].cat.categories:  # a job without a name is its file
        run = frame["run_id"].astype(object)
        frame["run_id"] = _categories(run.where(run != "", frame[FILE].astype(object)).to_numpy(dtype=object))
    return frame


def _concat(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd
    from pandas.api.types import union_categoricals

    columns: dict[str, Any] = {}
    for name in frames[0].columns:
        parts = [frame[name] for frame in frames]
        if isinstance(parts[0].dtype, pd.CategoricalDtype):
            united = union_categoricals(parts)
            # Of texts alone the union is of another dtype, which the next union would refuse.
            columns[name] = united.rename_categories(pd.Index(united.categories, dtype=object))
        else:
            columns[name] = pd.concat(parts, ignore_index=True).to_numpy()
    return pd.DataFrame(columns)


def _named(what: str, paths: Sequence[Path]) -> list[str]:
    """Say what files are and how many, and name each of them; nothing where there is none."""
    many = f" ({counted(len(paths), 'file')})" if len(paths) > 1 else ""
    return [f"{what}{many}: {', '.join(clip(str(path), 300) for path in paths)}"] if paths else []
