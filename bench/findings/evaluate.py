"""From evidence to results: effect, interval and grade of each experiment. Pure; nothing is measured or kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.backends.answers import Inspected
from bench.findings import conditions, replicas
from bench.findings.conditions import Conditions
from bench.findings.finding import COUNTS, OURS, SHARE, SHARES, TIME, Experiment, Finding
from bench.findings.store import Evidence
from bench.findings.verdict import NOT_TESTABLE, exact, grade, grade_share, verdict
from bench.plan.case import BackendRef, Case
from bench.stats.ratio import CONFIDENCE, LEAST, Effect
from bench.stats.turns import Spread, another


@dataclass(frozen=True, slots=True)
class Result:
    """One experiment on one backend: its effect (a ratio), its grade, and why where there is none.

    `experiment` is None where the finding has none.
    `a_ms` and `b_ms` are latencies for orientation; the effect comes from replicates, not from them. `padding` is how
    many times more MACs the runtime computes for B than for A because it pads channels, beyond those of the networks;
    None where it does not tell. `backend` is empty where something was counted and nothing ran. `here` and `there` are
    the conditions of both effects, None of a count. `macs` are those of both sides here, of one image, `printed_macs`
    the paper's, in millions, None where they are not known; `replica` says which side is another network.
    `measurement` names what was measured: results of the same name share one measurement. `machine` is told where
    results of several stand beside each other.
    """

    finding: Finding
    experiment: Experiment | None
    backend: str
    found: Effect | None
    grade: str
    reason: str = ""
    a_ms: float | None = None
    b_ms: float | None = None
    padding: float | None = None
    here: Conditions | None = None
    there: Conditions | None = None
    macs: tuple[float | None, ...] = ()
    printed_macs: tuple[float | None, ...] = ()
    replica: str = ""
    measurement: tuple[str, ...] = ()
    machine: str = ""

    @property
    def where(self) -> str:
        """The runtime, and the machine where there are several."""
        return f"{self.backend} on {self.machine}" if self.machine else self.backend

    @property
    def like(self) -> bool:
        """Whether both effects are of like conditions; a count has none."""
        return self.here is None or self.there is None or conditions.alike(self.here, self.there)

    @property
    def verdict(self) -> str:
        """What is said of it: the grade, or whether the published effect transfers."""
        e = self.experiment
        return verdict(self.grade, self.like, e is not None and e.origin == OURS, e is not None and e.equals)

    @property
    def headline(self) -> bool:
        """Whether it speaks for its finding."""
        return self.experiment is not None and self.experiment is self.finding.spokesman

    @property
    def comparison(self) -> tuple[str, ...]:
        """Name what is held against what: a measurement against a device's figure counts once, whoever claims it."""
        device = self.experiment.device if self.experiment else ""
        ours = "ours" if self.experiment and self.experiment.origin == OURS else ""
        return (*self.measurement, device, ours)

    def record(self) -> dict[str, Any]:
        """Return it as plain data for a table, CSV or JSON."""
        e = self.experiment
        ratio, lo, hi = (round(x, 4) for x in self.found.ratios) if self.found else (None, None, None)
        macs, printed = ([None if m is None else round(m, 3) for m in (*values, None, None)[:2]]
                         for values in (self.macs, self.printed_macs))  # fmt: skip
        return {
            "id": self.finding.id,
            "experiment": e.name if e else None,
            "headline": self.headline if e else None,
            "backend": self.backend or None,
            "effect": ratio,
            "effect_lo": lo,
            "effect_hi": hi,
            "published": round(e.printed, 4) if e and e.printed is not None else None,
            "origin": e.origin if e else None,
            "verdict": self.verdict,
            "channels": (e.channels or None) if e else None,
            "published_on": (e.device or None) if e else None,
            "conditions": str(self.here) if self.here else None,
            "published_conditions": str(self.there) if self.there else None,
            "quantity": e.quantity + (" per MAC" if e.per_mac else "") if e else None,
            "a": str(e.a) if e else None,
            "b": str(e.b) if e and e.b else None,
            "a_ms": None if self.a_ms is None else round(self.a_ms, 4),
            "b_ms": None if self.b_ms is None else round(self.b_ms, 4),
            "a_m_macs": macs[0],
            "b_m_macs": macs[1],
            "a_m_macs_published": printed[0],
            "b_m_macs_published": printed[1],
            "replica": self.replica or None,
            "padding": None if self.padding is None else round(self.padding, 4),
            "waves": self.found.n if self.found else None,
            "measurement": "/".join(self.measurement) or None,
            "claim": self.finding.claim,
            "source": self.finding.source,
            "runnable": self.finding.runnable,
            "reason": self.reason or None,
        }


def evaluate(
    findings: Iterable[Finding],
    backends: Sequence[BackendRef],
    evidence: Evidence,
    confidence: float = CONFIDENCE,
) -> list[Result]:
    """Judge every experiment of the findings on every backend; a finding without experiments gives its reason.

    The intervals are of this `confidence`, and of another run on the same machine.
    """
    results: list[Result] = []
    spread = evidence.spread()
    for finding in findings:
        if not finding.runnable:
            results.append(Result(finding, None, "", None, NOT_TESTABLE, finding.reason))
        for experiment in finding.experiments:
            if experiment.quantity in COUNTS:
                results.append(_counted(finding, experiment, backends[0], evidence))
            else:
                results += [_measured(finding, experiment, b, evidence, spread, confidence) for b in backends]
    return results


def distinct(results: Iterable[Result]) -> list[Result]:
    """Return each comparison once, by the first finding that makes it: what may be counted."""
    found: dict[tuple[str, ...], Result] = {}
    for result in results:
        if result.found is not None:
            found.setdefault(result.comparison, result)
    return list(found.values())


