"""A case on its way to a row: its launches, what counts of them, and what is known of it from earlier runs."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.artifact.artifact import Artifact
from bench.backends.answers import Block, Energy, Inspected
from bench.base.errors import BenchError
from bench.base.wire import Unchecked
from bench.machine import baseline, runs
from bench.machine.baseline import BaselineSpeed
from bench.machine.environment import Environment
from bench.measure.device import on_device
from bench.measure.evidence import Weighing, weigh
from bench.plan.case import Case
from bench.plan.protocol import LATENCY, Protocol
from bench.stats.repeats import SLOPE, Repeats, Run, learn, restlessness
from bench.stats.summary import Estimate, confidence, estimate


@dataclass
class LaunchRecord:
    """What one launch brought: answers of the worker, blocks in order of time."""

    loaded: Unchecked
    warmed: Unchecked = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    peak_rss_bytes: int | None = None
    energy: Energy | None = None

    @property
    def streams(self) -> int:
        """How many inferences ran at once."""
        return int(self.loaded.get("streams", 1))


@dataclass
class CaseState:
    """A case on its way to a row."""

    case: Case
    started_at: str = ""
    artifact: Artifact | None = None
    launches: list[LaunchRecord] = field(default_factory=list)
    sustained: list[LaunchRecord] = field(default_factory=list)  # after the first minute, of a case that is kept going
    asked_s: float = 0.0  # for how long
    inspected: Inspected | None = None
    error: BenchError | None = None
    spent_s: float = 0.0
    baseline: BaselineSpeed | None = None
    past: list[runs.Past] = field(default_factory=list)
    restless: float = 1.0
    first: int = 5
    _told: tuple[object, Estimate | None] | None = field(default=None, repr=False, compare=False)

    @property
    def blocks(self) -> list[Block]:
        """The blocks of all launches, in order of time."""
        return [block for launch in self.launches for block in launch.blocks]

    @property
    def energies(self) -> list[Energy]:
        """What the launches answered of the energy of an inference, where that was asked."""
        return [launch.energy for launch in self.launches if launch.energy is not None]

    @property
    def scripted(self) -> bool:
        """Whether no machine was measured."""
        return any(block.get("scripted") for block in self.blocks)

    @property
    def threads(self) -> int:
        """How many threads compute at a time, of all inferences that run at once."""
        return self.case.settings.threads * (self.launches[0].streams if self.launches else 1)

    @property
    def on_device(self) -> bool:
        """Whether another device than the CPU was measured, whose speed the baseline speed says nothing of."""
        return any(map(on_device, self.blocks))

    @property
    def reference(self) -> BaselineSpeed | None:
        """The speed that latencies are told for: the machine's usual one, or that of the case's own quiet blocks."""
        blocks = self.blocks
        return self.baseline or (baseline.baseline_of(list(map(baseline.reading, blocks))) if blocks else None)

    def weighing(self) -> Weighing:
        """Return what counts of the launches so far."""
        return weigh([launch.blocks for launch in self.launches], self.reference, self.threads)

    def estimate(self) -> Estimate | None:
        """Summarise the launches that count, if there is any sample; anew only once something has come to be known."""
        known = len(self.launches), self.baseline, len(self.past), self.restless
        if self._told is None or self._told[0] != known:
            self._told = known, self._estimate()
        return self._told[1]

    def _estimate(self) -> Estimate | None:
        found = self.weighing()
        if not found.launches:
            return None
        level = confidence(len(found.launches), self.first)
        repeats, reference = None, self.reference
        unsure = 0.0
        if reference is not None and not self.scripted:
            repeats = self.repeats(self.past, _length_ns(found), reference)
            unsure = 0.0 if self.on_device else SLOPE * reference.unsure
        return estimate(found.launches, found.offsets, repeats, found.over_s, level, unsure)

    def repeats(self, past: Sequence[runs.Past], latency_ns: float, reference: BaselineSpeed) -> Repeats:
        """Return how the case repeats on this machine, as far as these runs tell."""
        told = []
        for run in past:
            logs = tuple(math.log(latency) for latency, _, _ in run.launches)
            beside = tuple(
                (math.log(product / reference.gemm_ns), math.log(copy / reference.copy_ns))
                for _, product, copy in run.launches
            )
            told.append(Run(logs, beside, run.over_s, run.at_s))
        return learn(told, latency_ns, self.restless)

    def wants_more(self, protocol: Protocol, elapsed_s: float = math.inf) -> bool:
        """Tell whether another launch is due: too few that count yet, or not sure enough within the limits.

        `elapsed_s` is how long ago its first launch began: a case that is to be measured over some time goes on.
        """
        if self.error is not None:
            return False
        if protocol.sustain_s:
            return elapsed_s < protocol.sustain_s
        rule, made = protocol.stopping, len(self.launches)
        spent = self.spent_s >= protocol.budget_s
        if any(launch.loaded.get("emulated") for launch in self.launches):  # no number of them makes it a latency
            return made < min(rule.least, rule.most) and not (spent and made >= rule.afford)
        if elapsed_s < protocol.over_s and made < rule.most:
            return True
        evidence, found = self.weighing(), self.estimate()
        counting = len(evidence.launches) if evidence.sound else 0
        return not rule.enough(counting, lambda: found.within_half_width if found else math.inf, made, spent)

    def take(
        self,
        record: LaunchRecord,
        inspected: Inspected | None,
        error: BenchError | None,
        spent_s: float,
        environment: Environment,
        late: bool = False,
    ) -> None:
        """Take in a launch, whole or as far as it came, and remember the machine's speed beside it for later runs.

        One that is `late`, after the first minute of a case that is kept going, is of a machine that may be hot: it
        says nothing of the usual speed, and enters the curve alone.

        The baseline speed comes from earlier runs, once, so that all launches meet the same measure; what is scripted
        is no machine.
        """
        self.error, self.spent_s = error, self.spent_s + spent_s
        self.inspected = self.inspected or inspected
        if not record.loaded:
            return
        if late:
            self.sustained.append(record)
            return
        kind, workload = self._kind, record.loaded["canary"]
        # All cores at work run at another clock than one: what is known of the one says nothing of the other.
        backend = self.case.backend.name + (kind and f"@mode={kind}")
        if not self.launches:
            self.baseline = baseline.recall(environment, backend, workload)
            self.past = runs.recall(environment, self._name(workload), kind)
            self.restless = restlessness(runs.spreads(environment, kind))
        self.launches.append(record)
        if not self.scripted and not self.on_device:
            baseline.remember(environment, backend, workload, record.blocks)

    def remember(self, environment: Environment, run_id: str) -> None:
        """Keep what this run says of how the case repeats, for later runs."""
        found = self.weighing()
        if self.error is not None or self.scripted or not found.sound or self.inspected is None:
            return
        workload = self.launches[0].loaded["canary"]
        run = runs.Past(run_id, self.kept(), found.over_s, time.time())
        runs.remember(environment, self._name(workload), run, self.spread([*self.past, run]), self._kind)

    def spread(self, past: Sequence[runs.Past]) -> tuple[float, float]:
        """Return what these runs of the case say of the machine: `Repeats.seen` and `.own`."""
        reference = self.reference
        assert reference is not None
        found = self.weighing()
        length_ns = _length_ns(found) if found.under_load else past[-1].launches[0][0]
        repeats = self.repeats(past, length_ns, reference)
        return repeats.seen, repeats.own

    def kept(self) -> tuple[tuple[float, float, float], ...]:
        """Return what is remembered of each launch that counts: median time, product and copy, in ns."""
        found, reference = self.weighing(), self.reference
        assert reference is not None
        return tuple(
            (statistics.median(samples), reference.gemm_ns * math.exp(product), reference.copy_ns * math.exp(copy))
            for samples, (product, copy) in zip(found.launches, found.offsets, strict=True)
        )

    @property
    def _kind(self) -> str:
        """What is remembered apart: nothing of latency comes from throughput, or the other way round."""
        return "" if self.case.settings.mode == LATENCY else self.case.settings.mode

    def _name(self, workload: str) -> str:
        """Name the case with all that may move its latency for good."""
        version = self.inspected["effective"]["version"] if self.inspected else ""
        content = self.artifact.sha256 if self.artifact is not None else ""
        return " ".join((self.case.id, self.case.backend.name, str(version), content, workload))


def _length_ns(found: Weighing) -> float:
    """Return how long an inference takes, which networks differ by in how restless they are."""
    return statistics.median(found.under_load or found.launches[0])
