"""A backend that plays a script instead of running a network: the only place where latency is made up.

It has its own clock, so what it "measures" is exact and takes no time, and it can misbehave on demand. Tests of
everything above the runtimes stand on it; its rows say ``fake`` and cannot be mistaken for a measurement.
"""

from __future__ import annotations

import hashlib
import math
import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from bench.artifact.artifact import Artifact, MacOp
from bench.backends.base import (
    Array,
    Backend,
    Capabilities,
    Clocks,
    Effective,
    Lane,
    Operator,
    Options,
    Placement,
    Session,
    parameters,
)
from bench.backends.profiling import ProfilerCost, RawProfile, TimedOperator
from bench.base.errors import Unsupported
from bench.plan.case import Settings
from bench.plan.parameter import Parameter


class FakeSession(Session):
    """Plays `latency_ms` plus `ps_per_mac` per MAC, times a lognormal factor of spread `launch_cv` in each launch."""

    def __init__(self, artifact: Artifact, settings: Settings, options: Options) -> None:
        self._options = options
        self._outputs = [a + options["error"] for a in artifact.reference()[1]]
        self._macs, self._mac_ops = artifact.macs, artifact.mac_ops
        self._threads, self._streams = settings.threads, settings.streams
        self._sleep_s = float(options["sleep_ms"]) / 1e3
        self._now_ns = 0
        self._count = 0
        self._heat = FakeHeat(options)
        wobble = random.Random(os.getpid()).gauss(0.0, 1.0) * float(options["launch_cv"])
        latency_ns = float(options["latency_ms"]) * 1e6 + float(options["ps_per_mac"]) * artifact.macs / 1e3
        self._latency_ns = max(1, round(latency_ns * math.exp(wobble)))
        self.workload = FakeWorkload(float(options["slowness"]), int(options["disturb_every"]))
        self.clocks = Clocks(self.clock, self.sleep, workload=self.workload, heat=self._heat.read)

    def clock(self) -> int:
        """Return the scripted time in ns."""
        return self._now_ns

    def infer(self) -> None:
        """Advance the scripted clock, or misbehave as told."""
        self._now_ns += self.take()

    def take(self) -> int:
        """Return what the next inference takes, in ns."""
        self._count += 1
        if self._count == self._options["fail_at"]:
            misbehave(str(self._options["fail"]))
            if self._options["fail"] == "drift":
                import numpy as np

                self._outputs = [np.full_like(y, 7) for y in self._outputs]
        slow: float = self.workload.slowness**self.workload.slope * (2 if self.workload.disturbed else 1)
        if self._sleep_s:
            time.sleep(self._sleep_s)
        return round(self._latency_ns * slow * self._heat.next())

    def sleep(self, seconds: float) -> None:
        """Let the scripted time pass."""
        self._now_ns += round(seconds * 1e9)

    def outputs(self) -> list[Array]:
        """Return the reference outputs plus the `error` option."""
        return self._outputs

    def effective(self) -> Effective:
        """Claim the precision given by the option `effective`."""
        share = float(self._options["placed"])
        elsewhere = () if share >= 1 else ("the rest on a scripted device",)
        placement = Placement("fake", share, share, elsewhere)
        unmet = (str(self._options["unmet"]),) if self._options["unmet"] else ()
        precision, threads = str(self._options["effective"]), self._threads
        return Effective("0", "fake", precision, threads, placement, unmet=unmet, streams=self._streams)

    def lanes(self) -> list[Lane]:
        """Play as many lanes as there are streams, each with a clock of its own."""
        crowd = 1 + float(self._options["contention"]) * ((self._streams or 1) - 1)
        lanes = [FakeLane(self, crowd) for _ in range(self._streams or 1)]
        return [Lane(lane.infer, self.outputs, lane.clock) for lane in lanes]

    def operators(self) -> list[Operator]:
        """Claim one operator with the artifact's MACs, scaled by the option `macs_share`."""
        return [Operator("all", "Fake", macs=int(self._macs * float(self._options["macs_share"])))]

    def profiler(self) -> FakeProfiler:
        """Claim the artifact's nodes, each with its share of MACs in the latency."""
        return FakeProfiler(self._mac_ops, self._latency_ns, float(self._options["profiler_us"]) * 1e3)

    def close(self) -> None:
        """Keep how hot the scripted device is."""
        self._heat.keep()


class FakeHeat:
    """A device that gets hot: inference by inference, from launch to launch, as long as `folder` is there.

    Its latencies rise by the share `throttle` in the end; after `throttle_after` inferences 63% of the way is gone.
    """

    def __init__(self, options: Options) -> None:
        self._most, self._after = float(options["throttle"]), float(options["throttle_after"])
        name = hashlib.sha256(repr(sorted(options.items())).encode()).hexdigest()[:16]
        self._kept = Path(str(options["folder"]), f"heat-{name}") if options["folder"] else None
        self._done = 0
        if self._kept is not None and self._kept.exists():
            self._done = int(self._kept.read_text("ascii"))

    @property
    def _share(self) -> float:
        return 1 - math.exp(-self._done / self._after)

    def next(self) -> float:
        """Return by what the next inference is slower than a cold one."""
        self._done += 1
        return 1 + self._most * self._share

    def read(self) -> dict[str, float]:
        """Return the scripted clock and temperature."""
        return {"mhz": round(2000 / (1 + self._most * self._share), 1), "celsius": round(40 + 40 * self._share, 1)}

    def keep(self) -> None:
        """Write down how hot it is, for the next launch."""
        if self._kept is not None:
            self._kept.write_text(str(self._done), "ascii")


