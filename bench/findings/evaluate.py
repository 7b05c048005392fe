"""From evidence to results: effect, interval and verdict of each experiment. Pure; nothing is measured or kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.backends.answers import Inspected
from bench.findings.finding import COUNTS, SHARE, TIME, Experiment, Finding
from bench.findings.store import Evidence
from bench.findings.verdict import NOT_TESTABLE, decide, exact
from bench.plan.case import BackendRef, Case
from bench.stats.ratio import LEAST, Effect, effect


@dataclass(frozen=True, slots=True)
class Result:
    """One experiment on one backend: its effect (a ratio), its verdict, and why where there is none.

    `experiment` is None where the finding has none.
    `a_ms` and `b_ms` are latencies for orientation; the effect comes from replicates, not from them. `padding` is how
    many times more MACs the runtime computes for B than for A because it pads channels, beyond those of the networks;
    None where it does not tell. `backend` is empty where something was counted and nothing ran.
    """

    finding: Finding
    experiment: Experiment | None
    backend: str
    found: Effect | None
    verdict: str
    reason: str = ""
    a_ms: float | None = None
    b_ms: float | None = None
    padding: float | None = None

    def record(self) -> dict[str, Any]:
        """Return it as plain data for a table, CSV or JSON."""
        e = self.experiment
        ratio, lo, hi = (round(x, 4) for x in self.found.ratios) if self.found else (None, None, None)
        return {
            "id": self.finding.id,
            "experiment": e.name if e else None,
            "backend": self.backend or None,
            "effect": ratio,
            "effect_lo": lo,
            "effect_hi": hi,
            "published": round(e.published, 4) if e and e.published is not None else None,
            "verdict": self.verdict,
            "channels": (e.channels or None) if e else None,
            "published_on": (e.device or None) if e else None,
            "quantity": e.quantity + (" per MAC" if e.per_mac else "") if e else None,
            "a": str(e.a) if e else None,
            "b": str(e.b) if e and e.b else None,
            "a_ms": None if self.a_ms is None else round(self.a_ms, 4),
            "b_ms": None if self.b_ms is None else round(self.b_ms, 4),
            "padding": None if self.padding is None else round(self.padding, 4),
            "waves": self.found.n if self.found else None,
            "claim": self.finding.claim,
            "source": self.finding.source,
            "runnable": self.finding.runnable,
            "reason": self.reason or None,
        }


def evaluate(
    findings: Iterable[Finding], backends: Sequence[BackendRef], evidence: Evidence, quick: bool = False
) -> list[Result]:
    """Judge every experiment of the findings on every backend; a finding without experiments gives its reason."""
    results: list[Result] = []
    for finding in findings:
        if not finding.runnable:
            results.append(Result(finding, None, "", None, NOT_TESTABLE, finding.reason))
        for experiment in finding.experiments:
            if quick and not experiment.quick:
                continue
            if experiment.quantity in COUNTS:
                results.append(_counted(finding, experiment, backends[0], evidence))
            else:
                results += [_measured(finding, experiment, backend, evidence) for backend in backends]
    return results


def log_effects(experiment: Experiment, backend: BackendRef, evidence: Evidence) -> list[float]:
    """Return one log effect per replicate of fresh processes."""
    cases = [side.case(backend) for side in experiment.sides]
    if experiment.quantity == SHARE:
        return [math.log(line["share"]) for line in evidence.shares.get(cases[0].id, [])]
    logs = evidence.log_ratios(cases[0].id, cases[1].id)
    if experiment.per_mac:
        a, b = (float(evidence.counts[str(case.network)]["macs"]) for case in cases)
        logs = [x - math.log(b / a) for x in logs]
    return logs


def _measured(finding: Finding, experiment: Experiment, backend: BackendRef, evidence: Evidence) -> Result:
    cases = [side.case(backend) for side in experiment.sides]
    names = [share_key(case) if experiment.quantity == SHARE else case.id for case in cases]
    error = next((evidence.errors[name] for name in names if name in evidence.errors), None)
    if error is not None:
        reason = f"{error['status']}: {error['error']}"
        return Result(finding, experiment, backend.canonical, None, NOT_TESTABLE, reason)
    if experiment.per_mac and any(str(case.network) not in evidence.counts for case in cases):
        return Result(finding, experiment, backend.canonical, None, NOT_TESTABLE, "not measured yet")
    logs = log_effects(experiment, backend, evidence)
    if len(logs) < LEAST:
        reason = f"not measured yet: {len(logs)} of at least {LEAST} replicates"
        return Result(finding, experiment, backend.canonical, None, NOT_TESTABLE, reason)
    found = effect(logs)
    a_ms = evidence.latency_ms(cases[0].id) if experiment.quantity == TIME else None
    b_ms = evidence.latency_ms(cases[1].id) if experiment.quantity == TIME else None
    padded = [_padding(evidence.inspected(case.id)) for case in cases]
    padding = padded[1] / padded[0] if len(padded) == 2 and padded[0] and padded[1] else None
    return Result(finding, experiment, backend.canonical, found, judge(experiment, found), "", a_ms, b_ms, padding)


def _padding(inspected: Inspected | None) -> float | None:
    """Return how many times a network's MACs the runtime computes, where it tells."""
    if not inspected or not inspected["macs_padded"] or not inspected["macs_executed"]:
        return None
    return float(inspected["macs_padded"] / inspected["macs_executed"])


def _counted(finding: Finding, experiment: Experiment, backend: BackendRef, evidence: Evidence) -> Result:
    values = []
    for case in (side.case(backend) for side in experiment.sides):
        error = evidence.errors.get(case.id)
        if error is not None:
            return Result(finding, experiment, "", None, NOT_TESTABLE, f"{error['status']}: {error['error']}")
        if str(case.network) not in evidence.counts:
            return Result(finding, experiment, "", None, NOT_TESTABLE, "not counted yet")
        values.append(float(evidence.counts[str(case.network)][experiment.quantity]))
    found = exact(math.log(values[-1] / values[0] if len(values) == 2 else values[0]))
    return Result(finding, experiment, "", found, judge(experiment, found))


def share_key(case: Case) -> str:
    """Name the profile of a case, which may fail where its measurement does not."""
    return f"share:{case.id}"


def judge(experiment: Experiment, found: Effect) -> str:
    """Return the verdict on an experiment's effect."""
    return decide(found, experiment.log_published, experiment.direction, experiment.equals, experiment.within)


def cases_of(findings: Iterable[Finding], backend: BackendRef, quick: bool, quantities: Sequence[str]) -> list[Case]:
    """Return the cases of all experiments on these quantities, each once, in order."""
    found: dict[str, Case] = {}
    for experiment in (e for finding in findings for e in finding.experiments):
        if experiment.quantity in quantities and (experiment.quick or not quick):
            for side in experiment.sides:
                case = side.case(backend)
                found.setdefault(case.id, case)
    return list(found.values())
