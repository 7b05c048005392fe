"""What a device or a CPU told beside the blocks: its clock, what slowed it, and whether a row is noisy for it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from bench.backends.answers import Block
from bench.base.words import counted
from bench.machine.gpu import slowed

# By how much the clock may differ from block to block. One step of an NVIDIA device is 15 MHz, below 1% of it.
MOVED = 0.03
REMEDY = "docs/gpu.md says how clocks are fixed"
COOLING = "let it cool, and feed it well: docs/targets.md"


def on_device(block: Block) -> bool:
    """Tell whether a block ran on another device than the CPU: then its cores say nothing of its speed."""
    return "device" in block or "host_ns" in block


def clocks_mhz(blocks: Iterable[Block]) -> list[int]:
    """Return the device's clock after each block, where it was told: before one the device may have been idle."""
    return [
        block["device"][-1]["sm_mhz"] for block in blocks if block.get("device") and "sm_mhz" in block["device"][-1]
    ]


def throttling(block: Block) -> tuple[str, ...]:
    """Name what slowed the device at either end of a block, or the CPU meanwhile."""
    bits = 0
    for reading in block.get("device", ()):
        bits |= reading.get("reasons", 0)
    return (*slowed(bits), *block.get("slowed", ()))


def restless(blocks: Sequence[Block]) -> str:
    """Say in a line why the device did not run at one speed; nothing where it did, or where nothing tells."""
    hit = [reasons for block in blocks if (reasons := throttling(block))]
    if hit:
        named = ", ".join(sorted({reason for reasons in hit for reason in reasons}))
        what, remedy = ("device", REMEDY) if any(map(on_device, blocks)) else ("CPU", COOLING)
        return f"the {what} was slowed in {len(hit)} of {counted(len(blocks), 'block')} ({named}); {remedy}"
    clocks = clocks_mhz(blocks)
    if clocks and max(clocks) > (1 + MOVED) * min(clocks):
        return f"the device's clock moved from {min(clocks)} to {max(clocks)} MHz; {REMEDY}"
    return ""


def columns(blocks: Sequence[Block]) -> dict[str, float | str | None]:
    """Return what a row tells of the device's speed."""
    clocks = clocks_mhz(blocks)
    reasons = sorted({reason for block in blocks for reason in throttling(block)})
    return {"device_mhz": statistics.median(clocks) if clocks else None, "throttle": ", ".join(reasons) or None}
