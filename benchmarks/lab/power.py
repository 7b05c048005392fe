"""False alarms and power of `bench ab`: pairs are recorded once, and judged as often as one likes.

A/A pairs compare a network with itself. For power the other side is the same network with real extra work
(`benchmarks.lab.extra`), as much as costs the wanted share of latency. What it truly costs is taken from all pairs
together.
"""

from __future__ import annotations

import hashlib
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bench.base import cache
from bench.export import ensure
from bench.measure.pairs import enough, run
from bench.plan import zoo
from bench.plan.case import Case
from bench.plan.protocol import PairProtocol
from bench.rows import file as records
from bench.stats.robust import trimmed_interval
from bench.stats.verdict import decide
from benchmarks.lab.extra import add_work, tune

FALSE = ("slower", "faster")
TUNING_PAIRS = 10


@dataclass(frozen=True, slots=True)
class PairSeries:
    """The recorded pairs of one network with one amount of extra work, in order of time."""

    name: str
    wanted: float
    extra_macs: int
    log_ratios: tuple[float, ...]
    pair_s: float


def slowed(case: Case, hidden: int) -> tuple[Case, int]:
    """Return the case with extra work, as an ONNX file in the cache, and the MACs added."""
    artifact = ensure(case.network)
    name = hashlib.sha256(f"{artifact.sha256}/{hidden}".encode()).hexdigest()[:16]
    path = cache.folder("lab") / f"{case.model.canonical.split(':')[0]}-{name}.onnx"
    macs = add_work(artifact.path, hidden, path)
    return replace(case, network=replace(case.network, model=zoo.resolve(str(path)), resolution=None)), macs


def record(
    case: Case, wanted: float, pairs: int, output: Path, told: Callable[[str, int], None], seed: int = 0
) -> None:
    """Measure the pairs that `output` does not hold yet; `wanted` is the share of extra latency, 0 for A/A.

    Pairs are appended one by one, so that a second call goes on where the first one stopped.
    """
    name = f"{case.model.canonical}@{case.backend.canonical}"
    known = [r for r in _records(output) if r["name"] == name and r["wanted"] == wanted]
    protocol = PairProtocol(seed=seed)
    other, macs, hidden = case, 0, 0
    if wanted and known:
        hidden = known[0]["hidden"]
    elif wanted:
        hidden = tune(float(np.log1p(wanted)), lambda h: _effect(case, h, protocol, told))
    if hidden:
        other, macs = slowed(case, hidden)
    done = len(known)
    measuring = run(case, other, protocol, done=done)
    while done < pairs:
        pair = next(measuring)
        done += 1
        identity = {"name": name, "wanted": wanted, "hidden": hidden, "extra_macs": macs, "a": case.identity()}
        found = {"pair": pair.number, "log_ratio": pair.log_ratio, "quads": pair.quads, "latency_ns": pair.latency_ns}
        times = [block["start_ns"] for block in pair.raw["blocks"]]
        blocks = [[b["side"], b["quad"], b["latency_ns"]] for b in pair.raw["blocks"]]
        records.append_samples(output, [identity | found | {"start_ns": times[0], "blocks": blocks}])
        told(f"{name} +{wanted:.0%}", done)


def _effect(case: Case, hidden: int, protocol: PairProtocol, told: Callable[[str, int], None]) -> float:
    other, _ = slowed(case, hidden)
    measuring = run(case, other, protocol, done=100_000 + hidden)
    found = []
    for i in range(TUNING_PAIRS):
        found.append(next(measuring).log_ratio)
        told(f"tuning with {hidden} channels, {statistics.median(found):+.2%}", i + 1)
    return trimmed_interval(found, 0.95)[0]


def launches(output: Path, one: PairSeries) -> tuple[list[Any], list[Any], list[float]]:
    """Return the block means of either side, pair by pair, and the log-ratios: what `benchmarks.lab.rules` judges."""
    sides: tuple[list[Any], list[Any]] = ([], [])
    ratios = []
    for r in _records(output):
        if (r["name"], r["wanted"], r["extra_macs"]) == (one.name, one.wanted, one.extra_macs) and "blocks" in r:
            ratios.append(r["log_ratio"])
            for side, found in zip("AB", sides, strict=True):
                found.append(np.array([statistics.fmean(ns) for which, _, ns in r["blocks"] if which == side]))
    return *sides, ratios


