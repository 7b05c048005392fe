"""The evidence on disk: one JSON object per line, appended as soon as it is there, so that a broken run goes on.

The first line says on what machine and how (``header``). Then come ``wave`` lines (`bench.measure.replicates.measure`),
``share`` lines (a profiled launch) and ``count`` lines (what a graph holds). Verdicts are never stored: they follow.
"""

from __future__ import annotations

import gzip
import itertools
import json
import math
import os
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.backends.answers import Inspected
from bench.base.errors import OutputError
from bench.base.wire import Unchecked
from bench.machine.environment import Environment, local
from bench.measure.replicates import latency_ns, log_ratio
from bench.stats.turns import Spread, learn

FORMAT = 1
APART_S = 300.0
APART = 12


@dataclass
class Evidence:
    """What is known so far: replicates per group of cases, shares per case, counts per network."""

    header: Unchecked = field(default_factory=dict)
    replicates: list[Unchecked] = field(default_factory=list)
    shares: dict[str, list[Unchecked]] = field(default_factory=dict)
    counts: dict[str, Unchecked] = field(default_factory=dict)
    errors: dict[str, dict[str, str]] = field(default_factory=dict)
    _waves: dict[str, list[int]] = field(default_factory=dict)  # the replicates of a case, by number

    def add(self, line: Unchecked) -> None:
        """Take in one line."""
        match line["kind"]:
            case "header":
                self.header = line
            case "wave":
                self.replicates.append(line)
                for id, side in line["sides"].items():
                    self._waves.setdefault(id, []).append(len(self.replicates) - 1)
                    if "error" in side:
                        self.errors[id] = side
                    else:
                        self.errors.pop(id, None)
            case "share":
                self.shares.setdefault(line["case"], []).append(line)
            case "count":
                self.counts[line["model"]] = self.counts.get(line["model"], {}) | line
            case "error":
                self.errors[line["case"]] = line

    def sessions(self, a: str, b: str) -> list[list[float]]:
        """Return the log-ratio of two cases from every replicate that has both, a list per session.

        A session ends where the next replicate of both came `APART_S` later; in evidence that does not tell when, where
        more than `APART` other replicates lie between them.
        """
        found: list[list[float]] = []
        last = -1
        others = set(self._waves.get(b, ()))
        for number in (n for n in self._waves.get(a, ()) if n in others):
            sides = self.replicates[number]["sides"]
            if (ratio := log_ratio(sides[a], sides[b])) is not None:
                if not found or self._apart(last, number):
                    found.append([])
                found[-1].append(ratio)
                last = number
        return found

    def _apart(self, one: int, other: int) -> bool:
        before, after = (self.replicates[i].get("at") for i in (one, other))
        if before is None or after is None:
            return other - one > APART
        return bool(after - before > APART_S)

    def spread(self) -> Spread:
        """Learn by what effects on this machine differ, from all cases that took turns."""
        waves: dict[tuple[str, str], list[int]] = {}
        for number, replicate in enumerate(self.replicates):
            for pair in itertools.combinations(sorted(replicate["sides"]), 2):
                waves.setdefault(pair, []).append(number)
        together: dict[tuple[int, ...], list[list[list[float]]]] = {}
        for (a, b), numbers in waves.items():
            if len(numbers) > 1:
                together.setdefault(tuple(numbers), []).append(self.sessions(a, b))
        return learn(together.values())

    def latencies_ms(self, a: str, b: str) -> tuple[float | None, float | None]:
        """Return the geometric mean latency of two cases over the replicates that have both.

        Those of either alone may be of another hour, when the machine was faster.
        """
        shared = set(self._waves.get(a, ())) & set(self._waves.get(b, ()))
        both = [self.replicates[number]["sides"] for number in sorted(shared)]
        both = [sides for sides in both if "blocks" in sides[a] and "blocks" in sides[b]]
        if not both:
            return None, None
        first, second = (
            math.exp(math.fsum(math.log(latency_ns(sides[id])) for sides in both) / len(both)) / 1e6 for id in (a, b)
        )
        return first, second

    def inspected(self, id: str) -> Inspected | None:
        """Return what the runtime said of a case, if it was asked."""
        for replicate in self.replicates:
            found: Inspected | None = replicate["sides"].get(id, {}).get("inspected")
            if found:
                return found
        return None


def read(path: Path) -> Evidence:
    """Read a file of evidence, compressed (``.gz``) or not.

    A last line that a killed run left half written is passed over.

    Raises:
        OutputError: it is not there, or holds something else.
    """
    if path.suffix == ".csv":
        beside = path.with_suffix(".jsonl")
        hint = f"give {beside}" if beside.exists() else "`bench findings run` writes NAME.jsonl beside NAME.csv"
        raise OutputError(f"{path} is the table of a run, and no evidence", hint)
    try:
        data = path.read_bytes()
        lines = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8").splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is no text"
        raise OutputError(f"{path} cannot be read: {said}", "`bench findings run` writes one") from error
    evidence = Evidence()
    for number, line in enumerate(lines, 1):
        try:
            evidence.add(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if number == len(lines) and not line.endswith("}"):
                continue
            raise OutputError(f"{path}, line {number} is no evidence of findings", "give another file") from error
    if evidence.header.get("format") != FORMAT:
        raise OutputError(f"{path} holds no evidence of findings", "give the .jsonl that `bench findings run` wrote")
    return evidence


def header(seed: int, environment: Environment, target: str = "local") -> dict[str, object]:
    """Describe the machine that measures and the program."""
    from datetime import UTC, datetime

    from bench import __version__
    from bench.machine.identity import machine_of

    started = datetime.now(UTC).isoformat(timespec="seconds")
    base = {"kind": "header", "format": FORMAT, "isoflops_version": __version__, "started_at": started, "seed": seed}
    told = asdict(environment)
    del told["system_id"]  # evidence is published: what tells machines apart is in the hash, with all else
    return base | {"target": target, "machine": machine_of(environment), "environment": told}


def open_file(
    path: Path, resume: bool, seed: int, environment: Environment | None = None, target: str = "local"
) -> Evidence:
    """Begin a file, or go on with one; `environment` is that of the device, this machine's if none is given.

    Raises:
        OutputError: it is there and `resume` was not asked for, or it was measured on another machine or seed.
    """
    from bench.machine.identity import is_machine

    environment = environment or local()
    new = header(seed, environment, target)
    if path.exists():
        if not resume:
            raise OutputError(f"{path} is there already", "--resume goes on with it; --output writes another")
        evidence = read(path)
        same = {"machine": is_machine(environment, evidence.header), "seed": evidence.header.get("seed") == seed}
        for key in (key for key, fits in same.items() if not fits):
            raise OutputError(f"{path} has another {key}", "begin a file of its own with --output")
        _cut(path)
        return evidence
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be made: {error.strerror}", "choose another --output") from error
    evidence = Evidence()
    append(path, evidence, new)
    return evidence


def _cut(path: Path) -> None:
    """Cut off a last line that a killed run left half written."""
    data = path.read_bytes()
    if not data.endswith(b"\n"):
        with path.open("r+b") as handle:
            handle.truncate(data.rfind(b"\n") + 1)


def append(path: Path, evidence: Evidence, line: dict[str, object]) -> None:
    """Write one line through to the disk, and take it in; OutputError where that fails."""
    try:
        with path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line, separators=(",", ":")) + "\n")
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}", "choose another --output") from error
    evidence.add(line)
