"""Buffers for outputs, filled with what no network gives: an output that nobody writes is seen as wrong.

Memory that was just freed often holds the reference itself, so that an empty buffer may look right.
"""

from __future__ import annotations

from itertools import zip_longest

import numpy as np

from bench.artifact.artifact import Artifact
from bench.backends.base import Array


def unwritten(artifact: Artifact, reference: list[Array]) -> list[Array]:
    """Return a buffer for each output, in the artifact's order: NaN, or where there is none the reference inverted.

    A probe has no `reference`: its results are not compared with anything.
    """
    found = []
    for info, wanted in zip_longest(artifact.outputs, reference):
        dtype = np.dtype(info.dtype)
        if dtype.kind == "f":
            found.append(np.full(info.shape, np.nan, dtype))
        elif wanted is None:
            found.append(np.zeros(info.shape, dtype))
        else:
            found.append(np.asarray(np.invert(wanted), dtype, order="C"))
    return found
