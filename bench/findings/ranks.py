"""How far FLOPs predict latency, over any rows: rank correlations, inversions, and how the order changes.

Rows are grouped into settings (target, CPU, backend, threads, batch, precision that ran); within one, networks are put
in order by MACs, memory access, parameters, the roofline's floor, predicted and measured latency.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.base.errors import BenchError, OutputError
from bench.findings.predictions import Key
from bench.rows.frame import Rows
from bench.stats.ranks import Correlation, correlations

VALID = ("ok", "noisy")
SETTING = ("target", "cpu", "backend", "threads", "batch", "precision_effective")
NEAR = 0.10  # of the larger one's MACs
LEAST_CASES = 3


@dataclass(frozen=True, slots=True)
class Network:
    """One network in one setting: latency in ms with the ends of its interval, and what was counted of it."""

    model: str
    resolution: str
    macs: float
    latency_ms: float
    lo_ms: float
    hi_ms: float
    params: float | None = None
    memory_access: float | None = None
    floor_ms: float | None = None
    predicted_ms: float | None = None

    @property
    def label(self) -> str:
        """Its name, with the resolution where a network is there in several."""
        return f"{self.model} {self.resolution} px" if self.resolution else self.model


@dataclass(frozen=True, slots=True)
class Inversion:
    """`slow` has at most as many MACs as `fast`, within 10%, and takes longer.

    `ratio` is its latency over the other's, with the 95% interval from those of both rows.
    """

    setting: str
    slow: Network
    fast: Network
    ratio: float
    lo: float
    hi: float

    @property
    def certain(self) -> bool:
        """Whether the interval lies above 1."""
        return self.lo > 1


@dataclass(frozen=True, slots=True)
class Predictor:
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

    settings: dict[str, list[Network]]
    predictors: tuple[Predictor, ...]
    inversions: tuple[Inversion, ...]
    near: int
    extremes: tuple[Inversion, ...]
    reorderings: tuple[Reordering, ...]
    notes: tuple[str, ...] = field(default=())


def analyse(rows: Rows, predictions: Mapping[Key, float] | None = None) -> Analysis:
    """Analyse rows; of several of one case, the last counts. `predictions` are latencies in ms.

    Raises:
        OutputError: no setting has three measured networks.
    """
    notes = list(rows.notes)
    settings = _settings(rows, notes, predictions or {})
    if not settings:
        raise OutputError("no setting has three measured networks", "give the rows of more networks")
    predictors: list[Predictor] = []
    inversions: list[Inversion] = []
    extremes: list[Inversion] = []
    near = 0
    for name, networks in settings.items():
        latency = [network.latency_ms for network in networks]
        for by, values in predictors_of(networks).items():
            known = [(v, t) for v, t in zip(values, latency, strict=True) if v is not None]
            if len(known) >= LEAST_CASES:
                predictors.append(Predictor(name, by, correlations(*zip(*known, strict=True))))
        found, pairs = inversions_of(name, networks)
        inversions += found
        near += pairs
        extremes += extremes_of(name, networks)
    extremes.sort(key=lambda i: i.slow.macs / i.fast.macs)
    inversions.sort(key=lambda i: -i.ratio)
    reorderings = [*_between(settings), *_published(settings)]
    return Analysis(
        settings, tuple(predictors), tuple(inversions), near, tuple(extremes), tuple(reorderings), tuple(notes)
    )


def predictors_of(networks: Sequence[Network]) -> dict[str, list[float | None]]:
    """Return what may predict the latency, one value per network."""
    return {
        "MACs": [n.macs for n in networks],
        "memory access": [n.memory_access for n in networks],
        "parameters": [n.params for n in networks],
        "roofline floor": [n.floor_ms for n in networks],
        "predicted time": [n.predicted_ms for n in networks],
    }


def inversions_of(setting: str, networks: Sequence[Network]) -> tuple[list[Inversion], int]:
    """Return the inversions among pairs within 10% MACs, and the number of such pairs."""
    pairs = [
        (x, y) for x, y in itertools.combinations(networks, 2) if abs(x.macs - y.macs) <= NEAR * max(x.macs, y.macs)
    ]
    found = [_inversion(setting, x, y) for x, y in pairs]
    return [one for one in found if one is not None], len(pairs)


def extremes_of(setting: str, networks: Sequence[Network]) -> list[Inversion]:
    """Return the pairs that are further apart in MACs, and yet inverted beyond doubt; the furthest apart first."""
    found = [
        _inversion(setting, x, y)
        for x, y in itertools.combinations(networks, 2)
        if abs(x.macs - y.macs) > NEAR * max(x.macs, y.macs)
    ]
    return sorted((one for one in found if one is not None and one.certain), key=lambda i: i.slow.macs / i.fast.macs)


def _inversion(setting: str, x: Network, y: Network) -> Inversion | None:
    """Return the pair as an inversion, if it is one."""
    few, many = (x, y) if x.macs <= y.macs else (y, x)
    if few.macs == many.macs and few.latency_ms < many.latency_ms:
        few, many = many, few
    if few.latency_ms <= many.latency_ms:
        return None
    log = math.log(few.latency_ms / many.latency_ms)
    half = math.hypot(_half(few), _half(many))
    return Inversion(setting, few, many, math.exp(log), math.exp(log - half), math.exp(log + half))


def moved(a: Sequence[float], b: Sequence[float]) -> int:
    """Count the values whose rank among `a` is not their rank among `b`."""
    ranks = [sorted(range(len(side)), key=side.__getitem__) for side in (a, b)]
    places = [{i: place for place, i in enumerate(order)} for order in ranks]
    return sum(places[0][i] != places[1][i] for i in range(len(a)))


def _half(network: Network) -> float:
    return math.log(network.hi_ms / network.lo_ms) / 2


def _settings(rows: Rows, notes: list[str], predictions: Mapping[Key, float]) -> dict[str, list[Network]]:
    frame = rows.frame
    known = frame["latency_ms"].gt(0) & frame["latency_lo_ms"].gt(0) & frame["latency_hi_ms"].gt(0)
    valid = frame[frame["status"].isin(VALID) & known & frame["macs"].gt(0)]
    if len(valid) < len(frame):
        notes.append(f"{len(frame) - len(valid)} rows without a valid latency and its interval are left out")
    varying = [name for name in SETTING if valid[name].astype(str).nunique() > 1]
    found: dict[str, dict[tuple[str, str], Network]] = {}
    counted: dict[tuple[str, str, str], tuple[float | None, float | None]] = {}
    several = _several(valid)
    for row in valid.to_dict("records"):
        shown = {"threads": "threads ", "batch": "batch "}
        name = ", ".join(f"{shown.get(k, '')}{row[k]}" for k in varying) or "all rows"
        lo, hi = float(row["latency_lo_ms"]), float(row["latency_hi_ms"])
        model, side = str(row["model"]), str(row["resolution"])
        key = (model, side, str(row["batch"]))
        if key not in counted:
            counted[key] = _counts(model, side, str(row["batch"]))
        params, access = counted[key]
        network = Network(
            model,
            side if model in several else "",
            float(row["macs"]),
            float(row["latency_ms"]),
            lo,
            hi,
            params,
            access,
            float(row["floor_ms"]) if row["floor_ms"] > 0 else None,
            predictions.get((model, str(row["backend"]), str(row["threads"]), str(row["batch"]), side)),
        )
        found.setdefault(name, {})[model, side] = network
    missing = sorted({model for (model, _, _), (params, _) in counted.items() if params is None})
    if missing:
        notes.append(f"no memory access or parameters (cannot be built here): {', '.join(missing)}")
    return {name: list(cells.values()) for name, cells in found.items() if len(cells) >= LEAST_CASES}


def _several(frame: Any) -> set[str]:
    """Return the models that are there at more than one resolution."""
    sides: dict[str, set[str]] = {}
    for model, side in zip(frame["model"].astype(str), frame["resolution"].astype(str), strict=True):
        sides.setdefault(model, set()).add(side)
    return {model for model, found in sides.items() if len(found) > 1}


def _counts(model: str, side: str, batch: str) -> tuple[float | None, float | None]:
    """Count parameters and memory access (bytes) from the graph; rows have neither for certain."""
    from bench import backends
    from bench.export.graph_of import graph_of
    from bench.graph.summary import summarise
    from bench.plan.case import Case, Settings
    from bench.plan.zoo import network

    try:
        settings = Settings(batch=int(float(batch or 1)), resolution=int(float(side)) if side else None)
        found = graph_of(Case(network(model), backends.resolve("fake"), settings))
        summary = summarise(found.inferred, model, {i.name: i.shape for i in found.inputs}, found.params)
    except (BenchError, ValueError):
        return None, None
    return float(summary.params), float(summary.memory_access_bytes)


def _between(settings: dict[str, list[Network]]) -> Iterable[Reordering]:
    """Compare the order in every two settings."""
    for a, b in itertools.combinations(settings, 2):
        x, y = ({n.label: n.latency_ms for n in settings[name]} for name in (a, b))
        yield from _agree(a, b, x, y)


def _published(settings: dict[str, list[Network]]) -> Iterable[Reordering]:
    """Compare every setting with every published device that has three of its networks."""
    from bench.papers.published import latencies

    devices: dict[str, dict[tuple[str, int], float]] = {}
    for row in latencies():
        if row.model and row.resolution[0] == row.resolution[1] and row.precision in ("", "fp32"):
            runtime = f", {row.runtime}" if row.runtime else ""
            name = f"{row.device}{runtime}, batch {row.batch} (published)"
            devices.setdefault(name, {}).setdefault((row.model, row.resolution[0]), row.images_per_s)
    from bench.plan.zoo import resolve

    for setting, networks in settings.items():
        here = {}
        for n in networks:
            try:
                side = n.resolution or resolve(n.model).resolution
            except BenchError:  # a file that is not here; no paper has it
                continue
            here[n.model, int(float(side or 0))] = n.latency_ms
        for device, speeds in devices.items():
            x = {f"{model} {side}": ms for (model, side), ms in here.items() if (model, side) in speeds}
            y = {f"{model} {side}": 1 / speed for (model, side), speed in speeds.items()}
            yield from _agree(setting, device, x, y)


def _agree(a: str, b: str, x: dict[str, float], y: dict[str, float]) -> Iterable[Reordering]:
    both = [name for name in x if name in y]
    if len(both) >= LEAST_CASES:
        left, right = [x[name] for name in both], [y[name] for name in both]
        yield Reordering(a, b, len(both), moved(left, right), correlations(left, right))