class FakeLane:
    """One of several inferences at once, each `crowd` times as slow as alone."""

    def __init__(self, session: FakeSession, crowd: float) -> None:
        self._session, self._crowd, self._now_ns = session, crowd, 0

    def clock(self) -> int:
        """Return the lane's scripted time in ns."""
        return self._now_ns

    def infer(self) -> None:
        """Advance that time, and let the other lanes have the interpreter."""
        self._now_ns += round(self._session.take() * self._crowd)
        time.sleep(0)


class FakeWorkload:
    """Reads `slowness` times a microsecond, and half as much again around every `disturb_every`-th block."""

    identity = "scripted"
    slope = 0.65

    def __init__(self, slowness: float, disturb_every: int) -> None:
        self.slowness = slowness
        self.disturbed = False
        self._every = disturb_every
        self._blocks = 0

    def before(self) -> dict[str, float]:
        """Begin a block."""
        self._blocks += 1
        self.disturbed = bool(self._every) and self._blocks % self._every == 0
        return self._read()

    def after(self) -> dict[str, float]:
        """End a block."""
        found = self._read()
        self.disturbed = False
        return found

    def _read(self) -> dict[str, float]:
        factor = self.slowness * (1.5 if self.disturbed else 1.0)
        return {"gemm_ns": 1000.0 * factor, "copy_ns": 100000.0}


class FakeProfiler:
    """Plays a profile: a tenth of the latency is between operators; each event costs `delta_ns` inside its time."""

    def __init__(self, mac_ops: Sequence[MacOp], latency_ns: int, delta_ns: float) -> None:
        self._ops, self._latency_ns, self._delta_ns = mac_ops, latency_ns, delta_ns
        self._count = 0

    def block(self, n: int) -> list[int]:
        """Take the latency and the profiler's cost, without taking time."""
        self._count += n
        return [self._latency_ns + round(self._delta_ns * len(self._ops))] * n

    def read(self) -> RawProfile:
        """Share the latency out by MACs."""
        total = sum(op.macs for op in self._ops) or 1
        operators = tuple(
            TimedOperator(
                name=op.name,
                kind=op.op,
                raw_ns=[0.9 * self._latency_ns * op.macs / total + self._delta_ns] * self._count,
                origins=(op.name,),
                weight=op.weight,
                group=op.group,
            )
            for op in self._ops
        )
        return RawProfile(operators, ProfilerCost(self._delta_ns, self._delta_ns, 0.0, 1.0))


class Fake(Backend):
    """The scripted backend."""

    name: ClassVar[str] = "fake"
    title: ClassVar[str] = "scripted latencies, for tests"
    parameters: ClassVar[dict[str, Parameter]] = parameters(
        Parameter("latency_ms", 1.0, range=(1e-6, 1e6)),
        Parameter("ps_per_mac", 0.0, range=(0.0, 1e6), help="added to the latency for each multiply-accumulate"),
        Parameter("launch_cv", 0.0, range=(0.0, 1.0), help="spread between launches"),
        Parameter("contention", 0.0, range=(0.0, 10.0), help="what each further stream adds to a latency, as a share"),
        Parameter("slowness", 1.0, range=(0.1, 10.0), help="of the scripted machine"),
        Parameter("disturb_every", 0, help="every how many blocks a neighbour doubles the latency; 0 is never"),
        Parameter("error", 0.0, help="added to every output"),
        Parameter("effective", "fp32", help="precision that is claimed to have run"),
        Parameter("unmet", "", help="what is claimed not to have taken effect"),
        Parameter("macs_share", 1.0, help="share of the MACs that is claimed to have run"),
        Parameter("placed", 1.0, range=(0.0, 1.0), help="share that is claimed to have run on the device"),
        Parameter("profiler_us", 2.0, range=(0.0, 1e6), help="what profiling adds to each operator"),
        Parameter("throttle", 0.0, range=(0.0, 10.0), help="share by which a device that is hot is slower in the end"),
        Parameter("throttle_after", 1000.0, range=(1.0, 1e9), help="inferences after which 63% of that is reached"),
        Parameter("folder", "", help="where the scripted device keeps its heat from launch to launch"),
        Parameter("sleep_ms", 0.0, range=(0.0, 60_000.0), help="really slept in each inference, and in no latency"),
        Parameter("fail", "none", choices=("none", "crash", "kill", "hang", "memory", "noise", "raise", "drift")),
        Parameter("fail_at", 0, help="the inference at which to fail, or from which on outputs are wrong (drift)"),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        graph=True, profiles=True, probes=True, streams=True, scripted=True
    )

    def load(self, artifact: Artifact, settings: Settings, options: Options) -> FakeSession:
        """Return a scripted session."""
        return FakeSession(artifact, settings, options)


def misbehave(how: str) -> None:
    """Fail as a real runtime might."""
    if how == "crash":
        os.abort()
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "hang":
        time.sleep(3600)
    elif how == "memory":
        raise MemoryError("scripted")
    elif how == "noise":
        os.write(1, b"a runtime prints to stdout\n")
    elif how == "raise":
        raise Unsupported("scripted failure", "this is a test")
