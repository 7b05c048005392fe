"""What a case that was kept going for a long time did: its first minute, and the state in which it settled.

Both are told at the speed that the machine had, not at its baseline speed: that it slows down is what is asked for.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.backends.answers import Block
from bench.stats.settle import Mean, mean, settled

if TYPE_CHECKING:
    from bench.measure.state import CaseState

EARLY_S = 60.0


def columns(state: CaseState) -> dict[str, Any]:
    """Return the columns of a row that tell of it; none where the case was not kept going.

    The unit is the launch, of which each brings one median.
    """
    launches = [one.blocks for one in (*state.launches, *state.sustained) if one.blocks and "at_s" in one.blocks[0]]
    if not launches:
        return {}
    times = [statistics.median(block["at_s"] for block in blocks) for blocks in launches]
    medians = [statistics.median(ns for block in blocks for ns in block["latency_ns"]) / 1e6 for blocks in launches]
    begun = [blocks[0]["at_s"] for blocks in launches]
    early = [i for i, at_s in enumerate(begun) if at_s < EARLY_S]
    found: dict[str, Any] = {"sustain_s": max(block["at_s"] for blocks in launches for block in blocks)}
    found |= _ends("early", mean([medians[i] for i in early]))
    found |= _heat("early", [block for i in early for block in launches[i]])
    rest = settled(times, medians)
    if rest is not None:
        found |= _ends("settled", rest.level) | {"settled_after_s": rest.after}
        late = [block for at_s, blocks in zip(times, launches, strict=True) if at_s >= rest.after for block in blocks]
        found |= _heat("settled", late)
    return found


def remarks(state: CaseState) -> list[str]:
    """Say what must be known of a case that was kept going."""
    told = columns(state)
    if not told:
        return []
    said = [] if "settled_ms" in told else [f"its latency still moved after {told['sustain_s'] / 60:.3g} min"]
    short = state.asked_s and told["sustain_s"] < 0.9 * state.asked_s - EARLY_S / 2
    return [*said, *([f"ended before the {state.asked_s / 60:.3g} min that were asked for"] if short else [])]


def _ends(name: str, found: Mean | None) -> dict[str, float | None]:
    if found is None:
        return {}
    return {f"{name}_ms": found.value, f"{name}_lo_ms": found.lo, f"{name}_hi_ms": found.hi}


def _heat(name: str, blocks: Sequence[Block]) -> dict[str, float]:
    """Return medians of clock and temperature: the device's where it tells them, else the cores'."""
    found = {}
    readings = [reading for block in blocks for reading in block.get("device", ())]
    of_device = {
        "mhz": [float(reading["sm_mhz"]) for reading in readings if reading.get("sm_mhz")],
        "celsius": [float(reading["celsius"]) for reading in readings if reading.get("celsius")],
    }
    for key, told in of_device.items():
        values = told or [block["heat"][key] for block in blocks if key in block.get("heat", {})]
        if values:
            found[f"{name}_{key}"] = float(statistics.median(values))
    return found
