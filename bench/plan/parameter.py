"""A named, typed setting with a default: the hyper-parameters of models and the options of backends."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.base.errors import ParameterError, UnknownName, clip

Value = float | int | bool | str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A setting: its default, and what is offered: `choices`, a closed `range`, texts that match the regular
    expression `pattern`, or any value of the default's type.
    """

    name: str
    default: Value
    choices: tuple[Value, ...] = ()
    range: tuple[float, float] | None = None
    pattern: str = ""
    help: str = ""

    def read(self, text: str, owner: str) -> Value:
        """Turn text into a value of the default's type.

        Raises:
            ParameterError: the text is no such value, or the value is not offered.
        """
        try:
            value = _convert(text, self.default)
        except ValueError:
            kind = type(self.default).__name__
            raise ParameterError(f"{owner}: {self.name}={clip(text)} is not a {kind}", self.offered()) from None
        ok = value in self.choices if self.choices else True
        if self.range is not None and isinstance(value, (int, float)):
            ok = self.range[0] <= value <= self.range[1]
        if self.pattern and isinstance(value, str):
            ok = re.fullmatch(self.pattern, value) is not None
        if not ok:
            raise ParameterError(f"{owner} is not offered with {self.name}={clip(text)}", self.offered())
        return value

    def offered(self) -> str:
        """Say in words which values there are."""
        if self.choices:
            return f"{self.name} is one of {', '.join(show(c) for c in self.choices)}"
        if self.range is not None:
            return f"{self.name} lies between {show(self.range[0])} and {show(self.range[1])}"
        if self.pattern:
            return f"{self.name} matches {self.pattern}, e.g. {show(self.default)}"
        return f"{self.name} is a {type(self.default).__name__}, e.g. {show(self.default)}"

    def shown(self) -> str:
        """Write it the way it is said, its default first: ``tf32=false|true``, ``width=1 (0.1 to 4)``."""
        offered = (False, True) if isinstance(self.default, bool) else self.choices
        others = "".join(f"|{show(value)}" for value in offered if value != self.default)
        within = f" ({show(self.range[0])} to {show(self.range[1])})" if self.range is not None else ""
        matched = f" ({self.pattern})" if self.pattern else ""
        return f"{self.name}={show(self.default) or type(self.default).__name__.upper()}{others}{within or matched}"


def read_all(owner: str, parameters: dict[str, Parameter], given: dict[str, str]) -> dict[str, Value]:
    """Return a value for every parameter: what was given as text, else the default.

    Raises:
        UnknownName: a given key is no parameter.
        ParameterError: a value is not offered.
    """
    values: dict[str, Value] = {p.name: p.default for p in parameters.values()}
    for key, text in given.items():
        if key not in parameters:
            raise UnknownName(f"option of {owner}", key, parameters)
        values[key] = parameters[key].read(text, owner)
    return values


def show(value: Value) -> str:
    """Write a value the way a spec does: ``true``, ``0.5``, ``1``."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _convert(text: str, like: Value) -> Value:
    if isinstance(like, bool):
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ValueError(text)
        return text.lower() in ("true", "1", "yes")
    if isinstance(like, int):
        return int(text)
    if isinstance(like, float):
        return float(text)
    return text
