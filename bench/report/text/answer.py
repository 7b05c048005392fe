"""The answer of ``docs/findings.md``: one sentence and what it rests on, made from the evidence of every machine."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.base.escape import markdown
from bench.findings.evaluate import Result, distinct
from bench.findings.family import Expected
from bench.findings.store import Evidence
from bench.findings.verdict import INCONCLUSIVE, STAYS, TRANSFERS
from bench.report.causes import Pair
from bench.report.text.machines import agree_words
from bench.report.text.papers import is_ours, is_timed, is_varied


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with its evidence: what it is called, the file, its pairs of equal MACs, and what another run may do.

    `chances` are of its distinct verdicts.
    """

    name: str
    file: str
    evidence: Evidence
    pairs: Sequence[Pair]
    chances: Expected


def answer(results: Sequence[Result], machines: Sequence[Machine]) -> list[str]:
    """Say the main result, a point for each of what it rests on, and how sure that is."""
    once = [r for r in distinct(results) if is_timed(r)]
    published = [r for r in once if not is_ours(r) and not is_varied(r)]
    claims = len({r.finding.id for r in results if r.found is not None and not is_ours(r)})
    several = len(machines) > 1
    parts = []
    for m in machines:
        mine = [r for r in results if r.backend and r.machine in ("", m.name)]
        on = {r.measurement: r.here.threads if r.here else "" for r in mine if r.found is not None}
        several_cores = sum(threads not in ("", "1") for threads in on.values())
        cores = f"one core ({several_cores} of them on more)" if several_cores else "one core"
        runtimes = _and(list(dict.fromkeys(r.backend for r in mine)))
        cpu = f"{markdown(m.evidence.header['environment']['cpu'])} ({m.name})" if m.name else cpu_of(m.evidence)
        parts.append(f"{len(on)} measurements on {cores} of {cpu} in {runtimes}")
    told = _pair_sentence(machines)
    counts = Counter(r.verdict for r in published)
    holds = sum(n for verdict, n in counts.items() if verdict.startswith(TRANSFERS))
    told.append(
        f"Of {len(published)} published effects on time{', counted once per machine,' if several else ','} "
        f"{sum(r.like for r in published) or 'none'} of which was measured under the conditions of "
        f"{'these machines' if several else 'this machine'}, the direction transfers for {holds}, the size for "
        f"{counts[TRANSFERS]}; {counts[STAYS]} do not transfer and {counts[INCONCLUSIVE]} are open."
    )
    told += _guideline(results)
    verdicts, reworded, contrary = (
        sum(getattr(m.chances, name) for m in machines) for name in ("verdicts", "reworded", "contrary")
    )
    again = f"of {verdicts} verdicts another run {'there' if several else 'on it'} would word {reworded:.0f} otherwise"
    again += f" and turn {contrary:.0f} into the contrary"
    if several:
        told.append(f"These are shared virtual machines: {again}; {agree_words(results)}.")
    else:
        told.append(f"This is one shared virtual machine: {again}, and another machine more.")
    told.append(f"Measured: {_and(parts)}, fp32, against what papers print in {claims} claims and tables.")
    return ["**FLOPs do not tell the speed.**", "", *(f"- {point}" for point in told)]


def _pair_sentence(machines: Sequence[Machine]) -> list[str]:
    """Say how many pairs differ in every runtime, on every machine that has them, and by how much the worst does."""
    ratios: dict[tuple[str, str], list[float]] = {}
    differ: dict[tuple[str, str], bool] = {}
    for pair in (pair for m in machines for pair in m.pairs):
        key = (pair.a, pair.b)
        ratios.setdefault(key, []).extend(effect.log for effect in pair.ratios.values())
        off = all(e.lo > math.log(1.1) or e.hi < -math.log(1.1) for e in pair.ratios.values())
        differ[key] = differ.get(key, True) and off
    if not ratios:
        return []
    worst = max(ratios, key=lambda key: max(map(abs, ratios[key])))
    times = sorted(math.exp(log) for log in ratios[worst])
    span = f"{times[0]:.2g} to {times[-1]:.2g}" if len(times) > 2 else _and([f"{t:.2g}" for t in reversed(times)])
    machine = " on every machine" if len(machines) > 1 else ""
    return [
        f"Of {len(ratios)} pairs of networks within 10% MACs {sum(differ.values())} differ by more than 10% in time, "
        f"interval and all, in every runtime{machine}; `{worst[1]}` takes {span} times as long as `{worst[0]}`."
    ]


def _guideline(results: Sequence[Result]) -> list[str]:
    g1 = [r for r in results if r.finding.id == "G1" and r.experiment and r.found]
    head = [r for r in g1 if r.headline]
    if not head or head[0].experiment is None:
        return []
    name = head[0].experiment.name
    aligned = [r for r in g1 if r.experiment and r.experiment.name == f"{name}, aligned"]
    here, left = (sorted(math.exp(r.found.log) for r in rs if r.found) for rs in (head, aligned))
    return [
        f"ShuffleNet V2's guideline G1, 1x1 convolutions of 1:12 channels, cost {head[0].experiment.printed:.2f} times "
        f"the time on its GPU and {_span(here)} here, of which with channels in blocks of 16 {_span(left)} remain: the "
        "rest is padding and layout."
    ]


def _span(values: Sequence[float]) -> str:
    told = [f"{value:.2f}" for value in values]
    return f"{told[0]} to {told[-1]}" if len(told) > 2 else _and(list(reversed(told)))


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def cpu_of(evidence: Evidence) -> str:
    """Return what a machine's CPU is called."""
    told = evidence.header["environment"]
    return f"{markdown(str(told['cpu']))} ({markdown(str(told['microarchitecture']))})"