def sessions(experiment: Experiment, backend: BackendRef, evidence: Evidence) -> list[list[float]]:
    """Return one log effect per replicate of fresh processes, a list per session."""
    cases = [side.case(backend) for side in experiment.sides]
    if experiment.quantity == SHARE:
        logs = [math.log(line["share"]) for line in evidence.shares.get(cases[0].id, [])]
        return [logs] if logs else []
    found = evidence.sessions(cases[0].id, cases[1].id)
    if experiment.per_mac:
        a, b = (float(evidence.counts[str(case.network)]["macs"]) for case in cases)
        found = [[x - math.log(b / a) for x in logs] for logs in found]
    return found


def log_effects(experiment: Experiment, backend: BackendRef, evidence: Evidence) -> list[float]:
    """Return one log effect per replicate of fresh processes."""
    return [log for logs in sessions(experiment, backend, evidence) for log in logs]


def _measured(
    finding: Finding,
    experiment: Experiment,
    backend: BackendRef,
    evidence: Evidence,
    spread: Spread,
    confidence: float,
) -> Result:
    cases = [side.case(backend) for side in experiment.sides]

    def untold(reason: str) -> Result:
        return Result(finding, experiment, backend.canonical, None, NOT_TESTABLE, reason)

    names = [share_key(case) if experiment.quantity == SHARE else case.id for case in cases]
    error = next((evidence.errors[name] for name in names if name in evidence.errors), None)
    if error is not None:
        return untold(f"{error['status']}: {error['error']}")
    if experiment.per_mac and any(str(case.network) not in evidence.counts for case in cases):
        return untold("not measured yet")
    found_in = sessions(experiment, backend, evidence)
    if (n := sum(map(len, found_in))) < LEAST:
        return untold(f"not measured yet: {n} of at least {LEAST} replicates")
    found = another(found_in, spread, confidence)
    timed = experiment.quantity == TIME
    ms = evidence.latencies_ms(cases[0].id, cases[1].id) if timed else (None, None)
    inspected = [evidence.inspected(case.id) for case in cases]
    padded = [_padding(one) for one in inspected]
    precision = next((one["effective"]["precision"] for one in inspected if one), "")
    macs = tuple(_macs(case, evidence) for case in cases)
    rows = [replicas.printed(side, finding.paper, finding.source) for side in experiment.sides]
    return Result(
        finding,
        experiment,
        backend.canonical,
        found,
        judge(experiment, found),
        a_ms=ms[0],
        b_ms=ms[1],
        padding=padded[1] / padded[0] if len(padded) == 2 and padded[0] and padded[1] else None,
        here=conditions.here(cases[0], str(evidence.header.get("environment", {}).get("arch", "")), precision),
        there=conditions.published(experiment.device, cases[0]),
        macs=tuple(None if count is None else count / 1e6 for count in macs),
        printed_macs=tuple(row.macs.value if row and row.macs else None for row in rows),
        replica=", ".join(
            str(side)
            for side, row, count in zip(experiment.sides, rows, macs, strict=True)
            if experiment.origin != OURS and replicas.approximate(row, count)
        ),
        measurement=(backend.canonical, "share" if not timed else "", *sorted(case.id for case in cases)),
    )


def _macs(case: Case, evidence: Evidence) -> float | None:
    """Return the MACs of one image, as papers print them."""
    told = evidence.counts.get(str(case.network), {}).get("macs")
    return None if told is None else float(told) / case.network.batch


def _padding(inspected: Inspected | None) -> float | None:
    """Return how many times a network's MACs the runtime computes, where it tells."""
    if not inspected or not inspected["macs_padded"] or not inspected["macs_executed"]:
        return None
    return float(inspected["macs_padded"] / inspected["macs_executed"])


def _counted(finding: Finding, experiment: Experiment, backend: BackendRef, evidence: Evidence) -> Result:
    values, cases = [], [side.case(backend) for side in experiment.sides]
    for case in cases:
        error = evidence.errors.get(case.id)
        if error is not None:
            return Result(finding, experiment, "", None, NOT_TESTABLE, f"{error['status']}: {error['error']}")
        if experiment.quantity not in evidence.counts.get(str(case.network), {}):
            return Result(finding, experiment, "", None, NOT_TESTABLE, "not counted yet")
        values.append(float(evidence.counts[str(case.network)][experiment.quantity]))
    found = exact(math.log(values[-1] / values[0] if len(values) == 2 else values[0]))
    name = ("", experiment.quantity, *sorted(str(case.network) for case in cases))
    return Result(finding, experiment, "", found, judge(experiment, found), measurement=name)


def share_key(case: Case) -> str:
    """Name the profile of a case, which may fail where its measurement does not."""
    return f"share:{case.id}"


def judge(experiment: Experiment, found: Effect) -> str:
    """Return the grade of an experiment's effect."""
    if experiment.quantity in SHARES and experiment.published is not None:
        return grade_share(found, experiment.published, experiment.within)
    e = experiment
    return grade(found, e.log_published, e.direction, e.equals, e.within, e.blur)


def cases_of(findings: Iterable[Finding], backend: BackendRef, quantities: Sequence[str]) -> list[Case]:
    """Return the cases of all experiments on these quantities, each once, in order."""
    found: dict[str, Case] = {}
    for experiment in (e for finding in findings for e in finding.experiments):
        if experiment.quantity in quantities:
            for side in experiment.sides:
                case = side.case(backend)
                found.setdefault(case.id, case)
    return list(found.values())
