"""Which blocks count: told from what surrounded them, never from their own latencies.

A block is set aside when something else took its core (`shared`, `stolen`, `throttled`), or when the reference
workloads beside it ran so far from the machine's baseline speed that nothing says how a network slows (`slow`,
`memory`). What is left is told for the baseline speed by `bench.stats.summary.estimate`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.backends.answers import Block
from bench.machine.baseline import BaselineSpeed, baseline_of, reading
from bench.measure.device import on_device, throttling

# Share of the CPU time of a quiet block that may be missing. Quiet blocks miss up to 0.5%; a neighbour on the same
# core takes 27 to 50% (docs/method.md).
LOST_SHARE = 0.03
# Several threads wait for each other and never fill their cores; what is normal for a case is a high quantile of what
# it shows. A neighbour that is always there would set that norm itself, but it also puts the threads off their cores:
# a quiet block meets fewer switches a second than this, one beside a neighbour (turns of a few ms) many more.
FULL_QUANTILE = 0.9
PUT_OFF_PER_S = 60.0
# Between two inferences at once a thread of the runtime and one of ours put each other off their core: switches say
# nothing there, unless the cores are far from full. A neighbour on one of two leaves 0.75 of them.
FULL_AT_ONCE = 0.85
# How far above its baseline time a reference workload may be. A clock that moves is corrected for up to here; a busy
# hyper-thread, a throttled or an emulated core is beyond, where nothing says how a network slows.
SLOW = math.log(1.25)
CROWDED = math.log(3.0)
# From here on the cache is in another regime: copies of 2 MiB take 40 or 75 us on an AMD EPYC, and nothing between.
REGIME = math.log(1.4)
LEAST_BLOCKS = 2
# How the blocks ran that do not count, after their number.
BECAME = {
    "shared": "while other processes took the core",
    "stolen": "while the host took the core",
    "throttled": "while the CPU was throttled",
    "slow": "on a slow core",
    "memory": "while others crowded the memory",
    "alone": "left alone in their launch",
}


@dataclass(frozen=True, slots=True)
class Weighing:
    """What counts of a case: per launch its latencies in ns and how far the machine was from its baseline speed.

    An offset is the pair of logs of product and copy over their usual times. `crowded` is the share of the blocks that
    count in which somebody else filled the shared cache; `over_s` the seconds from the first launch to the last, and
    `counting` their numbers. Of inferences that ran at once a launch has one time, its blocks' mean time per sample,
    and `under_load` has all latencies, launch after launch. Where no launch was undisturbed, all of them stand here as
    they are, and `sound` is false.
    """

    launches: list[list[float]]
    offsets: list[tuple[float, float]]
    aside: dict[str, int]
    blocks: int
    sound: bool = True
    crowded: float = 0.0
    over_s: float = 0.0
    counting: tuple[int, ...] = ()
    under_load: tuple[int, ...] = ()

    @property
    def share_aside(self) -> float:
        """Share of the blocks that do not count."""
        return sum(self.aside.values()) / self.blocks if self.blocks else 0.0

    @property
    def regime(self) -> str:
        """In which state of the shared cache it was measured."""
        return "quiet" if self.crowded < 0.1 else "shared cache" if self.crowded > 0.9 else "mixed"


def times(block: Block) -> Sequence[float]:
    """Return what a block says in ns: a latency of each inference; of those that ran at once their time per sample."""
    return [block["sample_ns"]] if "sample_ns" in block else block["latency_ns"]


def log_time(block: Block) -> float:
    """Return the log of a block's median."""
    return math.log(statistics.median(times(block)))


def cpu_share(block: Block) -> float | None:
    """Return CPU time over wall time of a block, or None where that says nothing (scripted, paced, not on the CPU)."""
    counters = block["covariates"]
    if block.get("scripted") or on_device(block) or "late_ns" in block or not counters.get("wall_ns"):
        return None
    if "sample_ns" in block:  # of when all streams ran: before and after that some of them idle
        return block.get("cpu_share")
    return float(counters["cpu_ns"] / counters["wall_ns"])


def full_share(blocks: Sequence[Block], threads: int) -> float | None:
    """Return the CPU share that blocks of one case have when nothing is taken from them; None where that is unknown.

    One thread fills its core, whatever the blocks say: a neighbour or a quota that is there all the time takes an equal
    part of each. Several threads wait for each other, so that only the blocks themselves tell what is normal.
    """
    shares = [share for block in blocks if (share := cpu_share(block)) is not None]
    if not shares:
        return None
    return 1.0 if threads == 1 else min(float(threads), float(np.quantile(shares, FULL_QUANTILE)))


