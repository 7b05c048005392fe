"""What a row tells of the energies that its launches measured, or why it tells none."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from bench.backends.answers import Energy
from bench.stats.limit import mean_interval


def columns(answers: Sequence[Energy]) -> dict[str, Any]:
    """Return the columns of the energy: geometric mean of the launches, and its 95% interval from two on."""
    found = [answer for answer in answers if answer["mj"] is not None]
    values = [answer["mj"] for answer in found if answer["mj"] is not None]
    if not values:
        return {}
    lo, hi = mean_interval(values) if len(values) > 1 else (None, None)
    idle = [answer["idle_w"] for answer in found if answer["idle_w"] is not None]
    return {
        "energy_mj": statistics.geometric_mean(values),
        "energy_lo_mj": lo,
        "energy_hi_mj": hi,
        "energy_idle_w": statistics.fmean(idle),
        "energy_by": found[0]["by"],
    }


def remark(answers: Sequence[Energy]) -> str:
    """Say why nothing is told of the energy; nothing where something is, or where nobody asked."""
    if not answers or any(answer["mj"] is not None for answer in answers):
        return ""
    return f"energy is unmeasurable here: {answers[-1]['why_not']}"
