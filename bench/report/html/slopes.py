"""Ranks on several settings side by side: which settings, and the networks that all of them have."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TypeVar

from bench.base.escape import shortened
from bench.base.words import counted
from bench.devices.settings import Known, Setting, settings
from bench.findings.ranked import LEAST_CASES
from bench.papers.device_records import CLASSES
from bench.plan.zoo import canonical
from bench.report.html.cases import CaseRow, named
from bench.report.html.facets import Record
from bench.report.html.pairs import Cell, digits, levels, side
from bench.stats.ranks import correlations

K = TypeVar("K", bound=Hashable)
MOST = 8  # settings side by side
LEAST_PUBLISHED = 5  # networks that published devices must share
MOST_PUBLISHED = 12  # choices among them
KEPT = 0.75  # of the networks: a setting that would leave fewer begins another choice
HEAD = 46  # characters of a setting's name
MOVERS = 6  # networks with a colour: those that change places most


@dataclass(frozen=True)
class Column:
    """A setting: its short name, its whole one, where it was published, and of each network the ms and the subjects."""

    head: str
    whole: str
    source: str
    cells: tuple[tuple[float, list[int]], ...]

    @property
    def ms(self) -> list[float]:
        """Latencies."""
        return [ms for ms, _ in self.cells]


@dataclass(frozen=True)
class Slopes:
    """Settings side by side: a record per network and setting, and in words how far each has the first one's order.

    Records of the `MOVERS` networks that change places most have a number as `mover`.
    """

    settings: tuple[str, ...]
    records: tuple[Record, ...]
    told: str
    table: str = ""  # of published devices

    @property
    def networks(self) -> int:
        """How many networks all of them have."""
        return len({record["network"] for record in self.records})

    @property
    def name(self) -> str:
        """What a person chooses it by."""
        others = len(self.settings) - 1
        whose = f"published in {self.table}, " if self.table else ""
        return f"{self.settings[0]} beside {counted(others, 'other')} ({whose}{self.networks} networks)"


def slopes(rows: Sequence[CaseRow]) -> tuple[Slopes, ...]:
    """Return the choices: our own settings first, the one with the most settings before others, then with devices."""
    found = levels(rows)
    if not found:
        return ()
    names = named(rows)
    mine = sorted(found, key=lambda setting: -len(found[setting]))
    own = [
        _own([(names[mine[i]], found[mine[i]]) for i in chosen], common)
        for chosen, common in together([set(found[setting]) for setting in mine], MOST, LEAST_CASES)
        if len(chosen) > 1
    ]
    base = found[mine[0]]
    known = {(canonical(row.model), side(row)): row for row in base.values()}
    tables = dict.fromkeys(setting.table for setting in settings())
    beside = [one for table in tables for one in _beside(names[mine[0]], known, table)]
    return (*reversed(own), *sorted(beside, key=lambda one: (-len(one.settings), -one.networks))[:MOST_PUBLISHED])


def together(sets: Sequence[Set[K]], most: int, least: int) -> list[tuple[list[int], Set[K]]]:
    """Choose sets that have much in common: the first, then always the one that leaves most.

    Where the next one would leave less than `KEPT` of it, what there is so far is a choice of its own. Returns choices,
    each the numbers of its sets, and what they have in common: at least `least`.
    """
    chosen: list[int] = [0]
    common: Set[K] = set(sets[0])
    rest = list(range(1, len(sets)))
    found: list[tuple[list[int], Set[K]]] = []
    while rest and len(chosen) < most:
        best = max(rest, key=lambda i: len(common & sets[i]))
        left = common & sets[best]
        if len(left) < least:
            break
        if len(left) < KEPT * len(common):
            found.append((list(chosen), set(common)))
        rest.remove(best)
        chosen.append(best)
        common = left
    return [*found, (chosen, common)]


def _own(chosen: Sequence[tuple[str, Mapping[Cell, CaseRow]]], common: Set[Cell]) -> Slopes:
    order = [key for key in chosen[0][1] if key in common]
    columns = [Column(name, name, "", _cells(there[key] for key in order)) for name, there in chosen]
    return _made([chosen[0][1][key].label for key in order], columns)


def _cells(rows: Iterable[CaseRow]) -> tuple[tuple[float, list[int]], ...]:
    return tuple((row.latency_ms or 0.0, [row.index]) for row in rows)  # `measured`


def _beside(name: str, mine: Mapping[Known, CaseRow], table: str) -> list[Slopes]:
    """Hold a setting of ours against one of each class of a published table, those that share most networks with it.

    One table alone, because one person measured it in one way, and its devices have the same networks.
    """
    theirs = []
    for kind in CLASSES:
        both = [(s, s.networks(mobile=False)) for s in settings() if (s.table, s.kind) == (table, kind)]
        if both:
            # Of several with as many: one thread, and what is not rounded, is most like the measuring here.
            theirs.append(max(both, key=lambda one: (len(one[1].keys() & mine.keys()), *_like(one[0]))))
    sets: list[Set[Known]] = [set(mine), *(set(networks) for _, networks in theirs)]
    short = shortened((_short(setting) for setting, _ in theirs), HEAD)
    found = []
    for chosen, common in together(sets, MOST, LEAST_PUBLISHED):
        order = [key for key in mine if key in common]
        columns = [Column(name, name, "", _cells(mine[key] for key in order))]
        # In the order of classes, whichever was chosen first.
        for setting, networks in (theirs[i - 1] for i in sorted(chosen) if i):
            head = short[_short(setting)]
            whence = f"published in {table}"
            cells: list[tuple[float, list[int]]] = [(networks[key][1], []) for key in order]
            columns.append(Column(head, setting.name, whence, tuple(cells)))
        if len(columns) > 1:
            found.append(replace(_made([mine[key].label for key in order], columns), table=table))
    return found


def _like(setting: Setting) -> tuple[bool, bool]:
    return setting.threads == 1, setting.precision in ("", "fp32", "float")


def _short(setting: Setting) -> str:
    """Name a published setting by its class and its device, without what stands in brackets; the hover has the rest."""
    return f"{setting.kind}: {re.sub(r'[ ]*[(][^)]*[)]', '', setting.device.device)}"


def _made(networks: Sequence[str], columns: Sequence[Column]) -> Slopes:
    ranks = [_ranks(column.ms) for column in columns]
    moves = [max(rank[i] for rank in ranks) - min(rank[i] for rank in ranks) for i in range(len(networks))]
    most = sorted(i for i in sorted(range(len(networks)), key=lambda i: -moves[i])[:MOVERS] if moves[i])
    mover = {i: str(number) for number, i in enumerate(most, 1)}
    records: list[Record] = [
        {
            "network": network,
            "setting": column.head,
            "whole": column.whole,
            "source": column.source,
            "ms": digits(column.cells[i][0]),
            "rank": ranks[number][i],
            "column": number,
            "mover": mover.get(i, ""),
            "on": column.cells[i][1],
        }
        for number, column in enumerate(columns)
        for i, network in enumerate(networks)
    ]
    return Slopes(tuple(column.head for column in columns), tuple(records), _told(columns))


def _ranks(times: Sequence[float]) -> list[int]:
    order = sorted(range(len(times)), key=lambda i: times[i])
    return [order.index(i) + 1 for i in range(len(times))]


def _told(columns: Sequence[Column]) -> str:
    first = columns[0]
    said = []
    for column in columns[1:]:
        rho = next((c for c in correlations(first.ms, column.ms) if c.name == "Spearman"), None)
        if rho is not None:
            interval = "" if rho.lo is None or rho.hi is None else f" ({rho.lo:.2f} to {rho.hi:.2f})"
            said.append(f"{column.head} {rho.value:.2f}{interval}")
    return (
        f"{len(first.cells)} networks that all have. Rank correlation (Spearman) with {first.head}: {'; '.join(said)}."
    )
