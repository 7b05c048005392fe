"""Runs what findings need and keeps the evidence: exports first, then counts, then replicates, then profiles."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import backends
from bench.artifact.artifact import Artifact
from bench.backends.answers import Launched
from bench.base.errors import BenchError
from bench.base.words import counted
from bench.findings.counting import count, export_all
from bench.findings.evaluate import cases_of, log_effects, share_key
from bench.findings.finding import COUNTS, SHARE, TIME, Experiment, Finding
from bench.findings.store import Evidence, append
from bench.measure.bring import exported
from bench.measure.replicates import measure
from bench.plan.case import BackendRef, Case
from bench.plan.protocol import SHARES, ReplicateProtocol
from bench.rows.file import append_samples
from bench.stats.ratio import LEAST, effect
from bench.transport.base import Transport
from bench.transport.local import LocalTransport

SHARE_LAUNCHES = 3
SPLIT_LAUNCHES = 2
LASTING = ("unsupported", "mismatch", "downgraded")


@dataclass
class Campaign:
    """Findings on backends, measured into one file. `told` hears a line of progress now and then.

    It stops when `budget_s` have gone by, or when it is `ended`; what is missing is measured when it is run again on
    the same file. `exported` are artifacts that are there already, by their networks' names. Each turn on the device is
    in the context that `alone` gives.
    """

    findings: Sequence[Finding]
    backends: Sequence[BackendRef]
    path: Path
    evidence: Evidence
    protocol: ReplicateProtocol
    budget_s: float | None = None
    told: Callable[[str], None] = lambda line: None
    transport: Transport = field(default_factory=LocalTransport)
    cores: Sequence[int] = ()
    exported: Mapping[str, Artifact | BenchError] | None = None
    alone: Callable[[], AbstractContextManager[None]] = nullcontext
    ended: Callable[[], bool] = lambda: False
    _artifacts: dict[str, Artifact | BenchError] = field(default_factory=dict)
    _ready: dict[str, Artifact] = field(default_factory=dict)  # what runs of a case: in int8 another than its network's
    _begin: float = 0.0

    def run(self) -> bool:
        """Measure what is missing; False if something ended it.

        Raises:
            LinkLost: the device was lost between two turns.
        """
        self._begin = time.monotonic()
        # What crashed or took too long in an earlier run may have been an accident; what cannot run, cannot.
        lasting = {name: error for name, error in self.evidence.errors.items() if error["status"] in LASTING}
        self.evidence.errors = lasting
        if not self._export():
            return False
        self._count()
        return self._replicates() and self._shares()

    def _over(self) -> bool:
        over = self.budget_s is not None and time.monotonic() - self._begin >= self.budget_s
        return over or self.ended()

    def _cases(self, *quantities: str) -> list[Case]:
        found: dict[str, Case] = {}
        for backend in self.backends:
            found |= {c.id: c for c in cases_of(self.findings, backend, quantities)}
        return list(found.values())

    def _export(self) -> bool:
        cases = self._cases(TIME, SHARE, *COUNTS)
        networks = [case.network for case in cases]
        found = self.exported or export_all(networks, self.protocol.seed, self._over, self.told)
        self._artifacts = {name: artifact for name, artifact in found.items() if artifact is not None}
        for case in cases:
            failed = found[str(case.network)]
            if isinstance(failed, BenchError):
                self._failed(case.id, failed)
            elif failed is not None:
                try:
                    self._ready[case.id] = exported(
                        case, self.protocol.seed, artifact_of=lambda *_, found=failed: found
                    )
                except BenchError as error:
                    self._failed(case.id, error)
        return len(self._artifacts) == len(found)

    def _failed(self, name: str, error: BenchError) -> None:
        append(
            self.path, self.evidence, {"kind": "error", "case": name, "error": error.message, "status": error.status}
        )

    def _count(self) -> None:
        for case in self._cases(*COUNTS):
            if COUNTS[-1] in self.evidence.counts.get(str(case.network), {}) or case.id in self.evidence.errors:
                continue
            try:
                line = count(case.network, self.protocol.seed)
            except BenchError as error:
                self._failed(case.id, error)
            else:
                append(self.path, self.evidence, line)
        for case in self._cases(TIME):
            artifact = self._artifacts[str(case.network)]
            if str(case.network) not in self.evidence.counts and not isinstance(artifact, BenchError):
                line = {"kind": "count", "model": str(case.network), "macs": artifact.macs, "params": artifact.params}
                append(self.path, self.evidence, line)

    def _wanted(self, backend: BackendRef) -> list[Experiment]:
        """Return the experiments that want another replicate on this backend."""
        found = []
        for experiment in (e for finding in self.findings for e in finding.experiments):
            if experiment.quantity != TIME:
                continue
            if not any(side.case(backend).id in self.evidence.errors for side in experiment.sides):
                logs = log_effects(experiment, backend, self.evidence)
                if wants_more(logs, self.protocol, experiment.log_published):
                    found.append(experiment)
        return found

    def _replicates(self) -> bool:
        groups = [[(b, cases) for cases in grouped(self._wanted(b), b, self.protocol.live)] for b in self.backends]
        # Backend after backend for each group: whenever it is ended, all backends have got equally far.
        plan = [both for row in itertools.zip_longest(*groups) for both in row if both is not None]
        begin, launched = time.monotonic(), 0
        for number, (backend, cases) in enumerate(plan, 1):
            ids = {case.id for case in cases}
            where = f"group {number} of {len(plan)}"
            if launched:
                left = sum(len(rest) for _, rest in plan[number - 1 :]) * self.protocol.replicates
                where += f", about {(time.monotonic() - begin) / launched * left / 60:.0f} min left"
            while True:
                mine = [
                    e for e in self._wanted(backend) if {side.case(backend).id for side in e.sides} <= ids
                ]  # asked anew after every replicate: some have enough, some have failed
                if not mine:
                    break
                if self._over():
                    return False
                live = [case for case in cases if case.id not in self.evidence.errors]
                needed = {side.case(backend).id for e in mine for side in e.sides}
                self._replicate([case for case in live if case.id in needed], where)
                launched += len(needed)
        return True

    def _replicate(self, cases: list[Case], where: str) -> None:
        number = len(self.evidence.replicates)
        self.told(f"{where}, replicate {number + 1}: {counted(len(cases), 'network')} on {cases[0].backend.canonical}")
        artifacts = [self._ready[case.id] for case in cases]
        check = any(self.evidence.inspected(case.id) is None for case in cases)
        with self.alone():
            sides = measure(cases, artifacts, self.protocol, number, check, self.transport, self.cores)
        brought = [{"wave": number, "case_id": case.id, **s.raw} for case, s in zip(cases, sides, strict=True) if s.raw]
        append_samples(self.path.with_suffix(".csv"), brought)
        line: dict[str, object] = {"kind": "wave", "at": round(time.time(), 1), "backend": cases[0].backend.canonical}
        line["threads"] = cases[0].settings.threads
        line["models"] = {case.id: str(case) for case in cases}
        line["sides"] = {case.id: side.record for case, side in zip(cases, sides, strict=True)}
        append(self.path, self.evidence, line)

    def _profiled(self) -> dict[str, tuple[Case, int]]:
        """Return the cases whose time is to be split, with the number of launches that each wants."""
        found = {case.id: (case, SHARE_LAUNCHES) for case in self._cases(SHARE)}
        sides = [s for f in self.findings for e in f.experiments if e.split for s in e.sides]
        for backend in self.backends:
            if backends.get(backend.name).capabilities.profiles:
                for case in (side.case(backend) for side in sides):
                    found.setdefault(case.id, (case, SPLIT_LAUNCHES))
        return found

    def _shares(self) -> bool:
        for case, launches in self._profiled().values():
            while len(self.evidence.shares.get(case.id, [])) < launches:
                if share_key(case) in self.evidence.errors or case.id in self.evidence.errors:
                    break
                if self._over():
                    return False
                self.told(f"profiling {case}")
                try:
                    with self.alone():
                        share, brought = profiled_share(case, self.protocol.seed, self.transport, self.cores)
                    profiled = [{"share": case.id, **case.identity(), **launch} for launch in brought]
                    append_samples(self.path.with_suffix(".csv"), profiled)
                    append(self.path, self.evidence, share)
                except BenchError as error:
                    self._failed(share_key(case), error)
        return True


def profiled_share(
    case: Case, seed: int, transport: Transport, cores: Sequence[int]
) -> tuple[dict[str, object], list[Launched]]:
    """Profile one launch: convolution's share of the latency, those of all groups and classes, and what it brought.

    ``padded`` is the share of the latency that goes into padding, by class: a convolution's time times the part of its
    MACs that are of padding.

    Raises:
        MeasureError: it cannot be profiled.
    """
    from bench.measure.profiles import measure as launch
    from bench.profiling.combine import combine

    ((artifact, launches),) = launch([case], replace(SHARES, seed=seed), transport=transport, cores=cores)
    profile = combine(case, artifact, launches, transport.environment())
    shares, classes = ({name: total["share"] for name, total in totals.items()}
                       for totals in (profile.groups(), profile.classes()))  # fmt: skip
    padded: dict[str, float] = {}
    for op in profile.operators:
        if op.macs and op.padded_macs and op.padded_macs > op.macs:
            padded[op.class_] = padded.get(op.class_, 0.0) + op.share * (1 - op.macs / op.padded_macs)
    line: dict[str, object] = {"kind": "share", "case": case.id, "model": str(case), "backend": case.backend.canonical}
    line.update(share=shares.get("convolution", 0.0), groups=shares, classes=classes, padded=padded)
    line["latency_ms"] = profile.latency_ms
    return line, launches


def wants_more(logs: Sequence[float], protocol: ReplicateProtocol, published: float | None = None) -> bool:
    """Tell whether an effect wants another replicate: too few, or not precise enough within the limit.

    `published` is the log of the published effect, if there is one: what was published as a factor of two need not be
    known to 2%.
    """
    rule = protocol.stopping(published)
    return not rule.enough(len(logs), lambda: half_width(logs))


def half_width(logs: Sequence[float]) -> float:
    """Return half the 95% interval of an effect; infinite where there is none yet."""
    if len(logs) < LEAST:
        return math.inf
    found = effect(logs)
    return (found.hi - found.lo) / 2


def grouped(experiments: Iterable[Experiment], backend: BackendRef, live: int) -> list[list[Case]]:
    """Gather experiments into groups of at most `live` cases that share replicates; cases with equal threads only.

    Experiments that share a side come together, so that it runs once for all of them.
    """
    groups: list[dict[str, Case]] = []
    for experiment in experiments:
        sides = {case.id: case for case in (side.case(backend) for side in experiment.sides)}
        threads = next(iter(sides.values())).settings.threads

        def fits(group: dict[str, Case], sides: dict[str, Case] = sides, threads: int = threads) -> bool:
            same = all(case.settings.threads == threads for case in group.values())
            return same and len(group | sides) <= max(2, live)

        shared = [group for group in groups if set(group) & set(sides) and fits(group)]
        home = next(iter(shared), None)
        if home is None and groups and fits(groups[-1]):
            home = groups[-1]
        if home is None:
            groups.append(dict(sides))
        else:
            home |= sides
    return [list(group.values()) for group in groups]
