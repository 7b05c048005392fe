"""How far FLOPs predict latency, over any rows: rank correlations, inversions, and how the order changes.

Rows are grouped into settings (everything but the network: `bench.rows.identity.setting`); within one, networks are put
in order by MACs, memory access, parameters, the roofline's floor, predicted and measured latency.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.base.errors import BenchError, OutputError
from bench.findings.predictions import Key
from bench.findings.ranked import LEAST_CASES, RankedNetwork, settings_of
from bench.findings.turned import Sustained, turned
from bench.rows.frame import Rows
from bench.stats.ranks import Correlation, correlations, resampled

NEAR = 0.10  # of the larger one's MACs


@dataclass(frozen=True, slots=True)
class Inversion:
    """`slow` has at most as many MACs as `fast`, within 10%, and takes longer.

    `ratio` is its latency over the other's, with the 95% interval from those of both rows.
    """

    setting: str
    slow: RankedNetwork
    fast: RankedNetwork
    ratio: float
    lo: float
    hi: float

    @property
    def certain(self) -> bool:
        """Whether the interval lies above 1."""
        return self.lo > 1


@dataclass(frozen=True, slots=True)
class Proxy:
    """How well the order by `by` agrees with the order by latency in a setting."""

    setting: str
    by: str
    correlations: tuple[Correlation, ...]


@dataclass(frozen=True, slots=True)
class Reordering:
    """How well the latencies of two settings (or of one and a published device) agree in order."""

    a: str
    b: str
    networks: int
    moved: int
    correlations: tuple[Correlation, ...]


@dataclass(frozen=True)
class Analysis:
    """Everything that rows say about FLOPs and latency."""

    settings: dict[str, list[RankedNetwork]]
    proxies: tuple[Proxy, ...]
    inversions: tuple[Inversion, ...]
    near: int
    extremes: tuple[Inversion, ...]
    reorderings: tuple[Reordering, ...]
    notes: tuple[str, ...] = field(default=())
    sustained: tuple[Sustained, ...] = ()


def analyse(
    rows: Rows, predictions: Mapping[Key, float] | None = None, told: Callable[[str], None] = lambda doing: None
) -> Analysis:
    """Analyse rows; of several of one case, the newest counts. `predictions` are latencies in ms.

    Every network's graph is counted, which exports those that are not in the cache: `told` hears of each.

    Raises:
        OutputError: no setting has three measured networks.
    """
    notes = list(rows.notes)
    settings = settings_of(rows, notes, predictions or {}, told)
    if not settings:
        raise OutputError("no setting has three measured networks", "give the rows of more networks")
    proxies: list[Proxy] = []
    inversions: list[Inversion] = []
    extremes: list[Inversion] = []
    near = 0
    for name, networks in settings.items():
        latency = [network.latency_ms for network in networks]
        for by, values in proxies_of(networks).items():
            known = [(v, t) for v, t in zip(values, latency, strict=True) if v is not None]
            if len(known) >= LEAST_CASES:
                proxies.append(Proxy(name, by, resampled([v for v, _ in known], [t for _, t in known])))
        found, pairs = inversions_of(name, networks)
        inversions += found
        near += pairs
        extremes += extremes_of(name, networks)
    extremes.sort(key=lambda i: i.slow.macs / i.fast.macs)
    inversions.sort(key=lambda i: -i.ratio)
    reorderings = [*_between(settings), *published(settings)]
    return Analysis(
        settings,
        tuple(proxies),
        tuple(inversions),
        near,
        tuple(extremes),
        tuple(reorderings),
        tuple(notes),
        tuple(turned(rows)),
    )


def proxies_of(networks: Sequence[RankedNetwork]) -> dict[str, list[float | None]]:
    """Return what may predict the latency, one value per network."""
    return {
        "MACs": [n.macs for n in networks],
        "memory access": [n.memory_access for n in networks],
        "parameters": [n.params for n in networks],
        "roofline floor": [n.floor_ms for n in networks],
        "predicted time": [n.predicted_ms for n in networks],
    }


def inversions_of(setting: str, networks: Sequence[RankedNetwork]) -> tuple[list[Inversion], int]:
    """Return the inversions among pairs within 10% MACs, and the number of such pairs."""
    pairs = [
        (x, y) for x, y in itertools.combinations(networks, 2) if abs(x.macs - y.macs) <= NEAR * max(x.macs, y.macs)
    ]
    found = [_inversion(setting, x, y) for x, y in pairs]
    return [one for one in found if one is not None], len(pairs)


def extremes_of(setting: str, networks: Sequence[RankedNetwork]) -> list[Inversion]:
    """Return the pairs that are further apart in MACs, and yet inverted beyond doubt; the furthest apart first."""
    found = [
        _inversion(setting, x, y)
        for x, y in itertools.combinations(networks, 2)
        if abs(x.macs - y.macs) > NEAR * max(x.macs, y.macs)
    ]
    return sorted((one for one in found if one is not None and one.certain), key=lambda i: i.slow.macs / i.fast.macs)


def _inversion(setting: str, x: RankedNetwork, y: RankedNetwork) -> Inversion | None:
    """Return the pair as an inversion, if it is one; of equal MACs, one of which is always slower, beyond doubt."""
    few, many = (x, y) if x.macs <= y.macs else (y, x)
    if few.macs == many.macs and few.latency_ms < many.latency_ms:
        few, many = many, few
    if few.latency_ms <= many.latency_ms:
        return None
    log = math.log(few.latency_ms / many.latency_ms)
    half = math.hypot(_half(few), _half(many))
    found = Inversion(setting, few, many, math.exp(log), math.exp(log - half), math.exp(log + half))
    return None if few.macs == many.macs and not found.certain else found


def moved(a: Sequence[float], b: Sequence[float]) -> int:
    """Count the values whose rank among `a` is not their rank among `b`."""
    ranks = [sorted(range(len(side)), key=side.__getitem__) for side in (a, b)]
    places = [{i: place for place, i in enumerate(order)} for order in ranks]
    return sum(places[0][i] != places[1][i] for i in range(len(a)))


def _half(network: RankedNetwork) -> float:
    return math.log(network.hi_ms / network.lo_ms) / 2


def _between(settings: dict[str, list[RankedNetwork]]) -> Iterable[Reordering]:
    """Compare the order in every two settings."""
    for a, b in itertools.combinations(settings, 2):
        x, y = ({n.label: n.latency_ms for n in settings[name]} for name in (a, b))
        yield from _agree(a, b, x, y)


def published(settings: dict[str, list[RankedNetwork]]) -> Iterable[Reordering]:
    """Compare every setting with every published device that has three of its networks."""
    from bench.papers.published import latencies
    from bench.plan.zoo import canonical, resolve

    devices: dict[str, dict[tuple[str, int], float]] = {}
    for row in latencies():
        if row.model and row.resolution[0] == row.resolution[1] and row.precision in ("", "fp32"):
            runtime = f", {row.runtime}" if row.runtime else ""
            name = f"{row.device}{runtime}, batch {row.batch} (published)"
            devices.setdefault(name, {}).setdefault((canonical(row.model), row.resolution[0]), row.images_per_s)

    for setting, networks in settings.items():
        here = {}
        for n in networks:
            try:
                side = n.resolution or resolve(n.model).resolution
            except BenchError:  # a file that is not here; no paper has it
                continue
            here[canonical(n.model), int(float(side or 0))] = n.latency_ms
        for device, speeds in devices.items():
            x = {f"{model} {side}": ms for (model, side), ms in here.items() if (model, side) in speeds}
            y = {f"{model} {side}": 1 / speed for (model, side), speed in speeds.items()}
            yield from _agree(setting, device, x, y)


def _agree(a: str, b: str, x: dict[str, float], y: dict[str, float]) -> Iterable[Reordering]:
    both = [name for name in x if name in y]
    if len(both) >= LEAST_CASES:
        left, right = [x[name] for name in both], [y[name] for name in both]
        yield Reordering(a, b, len(both), moved(left, right), correlations(left, right))
