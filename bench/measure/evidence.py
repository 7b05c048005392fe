"""Which blocks count: told from what surrounded them, never from their own latencies.

A block is set aside when something else took its core (`shared`, `stolen`, `throttled`), or when the reference workload
beside it ran far from the machine's baseline speed (`slow`, `memory`). What is left is told for the baseline speed by
`bench.stats.summary.estimate`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.backends.answers import Block
from bench.machine.baseline import BaselineSpeed, baseline_of, reading

# Share of the CPU time of a quiet block that may be missing. Quiet blocks miss up to 0.5%; a neighbour on the same
# core takes 27 to 50% (docs/method.md).
LOST_SHARE = 0.03
# How far above its baseline time a reference workload may be. A clock that moves is corrected for up to here; a busy
# hyper-thread, a throttled or an emulated core is beyond, where nothing says how a network slows.
SLOW = math.log(1.25)
CROWDED = math.log(1.5)
LEAST_BLOCKS = 2


@dataclass(frozen=True, slots=True)
class Weighing:
    """What counts of a case: per launch its latencies in ns and its log slowness; and how much was set aside.

    Where no launch was undisturbed, all of them stand here as they are, and `sound` is false.
    """

    launches: list[list[int]]
    slowness: list[float]
    aside: dict[str, int]
    blocks: int
    sound: bool = True

    @property
    def share_aside(self) -> float:
        """Share of the blocks that do not count."""
        return sum(self.aside.values()) / self.blocks if self.blocks else 0.0


def cpu_share(block: Block) -> float | None:
    """Return CPU time over wall time of a block, or None where that says nothing (scripted, paced, not on the CPU)."""
    counters = block["covariates"]
    if block.get("scripted") or "host_ns" in block or "late_ns" in block or not counters.get("wall_ns"):
        return None
    return float(counters["cpu_ns"] / counters["wall_ns"])


def fullest(blocks: Sequence[Block]) -> float | None:
    """Return the largest CPU share among blocks of one case: what it has when nothing is taken from it."""
    return max((share for block in blocks if (share := cpu_share(block)) is not None), default=None)


def theft(block: Block, full_share: float | None) -> str:
    """Return how something else took the block's cores, or nothing. What is scripted ran on none."""
    if block.get("scripted"):
        return ""
    counters = block["covariates"]
    share = cpu_share(block)
    if counters.get("throttled"):
        return "throttled"
    if counters.get("steal_ms", 0) * 1e6 > LOST_SHARE * counters.get("wall_ns", math.inf):
        return "stolen"
    if share is not None and full_share and share < (1 - LOST_SHARE) * full_share:
        return "shared"
    return ""


def fault(block: Block, baseline: BaselineSpeed, full_share: float | None) -> str:
    """Return why a block does not count, or nothing. `full_share` is the CPU share of the case's fullest block."""
    robbed = theft(block, full_share)
    if robbed:
        return robbed
    beside = reading(block)
    if math.log(beside.gemm_ns / baseline.gemm_ns) > SLOW:
        return "slow"
    if math.log(beside.copy_ns / baseline.copy_ns) > CROWDED:
        return "memory"
    return ""


def weigh(launches: Sequence[Sequence[Block]], baseline: BaselineSpeed | None) -> Weighing:
    """Sort the blocks of a case's launches, each in order of time, into what counts and what does not.

    A launch of which fewer than two blocks are left (or fewer than it had, if it had one) does not count at all.
    Without `baseline`, a machine that was never measured before, the case's own blocks tell the baseline speed.
    """
    blocks = [block for launch in launches for block in launch]
    if not blocks:
        return Weighing([], [], {}, 0)
    baseline = baseline or baseline_of([reading(block) for block in blocks])
    full = fullest(blocks)
    aside: dict[str, int] = {}
    kept: list[list[int]] = []
    slowness: list[float] = []
    for launch in launches:
        left = []
        for block in launch:
            reason = fault(block, baseline, full)
            if reason:
                aside[reason] = aside.get(reason, 0) + 1
            else:
                left.append(block)
        if left and len(left) < min(LEAST_BLOCKS, len(launch)):
            aside["alone"] = aside.get("alone", 0) + len(left)
        elif left:
            kept.append([ns for block in left for ns in block["latency_ns"]])
            slowness.append(statistics.fmean(math.log(reading(block).gemm_ns / baseline.gemm_ns) for block in left))
    if not kept:
        everything = [[ns for block in launch for ns in block["latency_ns"]] for launch in launches if launch]
        return Weighing(everything, [0.0] * len(everything), aside, len(blocks), sound=False)
    return Weighing(kept, slowness, aside, len(blocks))
