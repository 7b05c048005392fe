"""A training within a budget of seconds, in rounds of fresh processes; goes on where it was interrupted.

What is done next depends on the seconds spent so far alone, and everything measured is stamped with them: the first
two minutes of a long training are a short one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from bench.backends.kernel import Kernel
from bench.base.errors import MeasureError, OutOfReach
from bench.base.words import counted
from bench.export import ensure
from bench.measure.engine import anew
from bench.measure.probes import Probes
from bench.plan.case import Case, Plan
from bench.plan.protocol import MANY, KernelProtocol, NetworkProtocol
from bench.predict.place import Place
from bench.predict.recipes import recipe
from bench.predict.sampler import choose
from bench.predict.table import KernelList, KernelTable

SHORT_S, FULL_S = 120.0, 600.0
ROUND_S, ROUND_SHARE = 10.0, 0.08  # of a round at least, and of what was spent
LISTED_S, TIMED_S = 2.0, 6.0  # seconds of training for each made-up network whose kernels are listed, which is timed
SAVE_S = 30.0  # between two savings
PASSES, MADE_PASSES = 3, 2  # processes in which a real and a made-up network are timed
NETWORKS_SHARE = 0.45  # of a round for networks at most, where kernels are timed alone
SPARE = 2  # passes more, where all were disturbed
Tell = Callable[[str], None]
HOW = NetworkProtocol()


@dataclass
class Campaign:
    """Trains a table. `told`: the runtime tells the times of kernels inside networks; else they are timed alone.

    The first `early` cases of the plan are measured from the start, the others after `SHORT_S`.
    """

    table: KernelTable
    plan: Plan
    early: int
    told: bool
    tell: Tell
    place: Place

    def run(self, budget_s: float, list_networks: Callable[[Sequence[Case]], None]) -> None:
        """Measure until so many seconds were spent in all, those of earlier calls included."""
        self._before, self._begin = self.table.spent_s, time.monotonic()
        saved_s = self.spent_s
        if saved_s < budget_s:
            self.table.guesses.clear()
        while (left := budget_s - self.spent_s) > 0:
            cases = self._cases  # more of them from two minutes on, which may pass within a round
            list_networks(cases)
            self._round(cases, time.monotonic() + min(left, max(ROUND_S, ROUND_SHARE * self.spent_s)))
            self.table.settle()
            self.table.spent_s = self.spent_s
            if self.spent_s > saved_s + SAVE_S or self.spent_s >= budget_s:
                self.table.save()
                saved_s = self.spent_s
            self.tell(self._state())
        self.table.spent_s = self.spent_s

    @property
    def spent_s(self) -> float:
        """Seconds of training so far."""
        return self._before + time.monotonic() - self._begin

    @property
    def _cases(self) -> Sequence[Case]:
        return self.plan.cases if self.spent_s >= SHORT_S else self.plan.cases[: self.early]

    def _state(self) -> str:
        timed = sum(bool(t.runs) for t in self.table.timings.values())
        networks = sum(n.latency_ns is not None for n in self.table.networks.values())
        return f"{self.spent_s:.0f} s: {counted(timed, 'kernel')}, {counted(networks, 'network')}"

    def _round(self, cases: Sequence[Case], end: float) -> None:
        begin = time.monotonic()
        half = end if self.told else begin + NETWORKS_SHARE * (end - begin)  # the rest is for kernels
        with self.place.probes(self.table, self.plan.cases[0].backend) as probes:
            for case in cases:
                network = self.table.networks[str(case.network)]
                if self._due(network, PASSES) and time.monotonic() < half:
                    artifact = ensure(case.network)
                    upload = partial(self.place.transport.upload, artifact, case.backend.name)
                    self._time(probes, network, {"artifact": anew(self.place.transport, upload)})
            for network in [n for n in self.table.networks.values() if n.made and n.runs]:
                if self._due(network, MADE_PASSES) and time.monotonic() < half:
                    self._time(probes, network, {"made": network.made})
            self._new(probes, half)
            if not self.told:  # however long a network took
                self._kernels(probes, max(end, time.monotonic() + (1 - NETWORKS_SHARE) * (end - begin)))

    def _due(self, network: KernelList, passes: int) -> bool:
        if self.told and network.made:
            return False  # one look inside is enough; its kernels are met again in others
        done = len(network.runs) // HOW.blocks
        if done < passes or done >= passes + SPARE:
            return done < passes
        return not network.calm(self.table.baseline_gemm_ns)

    def _new(self, probes: Probes, end: float) -> None:
        """List more made-up networks, as many as belong to the time spent, and time every third one."""
        number = sum(n.made is not None for n in self.table.networks.values())
        while time.monotonic() < end and (self.told or number * LISTED_S < self.spent_s + ROUND_S):
            drawn = recipe(number)
            network = KernelList(drawn["name"], (), family=drawn["name"], made=drawn)
            try:
                if not self.told:
                    found = probes.kernels(made=drawn)
                    network.keys, network.lost = tuple(self.table.add(found.kernels)), found.lost
                if self.told or _timed(number):
                    self._time(probes, network, {"made": drawn})
            except OutOfReach:
                raise
            except MeasureError as error:  # the runtime does not take it: another one will do
                self.tell(f"{network.name}: {error.message}")
            self.table.networks[network.name] = network
            number += 1

    def _time(self, probes: Probes, network: KernelList, of: dict[str, object]) -> None:
        """Time a network once more, and take in what the runtime tells of its kernels."""
        found = probes.network(HOW, self.told, **of)
        spent_s = round(self.spent_s, 2)
        network.runs += [row | {"spent_s": spent_s} for row in found["blocks"]]
        if not self.told:
            return
        gemm_ns = min(row["gemm_ns"] for row in found["blocks"])
        keys = self.table.add([Kernel.read(row) for row in found["kernels"]])
        network.keys, network.lost = tuple(keys), tuple(found["lost"])
        for key, told_ns in zip(keys, found["told_ns"], strict=True):
            if told_ns is not None:
                run = {"hot_ns": max(1.0, told_ns), "gemm_ns": gemm_ns, "spent_s": spent_s}
                self.table.timings[key].runs.append(run)

    def _kernels(self, probes: Probes, end: float) -> None:
        tried: set[str] = set()
        while (left := end - time.monotonic()) > 1.0 or not tried:  # one at least: without any, nothing is known
            keys = choose(self.table, left, len(self.table.timings), tried)
            if not keys:
                return
            for key in keys:
                tried.add(key)
                time_one(self.table, key, probes, MANY, round(self.spent_s, 2))
                if time.monotonic() > end:
                    return


def time_one(table: KernelTable, key: str, probes: Probes, how: KernelProtocol, spent_s: float = 0.0) -> None:
    """Time one kernel once. What the process dies of has failed."""
    timing = table.timings[key]
    try:
        found = probes.time_kernel(timing.kernel, how.block_ms, how.least, how.cold)
    except OutOfReach:
        raise
    except MeasureError as error:
        found = {"failed": error.message}
    if "failed" in found:
        timing.failed = str(found["failed"])
    else:
        timing.runs.append({k: float(v) for k, v in found.items()} | ({"spent_s": spent_s} if spent_s else {}))


def _timed(number: int) -> bool:
    """Tell whether a made-up network is timed, not only listed."""
    return number % round(TIMED_S / LISTED_S) == 0
