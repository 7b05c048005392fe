"""Many result files as one data frame: only the columns that are needed, a million rows in seconds.

Files with the same header are joined as bytes and parsed at once: a parser that starts anew for each of thousands of
small nightly files takes longer than all their rows. Whatever goes wrong is then looked for file by file, so that the
message names the file and the line.
"""

from __future__ import annotations

import glob
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from bench.base.errors import OutputError, UsageError, clip
from bench.rows import file, identity, schema

if TYPE_CHECKING:
    import pandas as pd

TEXTS = (*identity.cell_of(), *identity.environment(), "run_id", "started_at", "status")
WITHIN = ("within_lo_ms", "within_hi_ms")
NUMBERS = (*("macs", "latency_ms", "latency_lo_ms", "latency_hi_ms", *WITHIN, "between_sd", "launches", "floor_ms"),)
Columns = tuple[Sequence[str], Sequence[str]]  # texts, numbers
REQUIRED = {"status", "model", "backend", "latency_ms", "schema_version"}
HINT = "give a CSV that `bench run` wrote"


@dataclass(frozen=True)
class Rows:
    """Result rows as a frame of `TEXTS` (categories; the empty text where a cell or column is missing) and `NUMBERS`.

    `notes` says in a line each what was passed over or is worth knowing.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()


def find(source: str) -> list[Path]:
    """Return the CSV files of a file, folder (with all below it) or pattern, in order.

    Raises:
        UsageError: there is none.
    """
    path = Path(source)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*.csv") if p.is_file())
    elif path.exists():
        found = [path]
    else:
        hits = [Path(hit) for hit in sorted(glob.glob(source, recursive=True))]
        found = [p for hit in hits for p in (sorted(hit.rglob("*.csv")) if hit.is_dir() else [hit])]
    if not found:
        raise UsageError(f"there are no result files in {clip(source)!r}", "give a CSV, a folder, or a quoted pattern")
    return found


def load(sources: Sequence[str], texts: Sequence[str] = (), numbers: Sequence[str] = (), pool: str = "") -> Rows:
    """Read all rows of files, folders and patterns; `texts` and `numbers` are columns to read besides.

    With the `pool` ``cpu`` targets of one CPU model are one machine.

    A file that was found in a folder and holds no result rows is passed over, and a note says so; one that was named
    must hold some.

    Raises:
        UsageError: a source names nothing.
        OutputError: a file cannot be read, is broken, or was written by a newer version.
    """
    import pandas as pd

    named = {Path(source) for source in sources}
    groups: dict[bytes, list[tuple[Path, bytes]]] = {}
    empty, other = [], []
    for path in dict.fromkeys(p for source in sources for p in find(source)):
        header, body = _split(path)
        if not header:
            empty.append(path)
        elif not set(header.decode("utf-8", "replace").split(",")) >= REQUIRED:
            if path in named:
                raise OutputError(f"{path} holds no result rows", HINT)
            other.append(path)
        else:
            groups.setdefault(header, []).append((path, body))
    columns = tuple(dict.fromkeys((*TEXTS, *texts))), tuple(dict.fromkeys((*NUMBERS, *numbers)))
    frames = [_parse(header, files, columns) for header, files in groups.items()]
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        raise OutputError(f"there are no rows in {clip(', '.join(sources))}", "nothing was measured there yet")
    frame = frames[0] if len(frames) == 1 else _concat(frames)
    notes = [f"passed over, no result rows: {_names(other)}"] if other else []
    notes += [f"empty: {_names(empty)}"] if empty else []
    versions = sorted(frame["schema_version"].unique())
    if len(versions) > 1:
        notes.append(
            f"rows of schema versions {', '.join(f'{v:g}' for v in versions)}; a missing column counts as empty"
        )
    assert isinstance(frame, pd.DataFrame)
    return Rows(identity.pooled(frame) if pool == "cpu" else frame, tuple(notes))


def _split(path: Path) -> tuple[bytes, bytes]:
    """Return the header and the rest, which ends with a newline unless it is empty."""
    try:
        header, _, body = path.read_bytes().removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror}", HINT) from error
    return header.strip(), body if not body or body.endswith(b"\n") else body + b"\n"


def _parse(header: bytes, files: Sequence[tuple[Path, bytes]], columns: Columns) -> pd.DataFrame:
    # An odd number of quotes in one file would swallow the beginning of the next.
    odd = [path for path, body in files if body.count(b'"') % 2]
    if odd:
        _explain(odd, "a quote is not closed")
    try:
        frame = _frame(header, b"".join(body for _, body in files), columns)
    except ValueError as error:  # pandas.errors.ParserError and UnicodeDecodeError are of this kind
        _explain([path for path, _ in files], str(error))
    rows = [body.count(b"\n") for _, body in files]
    # A job without a name is its file; lines and rows differ only in files that others wrote.
    if (frame["run_id"] == "").any() or sum(rows) != len(frame):
        frame = _concat([_named(_frame(header, body, columns), path) for path, body in files])
    _check(frame, [path for path, _ in files])
    return frame


def _named(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Give rows without a run the file's name for one."""
    run = frame["run_id"].astype(object)
    frame["run_id"] = _categories(run.where(run != "", str(path)).to_numpy(dtype=object))
    return frame


