"""What Python code gives to ``import bench``, checked: what is no text, number, shape or data is told in a line."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.base.errors import ParameterError, clip

if TYPE_CHECKING:
    from bench.plan.given import Given
    from bench.plan.shapes import Shapes as Sides

Text = str | PathLike[str]
Shapes = Mapping[str, Sequence[int] | str]
Data = PathLike[str] | str | Mapping[str, Any]


def text(name: str, given: Text, example: str) -> str:
    """Return a text, or the text of a path.

    Raises:
        ParameterError: it is none; the hint gives `example`, as is so of every function here.
    """
    if not isinstance(given, str | PathLike):
        raise _refusal(name, given, "text", example)
    return str(fspath(given))


def texts(name: str, given: Text | Sequence[Text], example: str) -> list[str]:
    """Return one text or several as a list; ParameterError where one is none."""
    return [text(name, one, example) for one in _several(given)]


def path(name: str, given: Text | None, example: str) -> Path | None:
    """Return a path, None for none; ParameterError where it is something else."""
    return None if given is None else Path(text(name, given, example))


def numbers(name: str, given: int | Sequence[int]) -> list[int]:
    """Return one whole number or several, of whatever type, as a list; ParameterError where one is none."""
    return [number(name, one) for one in _several(given)]


def number(name: str, given: int) -> int:
    """Return a whole number, NumPy's, too, as Python's; ParameterError where it is none."""
    try:
        if not isinstance(given, bool):
            return operator.index(given)
    except TypeError:
        pass
    raise _refusal(name, given, "whole number", "2")


def amounts(**values: float | None) -> dict[str, Any]:
    """Return what was given of a protocol: numbers of seconds, and whole numbers within `bench.plan.protocol.WHOLE`.

    Raises:
        ParameterError: one is no such number.
    """
    from bench.plan.protocol import MOST_S, WHOLE

    given = {name: value for name, value in values.items() if value is not None}
    for name, value in given.items():
        if name not in WHOLE and not (isinstance(value, int | float) and 0 < value <= MOST_S):
            raise ParameterError(
                f"{name.removesuffix('_s')} {clip(str(value))} is no number of seconds above 0, at most {MOST_S:g}",
                "e.g. 60",
            )
        if name in WHOLE and not (isinstance(value, int) and WHOLE[name][0] <= value <= WHOLE[name][1]):
            least, most = WHOLE[name]
            raise ParameterError(
                f"{name} {clip(str(value))} is no whole number from {least} to {most}", f"e.g. {name}={max(least, 5)}"
            )
    return given


def shapes(given: Shapes | None) -> Sides:
    """Return shapes by name of input; ParameterError where they are none."""
    from bench.plan import shapes

    if given is not None and not isinstance(given, Mapping):
        raise _refusal("shapes", given, "dict of shapes by name of input", '{"x": (1, 3, 224, 224)}')
    return shapes.of(given or {})


def data(given: Data | None) -> Given | None:
    """Find data; arrays become a file in the cache, by the hash of what is in them.

    Raises:
        ParameterError: it is neither a path nor a dict.
        ArtifactError: it is not there, or holds no numbers.
    """
    from bench.plan import given as kept

    if given is None:
        return None
    if isinstance(given, Mapping):
        return kept.read(str(kept.kept(given)))
    if not isinstance(given, str | PathLike):
        raise _refusal("input", given, "path, nor a dict of arrays by name of input", '"data.npz", or {"x": array}')
    return kept.read(str(fspath(given)))


def network(batch: int, resolution: int | None, sides: Shapes | None, input: Data | None) -> dict[str, Any]:
    """Return what the arguments say of a network: fields of `bench.plan.case.Network`."""
    side = None if resolution is None else number("resolution", resolution)
    return {"batch": number("batch", batch), "resolution": side, "shapes": shapes(sides), "input": data(input)}


def _several(given: Any) -> list[Any]:
    return [given] if isinstance(given, str | bytes) or not isinstance(given, Iterable) else list(given)


def _refusal(name: str, given: object, kind: str, example: str) -> ParameterError:
    return ParameterError(f"{name}={clip(repr(given))} is no {kind}", f"write {name}={example}")