def theft(block: Block, full: float | None, threads: int) -> str:
    """Return how something else took the block's cores, or nothing. What is scripted ran on none."""
    if block.get("scripted"):
        return ""
    counters = block["covariates"]
    share, wall_ns = cpu_share(block), counters.get("wall_ns", math.inf)
    if counters.get("throttled") or throttling(block):
        return "throttled"
    if counters.get("steal_ms", 0) * 1e6 > LOST_SHARE * wall_ns:
        return "stolen"
    if share is None or full is None:
        return ""
    lost = 1 - LOST_SHARE
    put_off = counters.get("involuntary_switches", 0) > max(3.0, PUT_OFF_PER_S * wall_ns / 1e9)
    filled = FULL_AT_ONCE if "sample_ns" in block else lost
    return "shared" if share < lost * full or (threads > 1 and put_off and share < filled * threads) else ""


def fault(block: Block, baseline: BaselineSpeed, full: float | None, threads: int) -> str:
    """Return why a block does not count, or nothing. `full` is `full_share` of the case's blocks."""
    robbed = theft(block, full, threads)
    if robbed:
        return robbed
    product, copy = offset(block, baseline)
    return "slow" if product > SLOW else "memory" if copy > CROWDED and not on_device(block) else ""


def told_for(block: Block, baseline: BaselineSpeed) -> tuple[float, float]:
    """Return the offset that a block's latency is corrected for: none where it did not run on the CPU."""
    return (0.0, 0.0) if on_device(block) else offset(block, baseline)


def offset(block: Block, baseline: BaselineSpeed) -> tuple[float, float]:
    """Return the logs of product and copy beside a block over their usual times."""
    beside = reading(block)
    return math.log(beside.gemm_ns / baseline.gemm_ns), math.log(beside.copy_ns / baseline.copy_ns)


def weigh(launches: Sequence[Sequence[Block]], baseline: BaselineSpeed | None, threads: int = 1) -> Weighing:
    """Sort the blocks of a case's launches, each in order of time, into what counts and what does not.

    A launch of which fewer than two blocks are left (or fewer than it had, if it had one) does not count at all.
    Without `baseline`, a machine that was never measured before, the case's own blocks tell the baseline speed.
    """
    blocks = [block for launch in launches for block in launch]
    if not blocks:
        return Weighing([], [], {}, 0)
    baseline = baseline or baseline_of([reading(block) for block in blocks])
    full = full_share(blocks, threads)
    aside: dict[str, int] = {}
    kept: dict[int, list[Block]] = {}
    for number, launch in enumerate(launches):
        left = []
        for block in launch:
            reason = fault(block, baseline, full, threads)
            if reason:
                aside[reason] = aside.get(reason, 0) + 1
            else:
                left.append(block)
        if left and len(left) < min(LEAST_BLOCKS, len(launch)):
            aside["alone"] = aside.get("alone", 0) + len(left)
        elif left:
            kept[number] = left
    sound = bool(kept)
    kept = kept or {number: list(launch) for number, launch in enumerate(launches) if launch}
    latencies = [_launch(launch) for launch in kept.values()]
    starts = [launch[0].get("start_ns", 0) for launch in kept.values()]
    beside = [[told_for(block, baseline) for block in launch] for launch in kept.values()]
    means = [(statistics.fmean(p for p, _ in pairs), statistics.fmean(c for _, c in pairs)) for pairs in beside]
    return Weighing(
        latencies,
        means if sound else [(0.0, 0.0)] * len(kept),
        aside,
        len(blocks),
        sound,
        statistics.fmean(copy > REGIME for pairs in beside for _, copy in pairs),
        max(0.0, (starts[-1] - starts[0]) / 1e9),
        tuple(kept),
        tuple(ns for launch in kept.values() for block in launch if "sample_ns" in block for ns in block["latency_ns"]),
    )


def _launch(blocks: Sequence[Block]) -> list[float]:
    """Return the times of a launch; of blocks of inferences at once, which take equally long, their mean."""
    found = [ns for block in blocks for ns in times(block)]
    return [statistics.fmean(found)] if "sample_ns" in blocks[0] else found
