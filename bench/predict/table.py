"""What was measured for prediction on this machine: kernels alone, and networks end to end.

One file per machine, backend spec, runtime version and thread count: a key never meets a measurement of another.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from bench.backends.kernel import Kernel
from bench.base import cache
from bench.base.errors import OutputError
from bench.base.files import write_whole
from bench.machine.environment import Environment
from bench.machine.identity import machine_of
from bench.plan.case import same_name
from bench.stats.repeats import SLOPE

FORMAT = 1
# Times the reference workload's baseline time from which a run was disturbed, as in `bench.measure.evidence`.
SLOW = 1.25
APART = 1.15  # times the fastest run of a kernel from which another was disturbed: nothing makes one faster


@dataclass(frozen=True, slots=True)
class Context:
    """What every measurement of a table has in common."""

    backend: str
    version: str
    threads: int
    isa: str
    machine: str

    @classmethod
    def of(cls, environment: Environment, backend: str, version: str, threads: int) -> Context:
        """Describe this machine with a runtime."""
        machine = machine_of(environment)
        return cls(backend, version, threads, f"{environment.arch} {environment.microarchitecture}", machine)

    @property
    def path(self) -> Path:
        """Where its table is kept."""
        text = json.dumps([self.backend, self.version, self.threads, self.isa])
        name = f"{self.machine}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json.gz"
        return cache.folder("predict") / name


@dataclass
class Timing:
    """One kernel: what it is, each time it was timed, and why it could not be, if so."""

    kernel: Kernel
    runs: list[dict[str, float]] = field(default_factory=list)
    failed: str = ""

    def hot_ns(self, baseline_gemm_ns: float) -> float:
        """Return its time with everything in the cache, told for the machine's baseline speed."""
        return self._time("hot_ns", baseline_gemm_ns)

    def cold_ns(self, baseline_gemm_ns: float) -> float:
        """Return its time with weights and large operands out of the private caches, at the baseline speed.

        A time that was told inside a network has no other.
        """
        if any("cold_ns" not in run for run in self.runs):
            return self.hot_ns(baseline_gemm_ns)
        return max(self._time("cold_ns", baseline_gemm_ns), self.hot_ns(baseline_gemm_ns))

    def quiet_runs(self, baseline_gemm_ns: float) -> list[dict[str, float]]:
        """Return the undisturbed runs: their reference workload was near its baseline, they agree with the fastest."""
        calm = [run for run in self.runs if run["gemm_ns"] < SLOW * baseline_gemm_ns]
        if any("cold_ns" not in run for run in calm):  # told inside networks, which differ
            return calm
        fastest = min((run["hot_ns"] for run in calm), default=0.0)
        return [run for run in calm if run["hot_ns"] < APART * fastest]

    def _time(self, what: str, baseline_gemm_ns: float) -> float:
        runs = self.quiet_runs(baseline_gemm_ns) or self.runs
        logs = [math.log(run[what]) - SLOPE * math.log(run["gemm_ns"] / baseline_gemm_ns) for run in runs]
        return math.exp(statistics.median(logs))


@dataclass
class KernelList:
    """A network: the keys of its kernels in order, operators that could not be cut out, and its latency if measured.

    `again_ns` is a second measurement of the latency, for judging the first; `sha256` that of the ONNX file. `runs` are
    blocks of inferences beside the reference workload, from which the latency follows; `made` is the recipe of a
    made-up network.
    """

    name: str
    keys: tuple[str, ...]
    lost: tuple[str, ...] = ()
    macs: int = 0
    latency_ns: float | None = None
    again_ns: float | None = None
    sha256: str = ""
    family: str = ""
    runs: list[dict[str, float]] = field(default_factory=list)
    made: dict[str, Any] | None = None

    def calm(self, baseline_gemm_ns: float) -> list[dict[str, float]]:
        """Return the undisturbed runs."""
        return [run for run in self.runs if run["gemm_ns"] < SLOW * baseline_gemm_ns]

    def settle(self, baseline_gemm_ns: float) -> None:
        """Take the latency from the runs: the median of the undisturbed ones, told for the baseline speed."""
        calm = self.calm(baseline_gemm_ns) or self.runs
        logs = [math.log(run["latency_ns"]) - SLOPE * math.log(run["gemm_ns"] / baseline_gemm_ns) for run in calm]
        if logs:
            self.latency_ns = math.exp(statistics.median(logs))
        elif self.made is not None:
            self.latency_ns = None


class Calibration(TypedDict):
    """How wrong the prediction of a measured network was: `bench.predict.predictor.calibrate`."""

    network: NotRequired[str]
    family: NotRequired[str]
    seen: NotRequired[float]
    unseen: NotRequired[float]
    unsure: NotRequired[float]


