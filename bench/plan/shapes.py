"""Shapes of inputs as a person writes them: ``--shape name=1x3x224x224``, for ONNX files with dynamic axes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bench.base.errors import ParameterError, clip

Shapes = tuple[tuple[str, tuple[int, ...]], ...]

EXAMPLE = "write --shape NAME=1x3x224x224, once for each input"
LONGEST_AXIS = 2**31 - 1


def parse(texts: Iterable[str]) -> Shapes:
    """Read ``name=1x3x224x224`` texts; return pairs of name and dimensions, by name, so that the order is no matter.

    The name ends at the last ``=``: names of inputs may hold nearly anything.

    Raises:
        ParameterError: a text is no such shape, or names an input that another names too.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, dims = text.rpartition("=")
        if not name or not re.fullmatch(r"[0-9]{1,10}(x[0-9]{1,10})*", dims, re.ASCII):
            raise ParameterError(f"--shape {clip(text)!r} is not a shape", EXAMPLE)
        sides = tuple(int(side) for side in dims.split("x"))
        if not all(side <= LONGEST_AXIS for side in sides):
            raise ParameterError(f"--shape {clip(text)!r}: an axis has 0 to {LONGEST_AXIS} elements", EXAMPLE)
        if name in shapes:
            raise ParameterError(f"--shape gives the input {clip(name)!r} twice", "keep one of the two")
        shapes[name] = sides
    return tuple(sorted(shapes.items()))


def show(shapes: Shapes) -> str:
    """Write shapes as they are given: ``ids=1x128 mask=1x128``."""
    return " ".join(f"{name}={'x'.join(map(str, dims))}" for name, dims in shapes)
