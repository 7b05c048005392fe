"""The contract of a backend. A third party's backend implements it and names itself in ``bench.backends``.

A backend module is imported by the parent too (to check options), so it imports its runtime only inside methods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.artifact.artifact import Artifact
from bench.plan.case import Settings
from bench.plan.parameter import Parameter, Value

Array = NDArray[Any]

# Relative L2 error against the reference above which a row says `mismatch`, by the precision that ran. fp32 leaves
# room for another summation order over the deepest networks; the others are a few times their unit round-off, which
# is what a network of fifty layers was measured to accumulate.
PARITY_TOLERANCE = {"fp32": 1e-4, "tf32": 5e-3, "fp16": 2e-2, "bf16": 1e-1, "int8": 5e-1}


@dataclass(frozen=True, slots=True)
class Effective:
    """What really runs, as read back from the runtime and not from what was asked of it.

    `threads` counts the threads that compute; `settings` holds every property the runtime would tell.
    """

    version: str
    device: str
    precision: str
    threads: int
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of the graph that the runtime really runs, after its fusions.

    `macs` are those of its true shapes, `padded_macs` those it computes in its padded layout; None where the
    operator has none or the runtime does not tell. `opaque` marks an operator that may hide multiply-accumulates.
    """

    name: str
    kind: str
    macs: int | None = None
    padded_macs: int | None = None
    precision: str = ""
    layout: str = ""
    implementation: str = ""
    shapes: tuple[tuple[int, ...], ...] = ()
    opaque: bool = False


class Session(Protocol):
    """A network loaded into a runtime, with its buffers allocated and filled with the artifact's reference input."""

    def infer(self) -> None:
        """Run one synchronous inference on the buffers, and nothing else: this is the timed region."""

    def outputs(self) -> list[Array]:
        """Return the outputs of the last inference, in the artifact's order."""

    def effective(self) -> Effective:
        """Read back what runs. May be slow: it is called once, after the measuring."""

    def operators(self) -> list[Operator]:
        """Return the runtime's own fused graph in order of execution. May be slow, as `effective`."""

    def close(self) -> None:
        """Let go of everything."""


class Backend(Protocol):
    """A runtime.

    `modules` are what it imports, `extra` is the extra of ``isoflops`` that installs them.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    modules: ClassVar[tuple[str, ...]]
    extra: ClassVar[str]
    parameters: ClassVar[dict[str, Parameter]]

    def import_runtime(self) -> None:
        """Import the runtime; timed as ``import_ms``."""

    def load(self, artifact: Artifact, settings: Settings, options: dict[str, Value]) -> Session:
        """Load and compile the artifact; timed as ``load_ms``.

        Raises:
            bench.base.errors.Unsupported: this backend cannot run this model or these options.
        """


def parameters(*rows: Parameter) -> dict[str, Parameter]:
    """Index parameters by name."""
    return {row.name: row for row in rows}


def device_clock(session: Session) -> Callable[[], int] | None:
    """Return the session's own clock for the last inference in ns (CUDA events), or None where the host's counts."""
    clock: Callable[[], int] | None = getattr(session, "device_ns", None)
    return clock


def relative_l2(outputs: list[Array], reference: list[Array]) -> float:
    """Return ``||y - r|| / ||r||`` over all outputs together; NaN counts as infinitely wrong."""
    if [y.shape for y in outputs] != [r.shape for r in reference]:
        return float("inf")
    difference = sum(
        float(np.sum(np.square(y.astype(np.float64) - r))) for y, r in zip(outputs, reference, strict=True)
    )
    norm = sum(float(np.sum(np.square(r.astype(np.float64)))) for r in reference)
    if not np.isfinite(difference):
        return float("inf")
    return float(np.sqrt(difference / norm)) if norm else float(np.sqrt(difference))


def top1_agrees(outputs: list[Array], reference: list[Array]) -> bool:
    """Tell whether the first output picks the same class as the reference for every element of the batch."""
    y, r = outputs[0], reference[0]
    if not (y.size and r.size):
        return y.shape == r.shape
    return y.shape == r.shape and bool(np.array_equal(y.argmax(axis=-1), r.argmax(axis=-1)))
