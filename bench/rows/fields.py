"""What rows are sorted, grouped and filtered by: the columns of the schema, short names, and what follows from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.base.errors import BenchError, UnknownName
from bench.rows import schema as records
from bench.rows.frame import NUMBERS, TEXTS

if TYPE_CHECKING:
    import pandas as pd

ALIASES = {
    "latency": "latency_ms", "efficiency": "gmacs_per_s", "peak": "attainable_share", "floor": "floor_ms",
    "name": "model", "version": "backend_version",
}  # fmt: skip
DERIVED = {"family": ("model",), "interval": (), "day": ("started_at",)}
_DIGITS = re.compile(r"(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Field:
    """A column of the schema, or one derived from some; whether it holds numbers."""

    name: str
    number: bool

    @property
    def groups(self) -> bool:
        """Whether rows can be grouped by it: it has few values."""
        return not self.number or self.name in TEXTS

    def texts(self, frame: pd.DataFrame) -> tuple[NDArray[np.integer[Any]], list[str]]:
        """Return a code per row and the text of each code: there are far fewer texts than rows."""
        column = frame[DERIVED.get(self.name, (self.name,))[0]]
        codes, categories = column.cat.codes.to_numpy(), [str(text) for text in column.cat.categories]
        derive = _DERIVE.get(self.name)
        return codes, categories if derive is None else [derive(text) for text in categories]

    def numbers(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return a number per row, NaN where there is none."""
        if self.name == "interval":
            half = (frame["latency_hi_ms"] - frame["latency_lo_ms"]) / 2 / frame["latency_ms"]
            of_rate = (frame["throughput_hi"] - frame["throughput_lo"]) / 2 / frame["throughput"]
            return np.asarray(half.where(frame["mode"] != "throughput", of_rate), dtype=float)
        if self.name in TEXTS:  # threads, batch and resolution, which name a case
            codes, categories = self.texts(frame)
            return np.array([_number(text) for text in categories], dtype=float).take(codes)
        return frame[self.name].to_numpy(dtype=float)

    def rank(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return a number per row that puts rows in order; texts in the order that a person expects (2 before 10)."""
        if self.number:
            return self.numbers(frame)
        codes, categories = self.texts(frame)
        key = None if self.name == "started_at" else natural
        order = {text: i for i, text in enumerate(sorted(set(categories), key=key))}
        return np.array([order[text] for text in categories], dtype=float).take(codes)


def find(name: str) -> Field:
    """Look a field up by its column, its short name, or the name of what is derived.

    Raises:
        UnknownName: there is none.
    """
    kinds = _kinds()
    known = ALIASES.get(name, name)
    if known not in kinds:
        raise UnknownName("column", name, [*kinds, *ALIASES], "bench list columns")
    return Field(known, kinds[known])


def to_load(fields: Iterable[Field]) -> tuple[list[str], list[str]]:
    """Return the columns, texts and numbers, that are needed and not read anyhow."""
    wanted = dict.fromkeys(c for f in fields for c in DERIVED.get(f.name, (f.name,)))
    kinds = _kinds()
    texts = [c for c in wanted if c not in TEXTS and not kinds[c]]
    return texts, [c for c in wanted if c not in (*NUMBERS, *TEXTS) and kinds[c]]


@cache
def family(model: str) -> str:
    """Return the family of a network of the zoo, else the name before its settings: a file's, or a library's."""
    from bench.plan import zoo
    from bench.plan.spec import parse

    try:
        spec = parse(model)
    except BenchError:
        return model
    return zoo.names().get(spec.name, spec.name.rsplit("/", 1)[-1])


_DERIVE: dict[str, Callable[[str], str]] = {"family": family, "day": lambda started_at: started_at[:10]}


def natural(text: str) -> list[tuple[bool, float, str]]:
    """Return a key by which numbers within texts count as numbers."""
    parts = _DIGITS.split(text.lower())
    return [(False, float(part), "") if i % 2 else (True, 0.0, part) for i, part in enumerate(parts) if part]


@cache
def _kinds() -> dict[str, bool]:
    """Return every field's name, and whether it holds numbers."""
    columns = {r["column"]: r["type"] in ("int", "float") for r in records.schema()}
    return columns | {"family": False, "interval": True, "day": False}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
