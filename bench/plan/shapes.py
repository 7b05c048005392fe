"""Shapes of inputs as a person writes them: ``--shape name=1x3x224x224``, or ``--shape ids=1x16:int64`` with a type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from bench.base.errors import ParameterError, clip

# Name and dimensions, and the type where it was given: two or three parts, so that shapes without types, and the ids
# of cases that have them, are what they were before there were types.
Shape = tuple[str, tuple[int, ...]] | tuple[str, tuple[int, ...], str]
Shapes = tuple[Shape, ...]

EXAMPLE = "write --shape NAME=1x3x224x224 or NAME=1x16:int64, once for each input"
LONGEST_AXIS = 2**31 - 1
TYPES = ("float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
_FORM = re.compile(r"([0-9]{1,10}(?:x[0-9]{1,10})*)(?::(\w+))?", re.ASCII)


def parse(texts: Iterable[str]) -> Shapes:
    """Read ``name=1x3x224x224`` texts; return name, dimensions and perhaps a type, by name: the order is no matter.

    The name ends at the last ``=``: names of inputs may hold nearly anything.

    Raises:
        ParameterError: a text is no such shape, or names an input that another names too.
    """
    shapes: dict[str, Shape] = {}
    for text in texts:
        name, _, told = text.rpartition("=")
        found = _FORM.fullmatch(told)
        if not name or found is None:
            raise ParameterError(f"--shape {clip(text)!r} is not a shape", EXAMPLE)
        sides = tuple(int(side) for side in found[1].split("x"))
        if not all(side <= LONGEST_AXIS for side in sides):
            raise ParameterError(f"--shape {clip(text)!r}: an axis has 0 to {LONGEST_AXIS} elements", EXAMPLE)
        if found[2] is not None and found[2] not in TYPES:
            raise ParameterError(
                f"--shape {clip(text)!r}: there is no type {clip(found[2])}", f"e.g. {', '.join(TYPES)}"
            )
        if name in shapes:
            raise ParameterError(f"--shape gives the input {clip(name)!r} twice", "keep one of the two")
        shapes[name] = (name, sides) if found[2] is None else (name, sides, found[2])
    return tuple(shapes[name] for name in sorted(shapes))


def show(shapes: Shapes) -> str:
    """Write shapes as they are given: ``ids=1x128:int64 mask=1x128``."""
    return " ".join(f"{shape[0]}={'x'.join(map(str, shape[1]))}{_type(shape)}" for shape in shapes)


def of(given: Mapping[str, Sequence[int] | str]) -> Shapes:
    """Return the shapes that Python code gives by name: ``(1, 3, 224, 224)``, or the text ``1x16:int64``.

    Raises:
        ParameterError: one is neither.
    """
    texts = []
    for name, told in given.items():
        if not isinstance(told, Iterable):
            raise ParameterError(
                f"the shape {clip(repr(told))} of {clip(str(name))} is none", 'write (1, 3, 224, 224) or "1x16:int64"'
            )
        texts.append(f"{name}={told if isinstance(told, str) else 'x'.join(map(str, told))}")
    return parse(texts)


def sides(shapes: Iterable[Sequence[object]]) -> dict[str, tuple[int, ...]]:
    """Return the dimensions by name; of shapes that travelled as JSON, too."""
    return {str(shape[0]): tuple(shape[1]) for shape in shapes}  # type: ignore[arg-type]


def types(shapes: Iterable[Sequence[object]]) -> dict[str, str]:
    """Return the types by name, of those that were given one."""
    return {str(shape[0]): str(shape[2]) for shape in shapes if len(shape) > 2}


def _type(shape: Shape) -> str:
    return f":{shape[2]}" if len(shape) > 2 else ""
