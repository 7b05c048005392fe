"""What is under way to a fleet's devices: cases and the artifacts that they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.measure import upload
from bench.measure.bundle import Bundle
from bench.plan.case import Case
from bench.rows.schema import Row

Ended = tuple[Row, list[dict[str, Any]]]  # with its raw samples


@dataclass(eq=False)
class Flight:
    """A case at a device, or on its way; `case` names the device's target, `planned` is the plan's."""

    planned: Case
    losses: int
    case: Case
    device: str
    bundle: Bundle
    future: Any = None


@dataclass(eq=False)
class Delivery:
    """A bundle on its way to a device, and the flights that wait for it."""

    steps: upload.Steps
    waiting: list[Flight]
    future: Any = None


def drop(future: Any) -> None:
    """Cancel a future, if it is one."""
    if future is not None:
        future.cancel(force=True)
