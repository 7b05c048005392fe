"""How things are measured: every protocol of the program, with all of its defaults."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.plan.limit import Limit

LATENCY, THROUGHPUT = MODES = ("latency", "throughput")
PRECISIONS = ("fp32", "fp16", "bf16", "int8")  # what every backend can be asked for
MOST_LOOKS = 20  # at the pairs of a comparison; more would change nothing but the time that their boundary takes
LEAST_SUSTAIN_S = 180.0  # a minute, and twice as much for what comes after it
MOST_LIVE = 32  # cases that are kept going together
MOST_S = 1e7  # seconds of a budget or a wait: what every clock and every pipe's poll can count
MOST_SEED = 2**63 - 1
# The least and the most of what may be asked for in whole numbers, whether by a command or from Python.
WHOLE = {
    "launches": (1, 1000),
    "loads": (1, 20),
    "inferences": (1, 1000),
    "pairs": (5, 1000),  # fewer than `bench.stats.verdict.MIN_PAIRS` are not judged
    "seed": (0, MOST_SEED),
}


@dataclass(frozen=True, slots=True)
class Warming:
    """How long a worker warms up, by time and number, and what makes a block after that."""

    ms: float
    least: int
    block_ms: float
    block_least: int


@dataclass(frozen=True, slots=True)
class Stopping:
    """The rule by which measuring stops that is to say how much: by precision or at a limit, never by what was found.

    How precise it is, is asked at `least`, and from then on every `step` more; without a step at half as many again
    each time (5, 8, 12, 18, 27 ...), because who asks more often stops more often by chance. A budget that is spent
    ends it from `afford` on.
    """

    least: int
    most: int
    within: float
    step: int = 0
    afford: int = 0

    def looks(self) -> Iterator[int]:
        """Yield the numbers at which is asked how precise it is."""
        look = self.least
        while True:
            yield look
            look = look + self.step if self.step else math.ceil(1.5 * look)

    def enough(self, n: int, half_width: Callable[[], float], made: int | None = None, spent: bool = False) -> bool:
        """Tell whether to stop after `n` that count, of as many as were `made`."""
        made = n if made is None else made
        if made >= self.most or (spent and made >= self.afford):
            return True
        return n == next(look for look in self.looks() if look >= n) and half_width() <= self.within


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a case is measured: launch > round > block > sample (``docs/method.md`` gives the reasons).

    A case gets at least `launches` fresh processes, and more, up to `max_launches`, until what they say of its latency
    is within `tolerance` on either side at 95% or `budget_s` seconds are spent on it. In each launch it runs `rounds`
    blocks of `block_ms` or `block_min_inferences`, whichever is longer. At most `live` cases share a replicate.
    With `over_s` the launches are spread over so many seconds, at least `spread` of them. A row whose interval for
    another run is wider than `widest` on either side is noisy.
    With `sustain_s` the cases are kept going for so long, launch after launch of `turn_s` seconds each, whatever their
    budget; then all take turns together, so that the heat is one for all of them.
    `limits` are what each case is held against, and with `require_device` whether all of it ran where it was to; they
    change nothing of how it is measured. `energy` names the meter
    that tells the energy of an inference at the end of each launch (``auto``: what the device has); empty asks none.
    """

    launches: int = 5
    max_launches: int = 40
    tolerance: float = 0.02
    widest: float = 0.10
    over_s: float = 0.0
    spread: int = 8
    sustain_s: float = 0.0
    turn_s: float = 12.0
    rounds: int = 4
    block_ms: float = 50.0
    block_min_inferences: int = 5
    warmup_ms: float = 100.0
    warmup_min_inferences: int = 5
    live: int = 8
    budget_s: float = 60.0
    timeout_s: float = 120.0
    seed: int = 0
    limits: tuple[Limit, ...] = ()
    require_device: bool = False
    energy: str = ""

    @property
    def stopping(self) -> Stopping:
        """When a case has had enough launches; three, if the budget allows no more."""
        return Stopping(self.launches, self.max_launches, self.tolerance, afford=min(3, self.launches))

    @property
    def warming(self) -> Warming:
        """How a launch warms up."""
        return Warming(self.warmup_ms, self.warmup_min_inferences, self.block_ms, self.block_min_inferences)


