"""A finding: a published claim, the experiments that test it here, and the effect that was published."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypedDict, Unpack

from bench.base.words import plural
from bench.findings.side import Side
from bench.papers.claims import Claim
from bench.papers.figures import half_unit

# What an experiment measures or counts.
TIME = "latency"
COUNTS = ("macs", "params", "memory access", "pointwise share of macs", "pointwise share of params")
SHARE = "convolution's share of the latency"
SHARES = (SHARE, *(name for name in COUNTS if "share" in name))
QUANTITIES = (TIME, *COUNTS, SHARE)
# Where the figure comes from that an effect is held against: printed as it is, arithmetic on printed figures, read off
# a plot, or the answer that would be expected if MACs told the time, which nobody has published.
PRINTED, DERIVED, FIGURE, OURS = "printed", "derived", "figure", "ours"
ORIGINS = (PRINTED, DERIVED, FIGURE, OURS)


@dataclass(frozen=True, slots=True)
class Experiment:
    """Two sides that differ in what the claim is about; the effect is B's quantity over A's.

    `published` is the same ratio from the paper (for speeds, A's over B's); None where the paper gives a direction
    only, then `direction` is +1 (B is larger) or -1. `per_mac` divides each side's latency by its multiply-adds.
    `equals` asks whether the published figure is met within the factor `within` (a share: within so many points);
    without it the question is whether there is such an effect at all. A share has one side, `a`. `device` names what
    the published figure was measured on; `channels` is "paper" or "aligned" where an experiment is done twice, "both"
    where the paper's are aligned. `quick` and `core` put it into those suites. `blur` is how far rounding to the
    printed digits may have moved the log of the published effect. With `split` both networks are profiled, too, where a
    runtime can, to tell what their difference is spent on.
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
    core: bool = False
    origin: str = DERIVED
    blur: float = 0.0
    split: bool = False

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise ValueError(f"{self.name}: quantity {self.quantity!r}")
        if self.origin not in ORIGINS:
            raise ValueError(f"{self.name}: origin {self.origin!r}")
        if (self.published is None) == (self.direction == 0):
            raise ValueError(f"{self.name}: either a published effect or a direction")
        if self.equals and self.published is None:
            raise ValueError(f"{self.name}: equals what?")
        if self.origin == OURS and not (self.equals and self.published == 1.0):
            raise ValueError(f"{self.name}: what nobody published is 1 if MACs tell the time")

    @property
    def sides(self) -> tuple[Side, ...]:
        """Both sides, or the only one."""
        return (self.a,) if self.b is None else (self.a, self.b)

    def on(self, threads: int) -> Experiment:
        """Return it on so many threads, which its name tells."""
        sides = [None if side is None else replace(side, threads=threads) for side in (self.a, self.b)]
        assert sides[0] is not None
        name = f"{self.name}, {threads} {plural('thread', threads)}"
        return replace(self, name=name, a=sides[0], b=sides[1], quick=False, core=False, split=False)

    @property
    def varied(self) -> bool:
        """Whether it varies the paper's own experiment: aligned channels, larger feature maps, more threads."""
        stacks = [side for side in self.sides if side.model.startswith("stack/")]
        return self.channels == "aligned" or any(side.resolution or side.threads != 1 for side in stacks)

    @property
    def log_published(self) -> float | None:
        """The figure it is held against, on the log scale."""
        return None if self.published is None else math.log(self.published)

    @property
    def printed(self) -> float | None:
        """The published effect; None where nobody published one."""
        return None if self.origin == OURS else self.published


class More(TypedDict, total=False):
    """What else may be said of an experiment: its fields of these names."""

    per_mac: bool
    equals: bool
    within: float
    channels: str
    quick: bool
    core: bool
    origin: str
    blur: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim with its experiments. Without any, `reason` says why.

    `headline` names the experiment that speaks for it: the paper's own, chosen before anything was measured.
    """

    id: str
    claim: str
    source: str
    paper: str
    experiments: tuple[Experiment, ...] = ()
    reason: str = ""
    note: str = ""
    headline: str = ""

    def __post_init__(self) -> None:
        if bool(self.experiments) == bool(self.reason):
            raise ValueError(f"{self.id}: either experiments or a reason")
        if self.experiments and self.spokesman is None:
            raise ValueError(f"{self.id}: no experiment is called {self.headline!r}")

    @property
    def runnable(self) -> bool:
        """Whether there is an experiment."""
        return bool(self.experiments)

    @property
    def spokesman(self) -> Experiment | None:
        """The experiment that speaks for it: the headline, or the first where none is named."""
        if not self.headline:
            return next(iter(self.experiments), None)
        return next((e for e in self.experiments if e.name == self.headline), None)

    def only(self, wanted: Callable[[Experiment], bool]) -> Finding | None:
        """Return it with the experiments that are wanted; None where none is."""
        kept = tuple(e for e in self.experiments if wanted(e))
        headline = self.headline if any(e.name == self.headline for e in kept) else kept[0].name if kept else ""
        return replace(self, experiments=kept, headline=headline) if kept else None


def blur(*cells: float) -> float:
    """Return how far rounding may have moved the log of a ratio of printed cells: 2.3 over 2.2 may be none at all."""
    return math.fsum(half_unit(str(cell), None) / cell for cell in cells)


def of(claim: Claim, *experiments: Experiment, reason: str = "", note: str = "") -> Finding:
    """Make the finding of a claim."""
    source = ", ".join(part for part in (claim.paper, claim.location) if part)
    return Finding(claim.id, claim.claim, source, claim.paper, experiments, reason, note, claim.headline)


def slower(
    a: str | Side, b: str | Side, published: float, device: str = "", name: str = "", **more: Unpack[More]
) -> Experiment:
    """Make the experiment "B takes `published` times A's latency"."""
    left, right = _side(a), _side(b)
    return Experiment(name or f"{right} against {left}", left, right, published, device, **more)


def direction(
    a: str | Side, b: str | Side, sign: int, device: str = "", name: str = "", **more: Unpack[More]
) -> Experiment:
    """Make the experiment "B is slower" (+1) or "B is faster" (-1) than A, where no figure is published."""
    left, right = _side(a), _side(b)
    more = {"origin": PRINTED, **more}
    return Experiment(name or f"{right} against {left}", left, right, None, device, sign, **more)


def follows(a: str | Side, b: str | Side, name: str, split: bool = False) -> Experiment:
    """Make our own question: is the time per MAC the same, as it would be if MACs told the time?"""
    return Experiment(name, _side(a), _side(b), 1.0, per_mac=True, equals=True, within=1.1, origin=OURS, split=split)


def counted(
    a: str | Side,
    b: str | Side,
    quantity: str,
    published: float,
    within: float = 1.05,
    name: str = "",
    origin: str = DERIVED,
) -> Experiment:
    """Make the experiment "B has `published` times as many as A", which is counted and not measured."""
    left, right = _side(a), _side(b)
    name = name or f"{quantity}: {right} against {left}"
    return Experiment(name, left, right, published, equals=True, within=within, quantity=quantity, origin=origin)


def share(
    a: str | Side,
    quantity: str,
    published: float,
    device: str = "",
    name: str = "",
    within: float = 0.1,
    origin: str = PRINTED,
) -> Experiment:
    """Make the experiment "`quantity` of A is `published`, give or take `within` points"."""
    side = _side(a)
    name = name or f"{quantity}: {side}"
    return Experiment(name, side, None, published, device, equals=True, within=within, quantity=quantity, origin=origin)


def _side(given: str | Side) -> Side:
    return given if isinstance(given, Side) else Side(given)
