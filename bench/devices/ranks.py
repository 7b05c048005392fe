"""How far MACs, parameters, memory access or our own latencies tell the order of networks on each published device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from bench.devices.settings import Known, Setting
from bench.papers.device_records import CLASSES
from bench.stats.ranks import Correlation, resampled

LEAST = 8  # networks; fewer have no order worth a number
DRAWN = 7  # in the picture of all classes: the tables of NPUs have no more mobile networks
# Size alone orders a range that goes from MobileNet to VGG; among networks of one purpose it has to do better.
MOBILE, ALL = "mobile", "all"
MACS, PARAMS, ACCESS, OURS = "MACs", "parameters", "memory access", "our latencies"


@dataclass(frozen=True)
class Ranked:
    """How well the order by `by` is that of the latencies of a setting, among its `networks` (mobile ones or all).

    `approximate` of them are only nearly a network of the zoo.
    """

    setting: Setting
    networks: str
    by: str
    correlations: tuple[Correlation, ...]
    approximate: int = 0

    @property
    def n(self) -> int:
        """How many networks there are."""
        return self.correlations[0].n

    @property
    def spearman(self) -> Correlation:
        """Spearman's rho."""
        return next(c for c in self.correlations if c.name == "Spearman")


@dataclass(frozen=True)
class Summary:
    """Of the settings of one class: how many there are, of how many devices, and their rank correlations (Spearman)."""

    kind: str
    settings: int
    devices: int
    median: float
    lowest: float
    highest: float
    above_90: int
    below_50: int


def rank(
    settings: Iterable[Setting],
    least: int = LEAST,
    ours: Mapping[str, Mapping[Known, float]] | None = None,
    networks: tuple[str, ...] = (MOBILE, ALL),
    by: tuple[str, ...] = (MACS, PARAMS, ACCESS),
) -> list[Ranked]:
    """Rank every setting that has at least `least` networks that were found to be the zoo's, or nearly.

    Args:
        settings: published settings.
        least: networks; settings with fewer are left out.
        ours: latencies of our own rows by setting and network: a predictor more for each, named by its setting.
        networks: `MOBILE`, `ALL`, or both.
        by: which counts to rank by.
    """
    found = []
    for setting in settings:
        for group in networks:
            known = setting.networks(group == MOBILE)
            for name, values in _predictors(known, by, ours or {}).items():
                pairs = [(values[key], ms) for key, (_, ms) in known.items() if key in values]
                nearly = sum(known[key][0].match == "approximate" for key in known if key in values)
                if len(pairs) >= least and (told := resampled([v for v, _ in pairs], [ms for _, ms in pairs])):
                    found.append(Ranked(setting, group, name, told, nearly))
    return found


def summarise(ranked: Iterable[Ranked]) -> list[Summary]:
    """Sum up rank correlations by class, in the order of `CLASSES`, and then of them all where there are several."""
    listed = list(ranked)
    found = []
    several = len({one.setting.kind for one in listed}) > 1
    for kind in (*CLASSES, *([""] if several else [])):
        mine = [one for one in listed if kind in ("", one.setting.kind)]
        if mine:
            values = [one.spearman.value for one in mine]
            chips = len({one.setting.device.chip for one in mine})
            found.append(
                Summary(
                    kind or "every class",
                    len(mine),
                    chips,
                    median(values),
                    min(values),
                    max(values),
                    sum(v > 0.9 for v in values),
                    sum(v < 0.5 for v in values),
                )
            )
    return found


def _predictors(
    known: Mapping[Known, tuple[object, float]], by: tuple[str, ...], ours: Mapping[str, Mapping[Known, float]]
) -> dict[str, dict[Known, float]]:
    """Return the values that may tell the order, by what they are."""
    fields = {MACS: "macs", PARAMS: "params", ACCESS: "zoo_access_mb"}
    counts = {
        name: {key: v for key, (network, _) in known.items() if (v := getattr(network, fields[name])) is not None}
        for name in by
    }
    return counts | {f"{OURS}, {name}": dict(times) for name, times in ours.items()}
