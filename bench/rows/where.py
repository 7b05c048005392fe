"""Filters: ``family=mobilenetv2``, ``backend!=torch``, ``macs<300M``, ``model~width``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.base.errors import UsageError, clip
from bench.rows.fields import Field, find

if TYPE_CHECKING:
    import pandas as pd

HINT = "write KEY=VALUE, !=, ~ (contains), <, <=, > or >=, e.g. family=mobilenetv2 or 'macs<300M'"
_FILTER = re.compile(r"\s*([A-Za-z_0-9]+)\s*(<=|>=|!=|=|<|>|~)\s*(.*?)\s*", re.DOTALL)
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?) ?([kMG%]?)")
_UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "%": 0.01}
_COMPARE = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge
}  # fmt: skip
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Filter:
    """One condition on a row."""

    field: Field
    sign: str
    value: str

    def mask(self, frame: pd.DataFrame) -> Mask:
        """Return which rows it holds for; where a number is missing, ``!=`` alone holds, and ``=`` nothing."""
        if self.field.number:
            values, limit = self.field.numbers(frame), _limit(self.value)
            if not self.value:
                return np.asarray(np.isnan(values) == (self.sign == "="), dtype=bool)
            return np.asarray(_COMPARE[self.sign](values, limit), dtype=bool)
        codes, texts = self.field.texts(frame)
        return np.array([self._holds(text) for text in texts], dtype=bool).take(codes)

    def _holds(self, text: str) -> bool:
        if self.sign == "~":
            return self.value.lower() in text.lower()
        if self.sign in ("=", "!="):
            same = text == self.value or fnmatchcase(text, self.value)
            return same == (self.sign == "=")
        return bool(_COMPARE[self.sign](text, self.value))  # dates, versions


def parse(texts: Sequence[str]) -> list[Filter]:
    """Read filters.

    Raises:
        UsageError: a text is no filter, or asks of a number what only a text has, or the other way round.
        UnknownName: there is no such column.
    """
    return [_parse(text) for text in texts]


def _parse(text: str) -> Filter:
    found = _FILTER.fullmatch(text)
    if found is None:
        raise UsageError(f"--where {clip(text)!r} is no filter", HINT)
    field = find(found[1])
    value = found[3]
    if field.name == "family":
        from bench.plan.zoo import names

        value = names().get(value, value)
    if field.number:
        if found[2] == "~":
            raise UsageError(f"--where {clip(text)!r}: {field.name} is a number", HINT)
        if math.isnan(_limit(value)) and not (value == "" and found[2] in ("=", "!=")):
            raise UsageError(f"--where {clip(text)!r}: {clip(value)!r} is no number", "write e.g. 'macs<300M' or 2%")
    return Filter(field, found[2], value)


def matching(frame: pd.DataFrame, filters: Sequence[Filter]) -> Mask:
    """Return which rows all conditions hold for; several ``=`` on one column are alternatives."""
    either: dict[str, Mask] = {}
    mask = np.ones(len(frame), dtype=bool)
    for one in filters:
        found = one.mask(frame)
        if one.sign == "=":
            either[one.field.name] = either.get(one.field.name, np.zeros(len(frame), dtype=bool)) | found
        else:
            mask &= found
    for found in either.values():
        mask &= found
    return mask


def _limit(text: str) -> float:
    found = _NUMBER.fullmatch(text)
    return float(found[1]) * _UNITS[found[2]] if found else math.nan
