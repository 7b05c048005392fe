"""A probe as a backend sees it: an artifact whose inputs are made up when it is loaded, and that has no reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.artifact.artifact import Array, Artifact, TensorInfo


@dataclass(frozen=True)
class Probe(Artifact):
    """An ONNX file of one or a few operators. Its results are not compared with anything: only its time counts."""

    def reference(self) -> tuple[list[Array], list[Array]]:
        """Return inputs in the range where every operator is defined and no product underflows, and no outputs."""
        return [fill(info) for info in self.inputs], []


def fill(info: TensorInfo) -> Array:
    """Make up a tensor: numbers from 0.5 to 1, ones where the type is no float. Every page of it is written."""
    if np.dtype(info.dtype).kind != "f":
        return np.ones(info.shape, info.dtype)
    size = int(np.prod(info.shape, dtype=np.int64))
    flat = np.empty(size, info.dtype)
    step = 1 << 16
    pattern = np.linspace(0.5, 1.0, step, dtype=info.dtype)
    for at in range(0, size, step):
        flat[at : at + step] = pattern[: size - at]
    return flat.reshape(info.shape)