@dataclass
class KernelTable:
    """All that was measured in one context."""

    context: Context
    timings: dict[str, Timing] = field(default_factory=dict)
    networks: dict[str, KernelList] = field(default_factory=dict)
    calibration: list[Calibration] = field(default_factory=list)
    file: Path | None = None  # where it is kept, if not in the cache
    spent_s: float = 0.0  # what the training has taken
    guesses: dict[str, list[float]] = field(default_factory=dict)  # hot, cold (ns), unsure: predicted from all of it

    @property
    def baseline_gemm_ns(self) -> float:
        """The reference workload's time at the baseline speed: the lower quartile of what was met."""
        met = [run["gemm_ns"] for timing in self.timings.values() for run in timing.runs]
        met = sorted(met or [run["gemm_ns"] for network in self.networks.values() for run in network.runs])
        return met[len(met) // 4] if met else 1.0

    @property
    def told(self) -> bool:
        """Whether the times of kernels were told inside networks by the runtime, not measured alone."""
        return any("cold_ns" not in run for timing in self.timings.values() for run in timing.runs)

    def settle(self) -> None:
        """Take the latencies of the networks from their runs."""
        baseline_ns = self.baseline_gemm_ns
        for network in self.networks.values():
            network.settle(baseline_ns)

    def upto(self, seconds: float) -> KernelTable:
        """Return a copy as it was after so many seconds of training, not calibrated."""

        def then(runs: list[dict[str, float]]) -> list[dict[str, float]]:
            return [run for run in runs if run.get("spent_s", 0.0) <= seconds]

        found = KernelTable(self.context, spent_s=min(self.spent_s, seconds))
        found.timings = {key: replace(t, runs=then(t.runs)) for key, t in self.timings.items()}
        for name, network in self.networks.items():
            runs = then(network.runs)
            latency_ns = network.latency_ns if not network.runs else None
            found.networks[name] = replace(network, runs=runs, latency_ns=latency_ns)
        found.settle()
        return found

    def add(self, kernels: Sequence[Kernel]) -> list[str]:
        """Take kernels in and return their keys, in order."""
        for kernel in kernels:
            self.timings.setdefault(kernel.key, Timing(kernel))
        return [kernel.key for kernel in kernels]

    def save(self) -> None:
        """Write the table, whole or not at all."""
        data = {
            "format": FORMAT,
            "context": {name: getattr(self.context, name) for name in Context.__dataclass_fields__},
            "timings": [
                {"kernel": t.kernel.record(), "runs": t.runs, "failed": t.failed} for t in self.timings.values()
            ],
            "networks": [vars(network) for network in self.networks.values()],
            "calibration": self.calibration,
            "spent_s": self.spent_s,
            "guesses": self.guesses,
        }
        file = self.file or self.context.path
        write_whole(file, gzip.compress(json.dumps(data, separators=(",", ":")).encode(), 6, mtime=0))


def asking(trained: KernelTable, other: KernelTable, timed: bool = False) -> KernelTable:
    """Return a copy of a trained table that also knows the networks of another, without their latencies.

    Their kernels are known by shape alone, or with their times where `timed`.
    """
    found = KernelTable(trained.context, calibration=trained.calibration, spent_s=trained.spent_s)
    found.timings, found.guesses = dict(trained.timings), dict(trained.guesses)
    for key, timing in other.timings.items():
        if timed and timing.runs and not (key in found.timings and found.timings[key].runs):
            found.timings[key] = timing
        else:
            found.timings.setdefault(key, Timing(timing.kernel))
    found.networks = dict(trained.networks)
    for name, network in other.networks.items():
        found.networks.setdefault(name, replace(network, latency_ns=None, again_ns=None, runs=[]))
    return found


def recall(context: Context) -> KernelTable:
    """Return the table of a context, an empty one where there is none or it does not read."""
    try:
        found = read(context.path)
    except OutputError:
        return KernelTable(context)
    return found if found.context == context else KernelTable(context)


def read(path: Path) -> KernelTable:
    """Read a table.

    Raises:
        OutputError: it is not there, or is none.
    """
    try:
        data = json.loads(gzip.decompress(path.read_bytes()))
        if data["format"] != FORMAT:
            raise ValueError("format")
        table = KernelTable(Context(**data["context"]))
        for row in data["timings"]:
            kernel = Kernel.read(row["kernel"])
            table.timings[kernel.key] = Timing(kernel, row["runs"], row["failed"])
        for row in data["networks"]:
            tuples = {name: tuple(row[name]) for name in ("keys", "lost")}
            network = KernelList(**row | tuples | {"name": same_name(row["name"])})
            table.networks[network.name] = network
        table.calibration, table.spent_s = data["calibration"], data.get("spent_s", 0.0)
        table.guesses = data.get("guesses", {})
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path} holds no table of kernels", "`bench predict --train` makes one") from error
    return table