def _clean(name: str, column: pd.Categorical) -> pd.Categorical:
    """Read each distinct text as `file.read` does, in its canonical form; an empty one says the column's default."""
    usual = file.cell(schema.defaults()[name])
    said = [schema.canonical(name, file.text_of(text)) or usual for text in column.categories]
    if said == list(column.categories):
        return column
    return _categories(np.array(said, dtype=object)[column.codes])


def _categories(values: np.ndarray[tuple[int], np.dtype[np.object_]]) -> pd.Categorical:
    import pandas as pd

    codes, categories = pd.factorize(values)
    return pd.Categorical.from_codes(codes, categories=pd.Index(categories, dtype=object))


def _frame(header: bytes, body: bytes, columns: Columns) -> pd.DataFrame:
    import pandas as pd

    there = header.decode().split(",")
    texts, numbers = ([c for c in names if c in there] for names in columns)
    # Not read as categories: pandas would take run 007 and a network named 1e3 for numbers.
    dtype = dict.fromkeys(texts, str) | dict.fromkeys(numbers, "float64")
    frame = pd.read_csv(
        io.BytesIO(header + b"\n" + body),
        usecols=[*texts, *numbers, "schema_version"],
        dtype=dtype | {"schema_version": "float64"},
        keep_default_na=False,
        na_values={name: ["", "nan", "NaN", "NAN"] for name in (*numbers, "schema_version")},
        skip_blank_lines=True,
        index_col=False,  # cells beyond the header are left alone, not taken for an index
    )
    for name in columns[0]:
        values = (
            frame[name].fillna("").to_numpy(dtype=object) if name in there else np.full(len(frame), "", dtype=object)
        )
        frame[name] = _clean(name, _categories(values))
    for name in columns[1]:
        if name not in there:
            frame[name] = math.nan
    return frame


def _check(frame: pd.DataFrame, paths: Sequence[Path]) -> None:
    if frame["schema_version"].isna().any():
        _explain(paths, "a row ends early")
    newest = frame["schema_version"].max()
    if newest > schema.SCHEMA_VERSION:
        _explain(paths, f"rows of schema {newest:g}; this version knows {schema.SCHEMA_VERSION}: upgrade isoflops")
    ok = frame["status"] == "ok"
    latency = frame.loc[ok, "latency_ms"]
    if not ((latency > 0) & (latency < math.inf)).all():
        _explain(paths, "a row is ok and has no latency above zero")


def _explain(paths: Sequence[Path], reason: str) -> NoReturn:
    """Find the file and, if it can be told, the line that does not read; slow, and only done when all is lost."""
    for path in paths:
        for number, row in enumerate(file.read(path), 2):
            if row.schema_version > schema.SCHEMA_VERSION:
                paths = [path]
                break
            usable = row.latency_ms is not None and 0 < row.latency_ms < math.inf
            if row.status not in schema.STATUSES or (row.status == "ok" and not usable):
                raise OutputError(
                    f"{path}, line {number}: status {clip(row.status)!r}, latency_ms {row.latency_ms}", HINT
                )
    names = f"{paths[0]}" if len(paths) == 1 else f"one of {len(paths)} files in {paths[0].parent}"
    raise OutputError(f"{names} does not read: {clip(reason, 160)}", "repair the file or move it away")


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


def _names(paths: Sequence[Path]) -> str:
    shown = ", ".join(clip(str(path), 300) for path in paths[:3])
    return shown if len(paths) <= 3 else f"{shown} and {len(paths) - 3} more"
