"""Result rows as Python and a notebook see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

from bench.api import html
from bench.base.errors import PANDAS, needs
from bench.base.words import counted

if TYPE_CHECKING:
    import pandas as pd

    from bench.rows.schema import Row


@dataclass(frozen=True, repr=False)
class Results(Sequence["Row"]):
    """Rows, one for each case, in the order in which they were asked for or lie in their files.

    A row's fields are the columns of ``docs/schema.md``: ``row.latency_ms``, ``row.status`` and so on, None where
    nothing is known. Only rows whose status is ``ok`` should be quoted. `path` is the CSV that has them; None if they
    were kept nowhere or come from several files. `notes` name what was no row when they were read.
    """

    rows: tuple[Row, ...]
    path: Path | None = None
    notes: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: int | slice) -> Row | Results:
        """Return one row, or some of them as `Results`."""
        return Results(self.rows[index], self.path) if isinstance(index, slice) else self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @property
    def ok(self) -> Results:
        """The rows that should be quoted, which are right and have an interval for another run within ±10%."""
        return Results(tuple(row for row in self.rows if row.status == "ok"), self.path)

    def frame(self) -> pd.DataFrame:
        """Return a data frame with a line per row and all columns of ``docs/schema.md``, in its units.

        Times are in milliseconds. Numbers that are not known are missing (NaN, NA), not zero.
        """
        needs(*PANDAS)
        import pandas as pd

        from bench.rows import schema

        kinds = {"int": "Int64", "float": "float64", "bool": "boolean"}
        columns = {}
        for column in schema.schema():
            name = column["column"]
            values = [getattr(row, name) for row in self.rows]
            columns[name] = pd.Series(values, dtype=kinds.get(column["type"], "object"))
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        rows = ["  " + "  ".join(cells) for cells in self._cells(self.rows[:20], self._rates())]
        return "\n".join([counted(len(self), "row"), *rows, *self.notes])

    def _repr_html_(self) -> str:
        from bench.rows.reasons import reasons

        rate = ("samples/s [95%]",) if self._rates() else ()
        heads = ("model", "backend", "threads", "input", "M MACs", "latency ms [95%]", *rate, "status")
        return html.table(heads, self._cells(self.rows, self._rates()), [*reasons(self.rows)[:20], *self.notes])

    def _rates(self) -> bool:
        """Tell whether there is a row of mode throughput."""
        return any(row.mode == "throughput" for row in self.rows)

    @staticmethod
    def _cells(rows: Sequence[Row], rates: bool) -> list[tuple[str, ...]]:
        from bench.base.escape import clip
        from bench.rows import identity

        return [
            (
                clip(row.model, 300),
                clip(row.backend, 300),
                str(row.threads or "–"),
                identity.size(row.batch, row.resolution),
                html.scaled(row.macs, 1e-6),
                html.interval(row.latency_ms, row.latency_lo_ms, row.latency_hi_ms),
                *([html.interval(row.throughput, row.throughput_lo, row.throughput_hi, 1)] if rates else []),
                row.status,
            )
            for row in rows
        ]


def read(source: str | Path) -> Results:
    """Read the rows of a CSV, of all in a folder (with all below it), or of a pattern.

    What is no row is left out, and `notes` of the result names file, line and reason; so is a file that was found in a
    folder and holds no result rows. One that was named must hold some.

    Raises:
        UsageError: there is no such file.
        OutputError: a named file cannot be read, or holds no rows.
    """
    from bench.base.errors import OutputError
    from bench.rows import file, table

    rows: list[Row] = []
    kept: list[Path] = []
    notes: list[str] = []
    for path in table.find(str(source)):
        try:
            before = len(notes)
            found = file.read(path, notes.append)
            if not found and len(notes) == before:
                notes.append(f"passed over: {path} has no rows below its header")
            rows += found
        except OutputError as error:
            if path == Path(source):
                raise
            notes.append(f"passed over: {error.message}")
            continue
        kept.append(path)
    return Results(tuple(rows), kept[0] if len(kept) == 1 else None, tuple(notes))
