"""How cases repeat on a machine, remembered between runs in the user's cache: a small file per case.

Kept are raw numbers of each launch that counted, so that they can be told for any reference and judged by any rule.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.base import cache
from bench.base.errors import OutputError
from bench.base.files import write_whole
from bench.machine.environment import Environment
from bench.machine.identity import machine_of

SPREADS = "spreads.json"
MOST_CASES = 500  # of which the spread is kept
KEPT = 30  # runs of a case; older ones are forgotten
LEAST_RUNS = 3  # before a spread is told


@dataclass(frozen=True, slots=True)
class Past:
    """One run of a case: median time, product and copy of each launch in ns; how long it took and when, in s."""

    run_id: str
    launches: tuple[tuple[float, float, float], ...]
    over_s: float
    at_s: float = 0.0


def folder(environment: Environment, kind: str = "") -> Path:
    """Return where the runs of a machine are kept; those of another `kind` than latency say nothing of it."""
    return cache.root() / "machines" / f"{machine_of(environment)}{kind and f'-{kind}'}-runs"


def folders(environment: Environment) -> list[Path]:
    """Return the folders of all kinds of runs that there are of a machine."""
    return sorted((cache.root() / "machines").glob(f"{machine_of(environment)}*-runs"))


def recall(environment: Environment, case: str, kind: str = "") -> list[Past]:
    """Return the earlier runs of a case, oldest first. `case` names it with all that may move its time."""
    return _read(_file(folder(environment, kind), case))


def remember(environment: Environment, case: str, run: Past, spread: tuple[float, float], kind: str = "") -> None:
    """Add a run, and what the case now says of its spread between runs (`Repeats.seen` and `.own`).

    A cache that cannot be written costs the memory alone.
    """
    try:
        where = folder(environment, kind)
        cache.folder("machines", where.name)
        file = _file(where, case)
        with cache.locked(where / "lock"):
            rows = [[past.run_id, past.at_s, past.over_s, past.launches] for past in [*_read(file), run][-KEPT:]]
            write_whole(file, json.dumps({"case": case, "runs": rows}).encode())
            known = _spreads(where)
            known.pop(file.stem, None)
            latest = dict([*known.items(), (file.stem, spread)][-MOST_CASES:])
            write_whole(where / SPREADS, json.dumps(latest).encode())
    except (OSError, OutputError):
        return


def spreads(environment: Environment, kind: str = "") -> list[tuple[float, float]]:
    """Return what every case of a kind on a machine says of its spread between runs, as `remember` was told."""
    return list(_spreads(folder(environment, kind)).values())


def _spreads(where: Path) -> dict[str, tuple[float, float]]:
    try:
        told = json.loads((where / SPREADS).read_text())
        return {str(case): (float(seen), float(own)) for case, (seen, own) in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def repeat_sd(environment: Environment) -> tuple[float, int] | None:
    """Return the median over cases of the standard deviation of log latency between runs, and of how many cases."""
    found = []
    for file in sorted(set(folder(environment).glob("*.json")) - {folder(environment) / SPREADS}):
        past = _read(file)
        if len(past) >= LEAST_RUNS:
            medians = [statistics.geometric_mean(row[0] for row in run.launches) for run in past]
            found.append(statistics.stdev(medians) / statistics.fmean(medians))
    return (statistics.median(found), len(found)) if found else None


def _file(where: Path, case: str) -> Path:
    return where / f"{hashlib.sha256(case.encode()).hexdigest()[:16]}.json"


def _read(file: Path) -> list[Past]:
    """Read what is known; a file that does not parse is as good as none."""
    try:
        rows = json.loads(file.read_text())["runs"]
        return [
            Past(str(name), _positive(launches), float(over_s), float(at_s))
            for name, at_s, over_s, launches in rows
            if launches
        ]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _positive(launches: Sequence[Sequence[float]]) -> tuple[tuple[float, float, float], ...]:
    if any(not value > 0 for launch in launches for value in launch):
        raise ValueError("times are greater than zero")
    return tuple((float(latency), float(product), float(copy)) for latency, product, copy in launches)
