"""A finding: a published claim, the experiments that test it here, and the effect that was published."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict, Unpack

from bench.findings.side import Side
from bench.papers.claims import Claim

# What an experiment measures or counts.
TIME = "latency"
COUNTS = ("macs", "params", "memory access", "pointwise share of macs", "pointwise share of params")
SHARE = "convolution's share of the latency"
QUANTITIES = (TIME, *COUNTS, SHARE)


@dataclass(frozen=True, slots=True)
class Experiment:
    """Two sides that differ in what the claim is about; the effect is B's quantity over A's.

    `published` is the same ratio from the paper (for speeds, A's over B's); None where the paper gives a direction
    only, then `direction` is +1 (B is larger) or -1. `per_mac` divides each side's latency by its multiply-adds.
    `equals` asks whether the published figure is met within the factor `within`; without it the question is whether
    there is such an effect at all. A share has one side, `a`. `device` names what the published figure was measured
    on; `channels` is "paper" or "aligned" where an experiment is done twice, "both" where the paper's are aligned.
    """

    name: str
    a: Side
    b: Side | None
    published: float | None
    device: str = ""
    direction: int = 0
    per_mac: bool = False
    equals: bool = False
    within: float = 1.05
    quantity: str = TIME
    channels: str = ""
    quick: bool = False

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise ValueError(f"{self.name}: quantity {self.quantity!r}")
        if (self.published is None) == (self.direction == 0):
            raise ValueError(f"{self.name}: either a published effect or a direction")
        if self.equals and self.published is None:
            raise ValueError(f"{self.name}: equals what?")

    @property
    def sides(self) -> tuple[Side, ...]:
        """Both sides, or the only one."""
        return (self.a,) if self.b is None else (self.a, self.b)

    @property
    def log_published(self) -> float | None:
        """The published effect on the log scale."""
        return None if self.published is None else math.log(self.published)


class More(TypedDict, total=False):
    """What else may be said of an experiment: its fields of these names."""

    per_mac: bool
    equals: bool
    within: float
    channels: str
    quick: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim with its experiments, the one that speaks for it first. Without any, `reason` says why."""

    id: str
    claim: str
    source: str
    paper: str
    experiments: tuple[Experiment, ...] = ()
    reason: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if bool(self.experiments) == bool(self.reason):
            raise ValueError(f"{self.id}: either experiments or a reason why there are none")
        if len({e.name for e in self.experiments}) != len(self.experiments):
            raise ValueError(f"{self.id}: two experiments have one name")

    @property
    def runnable(self) -> bool:
        """Whether there is anything to run."""
        return bool(self.experiments)


def of(claim: Claim, *experiments: Experiment, reason: str = "", note: str = "") -> Finding:
    """Make the finding of a claim."""
    source = ", ".join(part for part in (claim.paper, claim.location) if part)
    return Finding(claim.id, claim.claim, source, claim.paper, experiments, reason, note)


def slower(
    a: str | Side, b: str | Side, published: float, device: str = "", name: str = "", **more: Unpack[More]
) -> Experiment:
    """Make the experiment "B takes `published` times A's latency"."""
    left, right = (side if isinstance(side, Side) else Side(side) for side in (a, b))
    return Experiment(name or f"{right} against {left}", left, right, published, device, **more)


def direction(a: str | Side, b: str | Side, sign: int, name: str = "", **more: Unpack[More]) -> Experiment:
    """Make the experiment "B is slower" (+1) or "B is faster" (-1) than A, where no figure is published."""
    left, right = (side if isinstance(side, Side) else Side(side) for side in (a, b))
    return Experiment(name or f"{right} against {left}", left, right, None, direction=sign, **more)


def counted(
    a: str | Side, b: str | Side, quantity: str, published: float, within: float = 1.05, name: str = ""
) -> Experiment:
    """Make the experiment "B has `published` times as many as A", which is counted and not measured."""
    left, right = (side if isinstance(side, Side) else Side(side) for side in (a, b))
    name = name or f"{quantity}: {right} against {left}"
    return Experiment(name, left, right, published, equals=True, within=within, quantity=quantity)


def share(
    a: str | Side, quantity: str, published: float, device: str = "", name: str = "", **more: Unpack[More]
) -> Experiment:
    """Make the experiment "`quantity` of A is `published`"."""
    side = a if isinstance(a, Side) else Side(a)
    return Experiment(name or f"{quantity}: {side}", side, None, published, device, quantity=quantity, **more)
