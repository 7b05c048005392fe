"""A claim held against what others published of their devices: on how many settings does it hold?

Of an experiment whose two sides are networks of the zoo, one image at a time and at their own resolution, every
published setting that has both of them gives a ratio. Nothing there has an interval: a ratio within 2% of 1 is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

from bench.base.escape import markdown_cell
from bench.devices.settings import Known, Setting, settings
from bench.findings.evaluate import Result
from bench.findings.finding import OURS, TIME, Experiment
from bench.findings.side import Side
from bench.findings.verdict import MARGIN
from bench.papers.device_records import CLASSES, DeviceNetwork
from bench.plan.zoo import canonical, resolve


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An experiment on the published settings of one class of devices (empty: of all).

    `ratios` are B's time over A's (per MAC where the experiment asks so), `devices` counts the chips, `holds` the
    settings whose ratio goes the way of the published effect, or is the published figure where the claim is that.
    `near` counts those within a quarter of it (log effect), None where no size is published.
    """

    experiment: Experiment
    kind: str
    ratios: tuple[float, ...]
    devices: int
    holds: int
    near: int | None


def of(experiment: Experiment, among: Iterable[Setting] | None = None) -> list[Elsewhere]:
    """Return what published settings say of an experiment, class by class and then all; nothing where none has both."""
    a, b = (None if side is None else known(side) for side in (experiment.a, experiment.b))
    if a is None or b is None or experiment.quantity != TIME:
        return []
    pairs = []
    for setting, networks in _networks() if among is None else [(s, s.networks(mobile=False)) for s in among]:
        if a in networks and b in networks:
            (first, a_ms), (second, b_ms) = networks[a], networks[b]
            if first.match == second.match == "same" and first.macs and second.macs:
                more = second.macs / first.macs if experiment.per_mac else 1.0
                pairs.append((setting, b_ms / a_ms / more))
    kinds = [kind for kind in CLASSES if any(s.kind == kind for s, _ in pairs)]
    found = [_sum(experiment, kind, [(s, r) for s, r in pairs if s.kind == kind]) for kind in kinds]
    return [*found, _sum(experiment, "", pairs)] if pairs else []


def _sum(experiment: Experiment, kind: str, pairs: Sequence[tuple[Setting, float]]) -> Elsewhere:
    log = experiment.log_published
    ratios = [ratio for _, ratio in pairs]
    off = [abs(math.log(r) - log) for r in ratios] if log else []
    return Elsewhere(
        experiment,
        kind,
        tuple(ratios),
        len({s.device.chip for s, _ in pairs}),
        sum(_holds(experiment, math.log(r)) for r in ratios),
        sum(o <= abs(log) / 4 for o in off) if log and experiment.origin != OURS else None,
    )


def _holds(experiment: Experiment, ratio: float) -> bool:
    log = experiment.log_published
    if log is not None and experiment.equals and experiment.origin != OURS:
        return abs(ratio - log) <= math.log(experiment.within) + experiment.blur
    return _sign(experiment) * ratio > MARGIN


def _sign(experiment: Experiment) -> int:
    log = experiment.log_published
    return experiment.direction if log is None else -1 if log < 0 else 1


def known(side: Side) -> Known | None:
    """Return a side as the published tables know networks; None where they cannot have it."""
    if side.batch != 1 or side.model.startswith(("stack/", "variant/")):
        return None
    resolution = side.resolution or resolve(side.model).resolution
    return (canonical(side.model), resolution) if resolution else None


@cache
def _networks() -> tuple[tuple[Setting, dict[Known, tuple[DeviceNetwork, float]]], ...]:
    return tuple((setting, setting.networks(mobile=False)) for setting in settings())


def devices(results: Sequence[Result]) -> list[str]:
    """Return a paragraph and a table: on how many published settings the claims of a finding hold, by class."""
    experiments = {(e.a, e.b, e.per_mac): e for r in results if (e := r.experiment) is not None and e.b is not None}
    found = [(e, told) for e in experiments.values() if (told := of(e))]
    if not found:
        return []
    ours = all(e.origin == OURS for e, _ in found)
    sized = any(told[-1].near is not None for _, told in found)
    lines = ["", "On devices that others published ([devices.md](../devices.md); no intervals, in every precision; the "
             "same networks by their MACs):", "",
             f"| experiment | devices | settings | chips | {'slower per MAC' if ours else 'holds'} |"
             f"{' of its size |' if sized else ''} median ratio | range |",
             f"| --- | --- | ---: | ---: | ---: |{' ---: |' if sized else ''} ---: | --- |"]  # fmt: skip
    for e, told in found:
        for one in told[:1] if len(told) == 2 else told:
            low, high = min(one.ratios), max(one.ratios)
            count = len(one.ratios)
            near = [] if not sized else ["" if one.near is None else str(one.near)]
            cells = [markdown_cell(e.name), one.kind or "**all**", str(count), str(one.devices), str(one.holds), *near,
                     f"{median(one.ratios):.3g}", f"{low:.3g} to {high:.3g}" if count > 1 else ""]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def summary(results: Sequence[Result], where: Callable[[Result], str]) -> list[str]:
    """Return a table of one experiment per finding that published devices have: its headline, or else the first.

    `where` makes the link to a finding's page.
    """
    ordered = sorted(results, key=lambda r: not r.headline)  # a stable sort
    chosen: dict[str, tuple[Result, list[Elsewhere]]] = {}
    for r in ordered:
        if r.finding.id in chosen or r.experiment is None or r.experiment.origin == OURS:
            continue
        if told := of(r.experiment):
            chosen[r.finding.id] = (r, told)
    rows = []
    for id in dict.fromkeys(r.finding.id for r in results if r.finding.id in chosen):
        r, told = chosen[id]
        e = r.experiment
        if e is not None:
            classes = ", ".join(f"{one.holds} of {len(one.ratios)} {one.kind}" for one in told if one.kind)
            printed = "" if e.printed is None else f"{e.printed:.3g}"
            cells = [where(r), markdown_cell(e.name), printed, f"{told[-1].holds} of {len(told[-1].ratios)}",
                     str(told[-1].devices), f"{median(told[-1].ratios):.3g}", classes]  # fmt: skip
            rows.append(f"| {' | '.join(cells)} |")
    if not rows:
        return []
    return ["## On devices that others published", "",
            "Claims whose two networks stand in published tables of latencies, each by its headline if that does "
            "([devices.md](devices.md)), in every precision, on CPUs, GPUs and NPUs; nothing there has an interval, "
            "and a ratio within 2% of 1 is no effect. Each paper's page has the others.", "",
            "| finding | experiment | published | holds in settings | chips | median ratio | by class |",
            "| --- | --- | --- | ---: | ---: | ---: | --- |", *rows, ""]  # fmt: skip
