"""How things are measured: every protocol of the program, with all of its defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a case is measured: launch > round > block > sample (``docs/method.md`` gives the reasons).

    A case gets at least `launches` fresh processes, and more, up to `max_launches`, until the 95% interval of its
    latency is within `tolerance` on either side or `budget_s` seconds are spent on it. In each launch it runs `rounds`
    blocks of `block_ms` or `block_min_inferences`, whichever is longer. At most `live` cases share a wave of launches.
    """

    launches: int = 5
    max_launches: int = 40
    tolerance: float = 0.02
    rounds: int = 4
    block_ms: float = 50.0
    block_min_inferences: int = 5
    warmup_ms: float = 100.0
    warmup_min_inferences: int = 5
    live: int = 8
    budget_s: float = 60.0
    timeout_s: float = 120.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class PairProtocol:
    """How many pairs, and what is in one. Stops by precision of the log-ratio, never by its verdict."""

    first: int = 10
    step: int = 5
    most: int = 30
    half_width: float = 0.004
    quads: int = 8
    block_ms: float = 30.0
    block_min_inferences: int = 5
    warmup_ms: float = 60.0
    budget_s: float = 100.0
    timeout_s: float = 120.0
    reload: bool = True
    seed: int = 0


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
    timeout_s: float = 120.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class WaveProtocol:
    """How many waves a group of cases gets, and what is in one.

    Stops between `waves` and `most` when every effect's 95% interval is within `half_width` on the log scale, or within
    a fifth of the published effect where that is more; never by a verdict. (Simulated: from three waves on, 94 to 95%
    of the intervals cover for a spread between waves of 0.5 to 1.5%, 92% for one of 2%.) `live` cases at most share a
    wave. With `reload` the model is loaded anew between turns.
    """

    waves: int = 3
    most: int = 8
    half_width: float = 0.02
    turns: int = 4
    block_ms: float = 30.0
    block_min_inferences: int = 2
    warmup_ms: float = 60.0
    live: int = 8
    reload: bool = True
    timeout_s: float = 120.0
    seed: int = 0


# A first answer: G1 to G4 on two backends within three minutes.
QUICK = WaveProtocol(waves=5, most=5, turns=3, block_ms=20.0, warmup_ms=40.0, reload=False)
