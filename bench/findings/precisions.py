"""What rows of several runtimes and precisions say: is int8 faster, and do networks keep their order?

Two statements that one hears, held against rows by the rule of every finding (`bench.findings.verdict`):

=========== =========================================================================================
INT8        int8 makes every mobile network faster: a direction, for each network on each runtime
ORDER       the order of networks is a property of the network: whatever runtime and precision
=========== =========================================================================================

The ratio of two rows has the interval that both of theirs give, which are for another run of each: they did not take
turns with each other in every case, so that it is wider than that of `bench ab`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.findings.ranked import LEAST_CASES, RankedNetwork
from bench.findings.ranks import Reordering, moved, published
from bench.findings.verdict import INCONCLUSIVE, NONE, OPPOSITE, SAME, grade
from bench.plan.spec import parse
from bench.rows.schema import Row
from bench.stats.ranks import correlations
from bench.stats.ratio import Effect

INT8 = "int8 makes every mobile network faster"
ORDER = "the order of networks is a property of the network"
FASTER = -1  # the direction that is claimed of the latency
Setting = tuple[str, str]  # a runtime and a precision


@dataclass(frozen=True, slots=True)
class Change:
    """What a precision does to a network on a runtime: its latency over that in fp32, and the grade of "faster"."""

    runtime: str
    precision: str
    network: str
    effect: Effect
    grade: str
    row: Row


@dataclass(frozen=True, slots=True)
class Swap:
    """Two networks whose order differs between two settings beyond both intervals: `first` is faster only in `a`."""

    a: Setting
    b: Setting
    first: str
    second: str
    ratios: tuple[float, float]


def settings_of(rows: Iterable[Row]) -> dict[Setting, dict[str, Row]]:
    """Return the rows that may be compared by runtime and precision, then by network: the newest of each.

    Those are valid rows with an interval that ran in the precision that was asked for.
    """
    found: dict[Setting, dict[str, Row]] = {}
    for row in sorted(rows, key=lambda row: row.started_at):
        if row.status not in ("ok", "noisy") or not (row.latency_ms and row.latency_lo_ms and row.latency_hi_ms):
            continue
        key = parse(row.backend).name, row.precision_effective or ""
        found.setdefault(key, {})[row.model] = row
    return found


def changes(rows: Iterable[Row], precision: str) -> list[Change]:
    """Hold every network in a precision against itself in fp32, runtime by runtime."""
    settings = settings_of(rows)
    found = []
    for (runtime, ran), networks in settings.items():
        plain = settings.get((runtime, "fp32"), {})
        for name, row in networks.items() if ran == precision else ():
            if name in plain:
                effect = _ratio(row, plain[name])
                found.append(Change(runtime, ran, name, effect, grade(effect, None, FASTER), row))
    return found


def verdict(found: Sequence[Change]) -> str:
    """Say whether "faster" holds of all of these: one network that is not refutes it."""
    grades = {change.grade for change in found}
    if grades & {OPPOSITE, NONE}:
        return "does not hold"
    return "holds" if grades == {SAME} else INCONCLUSIVE


def orders(rows: Iterable[Row]) -> list[Reordering]:
    """Compare the order of networks between runtimes in one precision, and between precisions of one runtime."""
    settings = settings_of(rows)
    found = []
    for a, b in itertools.combinations(settings, 2):
        both = [name for name in settings[a] if name in settings[b]]
        if (a[0] == b[0]) == (a[1] == b[1]) or len(both) < LEAST_CASES:
            continue
        x, y = ([float(settings[one][name].latency_ms or 0) for name in both] for one in (a, b))
        found.append(Reordering(named(a), named(b), len(both), moved(x, y), correlations(x, y)))
    return found


def swaps(rows: Iterable[Row]) -> list[Swap]:
    """Return the pairs of networks that change places beyond doubt: by 2% and the intervals of all four rows.

    Of each two settings the pair whose ratios are furthest apart.
    """
    settings = settings_of(rows)
    found = []
    for a, b in itertools.combinations(settings, 2):
        if (a[0] == b[0]) == (a[1] == b[1]):
            continue
        mine: list[Swap] = []
        for x, y in itertools.permutations([name for name in settings[a] if name in settings[b]], 2):
            here, there = (_ratio(settings[one][y], settings[one][x]) for one in (a, b))
            if grade(here, None, 1) == SAME and grade(there, None, -1) == SAME:
                mine.append(Swap(a, b, x, y, (math.exp(here.log), math.exp(there.log))))
        found += sorted(mine, key=lambda swap: swap.ratios[1] / swap.ratios[0])[:1]
    return sorted(found, key=lambda swap: swap.ratios[1] / swap.ratios[0])


def papers(rows: Iterable[Row], runtime: str = "litert") -> list[Reordering]:
    """Hold the order of a runtime's rows in fp32 against that of the papers' phones and boards."""
    networks = [
        RankedNetwork(
            row.model, "", float(row.macs or 0), row.latency_ms or 0.0, row.latency_lo_ms or 0.0,
            row.latency_hi_ms or 0.0, resolution=str(row.resolution or ""),
        )
        for row in settings_of(rows).get((runtime, "fp32"), {}).values()
    ]  # fmt: skip
    return list(published({named((runtime, "fp32")): networks}))


def named(setting: Setting) -> str:
    """Name a setting in words."""
    return f"{setting[0]} in {setting[1]}"


def _ratio(row: Row, base: Row) -> Effect:
    """Return the log of a row's latency over another's, with the interval of both."""
    log = math.log((row.latency_ms or 1.0) / (base.latency_ms or 1.0))
    half = math.hypot(*(math.log((one.latency_hi_ms or 1.0) / (one.latency_lo_ms or 1.0)) / 2 for one in (row, base)))
    return Effect(log, log - half, log + half, min(row.launches or 0, base.launches or 0))
