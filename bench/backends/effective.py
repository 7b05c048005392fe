"""What really runs, as it is read back from a runtime: where, in which precision, on how many threads; the graph."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Placement:
    """How much ran on the device that was asked for, as the runtime tells it after it has run.

    `operators` and `macs` are shares from 0 to 1 (`macs` is None where no MAC is known); `elsewhere` says of some of
    the rest what ran where. A row whose shares are not 1 is ``downgraded``; where the `device` is a delegate, which
    leaves to its runtime what it does not take, on the same processor, it stands unless all of it was required.
    """

    device: str
    operators: float
    macs: float | None = None
    elsewhere: tuple[str, ...] = ()
    delegate: bool = False

    @classmethod
    def of(cls, device: str, operators: list[Operator]) -> Placement:
        """Add up a graph whose operators say where they ran."""
        here = [op for op in operators if op.device == device]
        counted = sum(op.macs or 0 for op in operators)
        others = dict.fromkeys(f"{op.kind} on {op.device or 'an unknown device'}" for op in operators if op not in here)
        return cls(
            device,
            len(here) / len(operators) if operators else 0.0,
            sum(op.macs or 0 for op in here) / counted if counted else None,
            tuple(others)[:5],
        )

    @classmethod
    def only(cls, device: str) -> Placement:
        """Say that there is no other place: for a runtime that has one device and no way to leave it."""
        return cls(device, 1.0, 1.0)

    def fault(self) -> str:
        """Say in a line what did not run on the device; nothing if all did."""
        if self.operators >= 1.0 and (self.macs is None or self.macs >= 1.0):
            return ""
        macs = "" if self.macs is None else f" and {self.macs:.1%} of the MACs"
        rest = f" (elsewhere: {', '.join(self.elsewhere)})" if self.elsewhere else ""
        return f"only {self.operators:.1%} of the operators{macs} ran on {self.device}{rest}"


@dataclass(frozen=True, slots=True)
class Effective:
    """What really runs, as read back from the runtime and not from what was asked of it.

    `device` is ``cpu``, or the name of another device. `precision` is a key of `PARITY_TOLERANCE`, or ``unknown``
    where nothing tells. `threads` counts the threads that compute, of each of the `streams` where several inferences
    run at once, None where nothing tells. `settings` holds every property the runtime would tell. `unmet` says in a
    phrase each what was asked for and did not take effect: the row is ``downgraded``; `remarks` what a reader must
    know of a row that stands. `macs` are those that ran by precision, and `between` the operators that only quantise or
    dequantise: from a runtime that tells both without telling its graph.
    """

    version: str
    device: str
    precision: str
    threads: int | None
    placement: Placement
    settings: dict[str, object] = field(default_factory=dict)
    unmet: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    streams: int | None = None
    macs: dict[str, int] | None = None
    between: int | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of the graph that the runtime really runs, after its fusions.

    `macs` are those of its true shapes, `padded_macs` those it computes in its padded layout; None where the
    operator has none or the runtime does not tell. `opaque` marks an operator that may hide multiply-accumulates: with
    one in the graph nobody knows how many ran (`bench.backends.ran.settle`).
    `device` is where it ran, where the runtime tells. `needed` says that an output depends on it: some runtimes compute
    what nobody asks for.
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
    device: str = ""
    needed: bool = True