@dataclass(frozen=True, slots=True)
class PairProtocol:
    """How many pairs, and what is in one.

    The pairs are judged at `looks` only, and the boundaries of `bench.stats.verdict` are made for just these: a verdict
    that is reached ends it. A budget that is spent ends it from `first` pairs on. `margin` is the share of A's latency
    that does not matter.
    """

    first: int = 10
    step: int = 5
    most: int = 30
    margin: float = 0.01
    quads: int = 8
    block_ms: float = 30.0
    block_min_inferences: int = 5
    warmup_ms: float = 60.0
    warmup_min_inferences: int = 3
    budget_s: float = 100.0
    timeout_s: float = 120.0
    reload: bool = True
    seed: int = 0

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of pairs at which is asked for a verdict: `MOST_LOOKS` at most, the last one is `most`."""
        step = max(self.step, -(-(self.most - self.first) // (MOST_LOOKS - 1)))
        return (*range(self.first, self.most, step), self.most)

    @property
    def warming(self) -> Warming:
        """How a side warms up."""
        return Warming(self.warmup_ms, self.warmup_min_inferences, self.block_ms, self.block_min_inferences)


@dataclass(frozen=True, slots=True)
class ProfileProtocol:
    """How a case is profiled: launch > load > round > block.

    Each launch loads the model and its profiled twin `loads` times, because where a load puts the memory moves the
    latency by several percent; which of the two is loaded first alternates. A load has `rounds` pairs of blocks, of
    `block_ms`, yet of at most `most` inferences (a profiler keeps every event in memory).
    """

    launches: int = 3
    loads: int = 3
    rounds: int = 8
    block_ms: float = 20.0
    least: int = 3
    most: int = 25
    warmup_ms: float = 100.0
    warmup_min_inferences: int = 3
    timeout_s: float = 120.0
    seed: int = 0

    @property
    def warming(self) -> Warming:
        """How a launch warms up."""
        return Warming(self.warmup_ms, self.warmup_min_inferences, self.block_ms, self.least)


@dataclass(frozen=True, slots=True)
class ReplicateProtocol:
    """How many replicates a group of cases gets, and what is in one.

    Stops between `replicates` and `most` when every effect's 95% interval is within `half_width` on the log scale, or
    within a fifth of the published effect where that is more; never by a verdict. (Simulated: from three replicates on,
    94 to 95% of the intervals cover for a spread between replicates of 0.5 to 1.5%, 92% for one of 2%.) `live` cases at
    most share a replicate. With `reload` the model is loaded anew between turns.
    """

    replicates: int = 3
    most: int = 8
    half_width: float = 0.02
    turns: int = 4
    block_ms: float = 30.0
    block_min_inferences: int = 2
    warmup_ms: float = 60.0
    warmup_min_inferences: int = 2
    live: int = 8
    reload: bool = True
    timeout_s: float = 120.0
    seed: int = 0

    def stopping(self, published: float | None = None) -> Stopping:
        """When an effect has had enough replicates. `published` is the log of the published effect, if there is one."""
        return Stopping(max(3, self.replicates), self.most, max(self.half_width, abs(published or 0.0) / 5), 1)

    @property
    def warming(self) -> Warming:
        """How a side warms up."""
        return Warming(self.warmup_ms, self.warmup_min_inferences, self.block_ms, self.block_min_inferences)


# A first answer: G1 to G4 on two backends within three minutes.
QUICK = ReplicateProtocol(replicates=5, most=5, turns=3, block_ms=20.0, warmup_ms=40.0, reload=False)


@dataclass(frozen=True, slots=True)
class RooflineProtocol:
    """How a roofline is measured: compute probes take turns until the best of none has risen for `quiet_rounds`.

    A best that rises by less than the factor `stable` has not risen. One array of a stream takes at most
    `memory_share` of the free memory: three of them are there, and the runtime may keep copies.
    """

    block_ms: float = 20.0
    stable: float = 1.01
    quiet_rounds: int = 3
    most_rounds: int = 15
    stream_blocks: int = 4
    memory_share: float = 1 / 10


@dataclass(frozen=True, slots=True)
class KernelProtocol:
    """How kernels are timed alone: in `passes` processes, and up to `spare` more where they were disturbed.

    A turn is a block of `block_ms` or `least` inferences with everything in the cache, and `cold` single ones without.
    """

    passes: int = 2
    spare: int = 2
    block_ms: float = 4.0
    least: int = 4
    cold: int = 7


# One short turn of each of many kernels: what others are predicted from, whose errors cancel out.
MANY = KernelProtocol(passes=1, spare=1, block_ms=2.5, least=3, cold=5)


@dataclass(frozen=True, slots=True)
class NetworkProtocol:
    """How a whole network is timed beside kernels: `blocks` of `block_ms` or `least` inferences in one process."""

    block_ms: float = 25.0
    least: int = 2
    blocks: int = 3


# Networks that a prediction is trained on.
TRAINING = Protocol(launches=3, max_launches=3, rounds=3, block_ms=40.0, live=6, budget_s=30.0)

# A few runs that make a machine known.
LEARNING = Protocol(launches=3, max_launches=3, rounds=3, budget_s=20.0)

# The difference of two networks is less certain than a latency, and loads differ more than the rounds of one.
DIFFERENCE = ProfileProtocol(launches=4, loads=6, rounds=4)
# That difference once more, without a profiler.
APART = PairProtocol(first=8, most=8, quads=6)
# A share of the latency, of which a finding takes several.
SHARES = ProfileProtocol(launches=1, loads=2, rounds=6)
# Fresh pairs that a gate confirms a slowdown on, at least.
CONFIRMING = 20
