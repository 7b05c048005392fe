"""Findings on a fleet: every device measures all of them, into evidence of its own.

An experiment compares networks within replicates, and a replicate is on one machine: so nothing is spread over devices,
and every device gives verdicts of its own. Networks are exported and counted here, once for all.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import Any, Literal

from bench.artifact.artifact import Artifact
from bench.base.errors import BenchError, FleetError, LinkLost, OutputError, Unreachable, UsageError
from bench.findings import store
from bench.findings.counting import count, export_all
from bench.findings.evaluate import cases_of
from bench.findings.finding import COUNTS, SHARE, TIME, Finding
from bench.findings.run import Campaign
from bench.machine.environment import Environment
from bench.machine.identity import is_machine, machine_of
from bench.measure.crews import LOOK_S, Crews, nobody
from bench.plan.case import BackendRef, Network
from bench.plan.protocol import ReplicateProtocol
from bench.plan.target import ANY
from bench.transport.dask import DaskClient, DaskTransport, Device

LOSSES = 3  # in a row, without a replicate in between: what is measured may be what kills the device
# It is measured, it was, the budget has ended it, its device has gone, it cannot be measured.
State = Literal["measuring", "done", "over", "lost", "failed"]


@dataclass
class Part:
    """What one device measures, by the device's name: its evidence, how far it is, and why it is not further.

    `path` is None where nothing could be begun.
    """

    device: str
    target: str
    path: Path | None = None
    evidence: store.Evidence = field(default_factory=store.Evidence)
    state: State = "measuring"
    reason: str = ""
    losses: int = 0
    lost_at: float = 0.0
    lines: int = 0  # of evidence when it was lost

    def lose(self) -> None:
        """Count a loss; the replicate that it broke is a line of evidence, too."""
        lines = len(self.evidence.replicates) + sum(map(len, self.evidence.shares.values()))
        self.losses = self.losses + 1 if lines <= self.lines + 1 else 1
        self.lines, self.lost_at = lines, time.monotonic()


@dataclass
class Fleet:
    """Findings on backends, on every device whose target is one of `targets`, or on all of them.

    The evidence of device NAME goes to ``STEM-NAME.jsonl`` beside `output`, ``STEM.jsonl``; a device without a name is
    called by its machine. A device that is lost is waited for, `patience_s`, and goes on where it was.
    """

    client: DaskClient
    targets: Collection[str]
    findings: Sequence[Finding]
    backends: Sequence[BackendRef]
    output: Path
    protocol: ReplicateProtocol
    resume: bool = False
    budget_s: float | None = None
    patience_s: float = 60.0
    told: Callable[[str], None] = lambda line: None

    def __post_init__(self) -> None:
        self._parts: dict[str, Part] = {}
        self._exported: dict[str, Artifact | BenchError] = {}
        self._counts: list[dict[str, Any]] = []
        self._opening = threading.Lock()
        self._events: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()
        self._crews = Crews(self.client, self._wants, self._work, self._events.put)
        self._begin = 0.0

    def run(self) -> list[Part]:
        """Measure what is missing; return a part for each device that was there, none if the exports took all the time.

        Raises:
            OutputError: there is evidence already, and `resume` was not asked for.
            UnknownName: no device of any target is there, nor comes within the patience.
            FleetError: the scheduler is gone.
        """
        before = sorted(self.output.parent.glob(f"{escape(self.output.stem)}-*{self.output.suffix}"))
        if before and not self.resume:
            raise OutputError(f"{before[0]} is there already", "--resume goes on with it; --output writes another")
        self._begin = time.monotonic()
        absent = self._crews.muster(self.targets, self.patience_s, self.told)
        if not self._prepare():
            return []
        try:
            while not self._crews.look() or self._crews.busy or self._awaited():
                self._hear(LOOK_S)
            self._hear(0.0)
        finally:
            self._crews.recall()
        if not self._parts and not self._over():
            raise FleetError("the devices have left before they measured", "bench targets status")
        parts = [*self._parts.values(), *self._absent(before)]
        late = set(absent) - {part.target for part in parts}  # one may have come since
        parts += [Part(target, target, state="failed", reason=nobody(target, self.patience_s).told) for target in late]
        return sorted(parts, key=lambda part: (part.target, part.device))

    def _absent(self, before: Sequence[Path]) -> Iterator[Part]:
        """Give the evidence of devices that were there in an earlier run, and not in this one."""
        for path in set(before) - {part.path for part in self._parts.values()}:
            evidence, name = store.read(path), path.stem.removeprefix(f"{self.output.stem}-")
            target = str(evidence.header["target"])
            if {target, ANY} & set(self.targets):
                yield Part(name, target, path, evidence, "done", "the device is not there; its evidence is of before")

    def _hear(self, timeout_s: float) -> None:
        """Pass on what the devices' threads tell; raise what they raised."""
        with suppress(queue.Empty):
            while True:
                event = self._events.get(timeout=timeout_s) if timeout_s else self._events.get_nowait()
                if isinstance(event, Exception):
                    raise event
                self.told(event)
                timeout_s = 0.0

    def _over(self) -> bool:
        return self.budget_s is not None and time.monotonic() - self._begin >= self.budget_s

    def _networks(self, *quantities: str) -> list[Network]:
        return [case.network for case in cases_of(self.findings, self.backends[0], quantities)]

    def _prepare(self) -> bool:
        """Export and count; False where there is no time left."""
        networks = self._networks(TIME, SHARE, *COUNTS)
        found = export_all(networks, self.protocol.seed, self._over, self.told)
        self._exported = {name: artifact for name, artifact in found.items() if artifact is not None}
        for network in {str(network): network for network in self._networks(*COUNTS)}.values():
            with suppress(BenchError):  # every device tells it in its evidence
                self._counts.append(count(network, self.protocol.seed))
        return len(self._exported) == len(found)

    def _wants(self, here: Device) -> bool:
        if not ({here.target, ANY} & set(self.targets)) or self._over():
            return False
        part = self._parts.get(here.name)
        return part is None or part.state == "lost"

    def _awaited(self) -> bool:
        """Tell whether a device may come back."""
        lost = [part for part in self._parts.values() if part.state == "lost" and not self._over()]
        return any(time.monotonic() - part.lost_at <= self.patience_s for part in lost)

    def _work(self, here: Device, transport: DaskTransport) -> None:
        """Measure everything on one device, unless it is lost."""
        part = self._parts.setdefault(here.name, Part(here.name, here.target))
        part.state, part.reason = "measuring", ""
        while part.state == "measuring":
            try:
                part.state = self._measure(part, transport)
            except BenchError as error:
                self._meet(error, part, here, transport)
        self._events.put(f"{part.device}: {part.reason or part.state}")

    def _meet(self, error: BenchError, part: Part, here: Device, transport: DaskTransport) -> None:
        """Connect anew where the device was lost, and say what has become of it where that is in vain."""
        lost = isinstance(error, LinkLost) or (isinstance(error, Unreachable) and not transport.there())
        if not lost:
            part.state, part.reason = "failed", error.message
            self._crews.refused[here.address] = error
            return
        part.lose()
        with suppress(LinkLost):
            transport.reopen()
        if part.losses >= LOSSES:
            part.state, part.reason = "failed", f"the device was lost {LOSSES} times in a row"
        elif transport.given_up or self._crews.stopping:
            part.state, part.reason = "lost", "the device was lost; --resume goes on when it is back"

    def _measure(self, part: Part, transport: DaskTransport) -> State:
        environment = transport.hello().environment
        with self._opening:
            if part.path is None:
                self._open(part, environment)
        assert part.path is not None
        if not is_machine(environment, part.evidence.header):
            raise UsageError(f"another machine answers by the name of {part.device}")

        def ended() -> bool:
            return transport.given_up or self._crews.stopping or self._over()

        campaign = Campaign(
            self.findings, self.backends, part.path, part.evidence, self.protocol,
            told=lambda line: self._events.put(f"{part.device}: {line}"),
            transport=transport, exported=self._exported, alone=transport.alone, ended=ended,
        )  # fmt: skip
        if campaign.run() and not transport.given_up:
            return "done"
        if transport.given_up:
            raise LinkLost("it stays away")
        return "over"

    def _open(self, part: Part, environment: Environment) -> None:
        """Begin the evidence of a device, or go on with it, and write down what was counted."""
        called = machine_of(environment) if "://" in part.device else re.sub(r"[^\w.-]+", "-", part.device)[:80]
        path = self.output.with_name(f"{self.output.stem}-{called}{self.output.suffix}")
        if path in [other.path for other in self._parts.values()]:
            raise UsageError(f"{path} is another device's: give each a name (`bench targets serve --name`)")
        part.evidence = store.open_file(path, self.resume, self.protocol.seed, environment, part.target)
        part.path = path
        for line in self._counts:
            if COUNTS[-1] not in part.evidence.counts.get(line["model"], {}):
                store.append(path, part.evidence, line)