def series(output: Path) -> list[PairSeries]:
    """Read everything recorded, network by network, A/A first."""
    groups: dict[tuple[str, float, int], list[dict[str, Any]]] = {}
    for r in _records(output):
        groups.setdefault((r["name"], r["wanted"], r["extra_macs"]), []).append(r)
    found = []
    for (name, wanted, macs), rows in sorted(groups.items()):
        gaps = [(b["start_ns"] - a["start_ns"]) / 1e9 for a, b in pairwise(rows) if b["start_ns"] > a["start_ns"]]
        ratios = tuple(r["log_ratio"] for r in rows)
        found.append(PairSeries(name, wanted, macs, ratios, statistics.median(gaps) if gaps else 0.0))
    return found


def comparison(log_ratios: Sequence[float], protocol: PairProtocol, margin: float, pair_s: float) -> tuple[str, int]:
    """Judge recorded pairs exactly as `bench ab` would: stop where it stops, decide as it decides."""
    protocol = replace(protocol, margin=margin)
    used: list[float] = []
    for ratio in log_ratios:
        used.append(ratio)
        if enough(used, protocol, len(used) * pair_s):
            break
    return decide(used, margin, protocol.looks).verdict, len(used)


def disjoint(one: PairSeries, protocol: PairProtocol, margin: float = 0.01) -> Counter[str]:
    """Return the verdicts of comparisons that share no pair, in order of time."""
    verdicts: Counter[str] = Counter()
    left = list(one.log_ratios)
    while len(left) >= protocol.most or (len(left) >= protocol.first and not verdicts):
        verdict, used = comparison(left, protocol, margin, one.pair_s)
        verdicts[verdict] += 1
        left = left[used:]
    return verdicts


def resampled(
    one: PairSeries, protocol: PairProtocol, margin: float = 0.01, draws: int = 2000
) -> tuple[Counter[str], float]:
    """Return the verdicts of comparisons of pairs drawn with replacement, and their mean number of pairs.

    In A/A pairs the sides are exchangeable, so each is drawn with either sign.
    """
    rng = np.random.default_rng(0)
    pool = np.array(one.log_ratios)
    verdicts: Counter[str] = Counter()
    pairs = 0
    for _ in range(draws):
        drawn = rng.choice(pool, protocol.most)
        if not one.wanted:
            drawn = drawn * rng.choice([-1.0, 1.0], protocol.most)
        verdict, used = comparison(drawn.tolist(), protocol, margin, one.pair_s)
        verdicts[verdict] += 1
        pairs += used
    return verdicts, pairs / draws


def summary(one: PairSeries, protocol: PairProtocol | None = None, margin: float = 0.01) -> dict[str, Any]:
    """Return one line of the table: what was recorded, and what `bench ab` says of it."""
    protocol = protocol or PairProtocol()
    centre, lo, hi = trimmed_interval(one.log_ratios, 0.95)
    verdicts, pairs = resampled(one, protocol, margin)
    draws = verdicts.total()
    apart = disjoint(one, protocol, margin)
    return {
        "case": one.name,
        "wanted": one.wanted,
        "extra_macs": one.extra_macs,
        "pairs": len(one.log_ratios),
        "effect": float(np.expm1(centre)),
        "effect_lo": float(np.expm1(lo)),
        "effect_hi": float(np.expm1(hi)),
        "sd": float(np.std(one.log_ratios, ddof=1)),
        "pair_s": one.pair_s,
        "disjoint": ", ".join(f"{n} {verdict}" for verdict, n in apart.most_common()),
        "slower": verdicts["slower"] / draws,
        "faster": verdicts["faster"] / draws,
        "equivalent": verdicts["equivalent"] / draws,
        "other": (verdicts["inconclusive"] + verdicts["changed below threshold"]) / draws,
        "mean_pairs": pairs,
    }


def _records(output: Path) -> list[dict[str, Any]]:
    path = records.samples_path(output)
    return [r for r in records.read_samples(output) if "wanted" in r] if path.exists() else []
