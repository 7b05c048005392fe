"""Networks held against each other: inversions within a setting, and the order on one setting beside another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from bench.base.errors import BenchError, clip
from bench.findings.ranked import LEAST_CASES, RankedNetwork
from bench.findings.ranks import Inversion, inversions_of, moved
from bench.report.html.cases import CaseRow, named
from bench.report.html.facets import Record
from bench.rows import identity
from bench.stats.ranks import Correlation, correlations

if TYPE_CHECKING:
    from bench.papers.published import PublishedNetwork

MOST_INVERSIONS = 1000
MOST_DRAWN = 25  # at once
MOST_PAIRS = 40  # of settings, and of settings with published devices
MOST_PER_SETTING = 700  # networks: their pairs are counted one by one


Cell = tuple[str, ...]  # a network of a setting: its model, and the shape where that tells several apart
Levels = dict[tuple[str, ...], dict[Cell, CaseRow]]


@dataclass(frozen=True)
class Inverted:
    """`records` of the largest inversions; `near` pairs are within 10% MACs, `found` of them inverted.

    `certain` of those have an interval above 1; `worst` is the one with the largest ratio among these. They are of so
    many `settings`.
    """

    records: tuple[Record, ...]
    near: int
    found: int
    certain: int
    worst: Inversion | None
    settings: int


@dataclass(frozen=True)
class Order:
    """The networks that two settings share (or one and a published device): a record each, and how well they agree."""

    a: str
    b: str
    published: str  # the source, where `b` is a published device
    records: tuple[Record, ...]
    moved: int
    correlations: tuple[Correlation, ...]

    @property
    def name(self) -> str:
        """What a person chooses it by."""
        return f"{self.a} → {self.b}"


def inverted(rows: Sequence[CaseRow]) -> Inverted:
    """Find the pairs within 10% MACs of which the one with fewer MACs is slower, in every setting."""
    names = named(rows)
    groups: dict[tuple[str, ...], list[CaseRow]] = {}
    for row in rows:
        if row.measured:
            groups.setdefault(row.setting, []).append(row)
    found: list[tuple[Inversion, int, int]] = []
    near = 0
    for setting, mine in groups.items():
        networks = [_network(row) for row in mine[:MOST_PER_SETTING]]
        index = {id(network): row.index for network, row in zip(networks, mine, strict=False)}
        here, pairs = inversions_of(names[setting], networks)
        near += pairs
        found += [(one, index[id(one.slow)], index[id(one.fast)]) for one in here]
    found.sort(key=lambda item: -item[0].ratio)
    every = [one for one, _, _ in found]
    certain = [one for one in every if one.certain]
    several = len(groups) > 1
    records = tuple(
        _record(one, [slow, fast], several) | {"place": place}
        for place, (one, slow, fast) in enumerate(found[:MOST_INVERSIONS])
    )
    return Inverted(records, near, len(every), len(certain), next(iter(certain), None), len(groups))


def _network(row: CaseRow) -> RankedNetwork:
    macs, latency, lo, hi = (float(v or 0) for v in (row.macs, row.latency_ms, row.lo_ms, row.hi_ms))  # `measured`
    return RankedNetwork(row.label, "", macs, latency, lo, hi)


def _record(one: Inversion, on: list[int], several: bool) -> Record:
    where = f" ({one.setting})" if several else ""
    return {
        "pair": f"{one.slow.model} > {one.fast.model}{where}",
        "slower": one.slow.model,
        "faster": one.fast.model,
        "setting": one.setting,
        "ratio": digits(one.ratio),
        "lo": digits(one.lo),
        "hi": digits(one.hi),
        "sure": "interval above 1" if one.certain else "interval reaches 1",
        "slower_m_macs": digits(one.slow.macs / 1e6),
        "faster_m_macs": digits(one.fast.macs / 1e6),
        "slower_ms": digits(one.slow.latency_ms),
        "faster_ms": digits(one.fast.latency_ms),
        "on": on,
    }


def levels(rows: Sequence[CaseRow]) -> Levels:
    """Return the networks that were measured, by setting."""
    found: Levels = {}
    for row in rows:
        if row.measured:
            found.setdefault(row.setting, {})[row.model, row.shape] = row
    return found


def orders(rows: Sequence[CaseRow]) -> tuple[Order, ...]:
    """Set the settings side by side, other instruction sets first, and then published devices beside them."""
    names = named(rows)
    there = levels(rows)
    found = []
    for a, b in itertools.combinations(there, 2):
        both = [key for key in there[a] if key in there[b]]
        if len(both) >= LEAST_CASES and _comparable(a, b):
            left, right = ([level[key] for key in both] for level in (there[a], there[b]))
            first, second = sorted(((names[a], left), (names[b], right)), key=lambda side: side[1][0].arch == "aarch64")
            rank = (left[0].arch == right[0].arch, _machine(a) == _machine(b), -len(both))
            found.append((rank, _measured_order(first, second)))
    found.sort(key=lambda item: item[0])
    measured = [order for _, order in found[:MOST_PAIRS]]
    return (*measured, *_published(there, names))


def _machine(setting: tuple[str, ...]) -> list[str]:
    return [value for name, value in zip(identity.setting(), setting, strict=True) if name in identity.machine()]


def _comparable(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Settings that differ in the machine, or else in one thing alone."""
    differ = {name for name, x, y in zip(identity.setting(), a, b, strict=True) if x != y}
    machine = set(identity.machine())
    return len(differ - machine) <= (0 if differ & machine else 1)


def _measured_order(a: tuple[str, list[CaseRow]], b: tuple[str, list[CaseRow]]) -> Order:
    (a_name, left), (b_name, right) = a, b
    latencies = [[row.latency_ms or 0.0 for row in side] for side in (left, right)]
    records = [
        _beside(x.label, x.latency_ms, y.latency_ms, x.family, [x.index, y.index])
        for x, y in zip(left, right, strict=True)
    ]
    return _order(a_name, b_name, "", records, latencies)


def _order(a: str, b: str, source: str, records: list[Record], latencies: list[list[float]]) -> Order:
    done = tuple(record | {"order": f"{a} → {b}", "a": a, "b": b} for record in records)
    return Order(a, b, source, done, moved(*latencies), correlations(*latencies))


def _beside(network: str, a_ms: float | None, b_ms: float | None, family: str, on: list[int]) -> Record:
    return {"network": network, "a_ms": digits(a_ms), "b_ms": digits(b_ms), "family": family, "on": on}


def _published(measured: Levels, names: dict[tuple[str, ...], str]) -> list[Order]:
    """Hold each setting against the published devices that have three of its networks; most in common first."""
    from bench.plan.zoo import canonical

    found = []
    for setting, here in measured.items():
        mine = {(canonical(row.model), side(row)): row for row in here.values()}
        for (device, source), there in devices().items():
            both = [key for key in mine if key in there]
            if len(both) < LEAST_CASES:
                continue
            latencies = [[mine[key].latency_ms or 0.0 for key in both], [there[key] for key in both]]
            records = [
                _beside(mine[k].label, mine[k].latency_ms, there[k], mine[k].family, [mine[k].index]) for k in both
            ]
            found.append(_order(names[setting], f"{device} (published)", source, records, latencies))
    found.sort(key=lambda order: -len(order.records))
    return found[:MOST_PAIRS]


def devices() -> dict[tuple[str, str], dict[tuple[str, int], float]]:
    """Return ms per image of published devices, fp32 or not told, by canonical model and side of the input."""
    from bench.papers.published import latencies
    from bench.plan.zoo import canonical

    found: dict[tuple[str, str], dict[tuple[str, int], float]] = {}
    for row in latencies():
        if row.model and row.resolution[0] == row.resolution[1] and row.precision in ("", "fp32"):
            runtime = f", {row.runtime}" if row.runtime else ""
            threads = f", {row.threads} threads" if row.threads and row.threads > 1 else ""
            batch = f", batch {row.batch}" if row.batch > 1 else ""
            key = (clip(f"{row.device}{runtime}{threads}{batch}", 60), row.source)
            found.setdefault(key, {}).setdefault((canonical(row.model), row.resolution[0]), 1e3 / row.images_per_s)
    return found


def side(row: CaseRow) -> int:
    """Return the side of a case's input: its own, else its network's."""
    from bench.plan.zoo import resolve

    if row.resolution.isdigit():
        return int(row.resolution)
    try:
        return resolve(row.model).resolution or 0
    except BenchError:  # a file that is not here; no paper has it
        return 0


def top1(row: CaseRow) -> tuple[float, str, str] | None:
    """Return the published top-1 of a case in percent, its source, and what other sources print.

    That of the network's own table comes first: papers quote each other, and retrain.
    """
    from bench.plan.zoo import canonical

    hits = list(_accuracies().get((canonical(row.model), side(row)), ()))
    if not hits:
        return None
    hits.sort(key=lambda n: (n.table != row.family, n.verified != "text"))
    others = [f"{n.top1:g} ({n.source})" for n in hits[1:] if n.top1 != hits[0].top1]
    assert hits[0].top1 is not None
    return hits[0].top1, hits[0].source, clip("; ".join(dict.fromkeys(others)), 200)


@cache
def _accuracies() -> dict[tuple[str, int], list[PublishedNetwork]]:
    """Return the published rows with a top-1 by canonical model and resolution: papers and people use any alias."""
    from bench.papers.published import networks
    from bench.plan.zoo import canonical

    found: dict[tuple[str, int], list[PublishedNetwork]] = {}
    for network in networks():
        if network.top1 is not None and network.model:
            found.setdefault((canonical(network.model), network.resolution), []).append(network)
    return found


def digits(value: float | None) -> float | None:
    """Round to what a chart can show."""
    return None if value is None else float(f"{value:.5g}")
