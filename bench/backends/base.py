"""The contract of a backend: what it declares, what it must do, and what it may do besides.

A third party's backend subclasses `Backend` and `Session` and is named in the entry-point group ``bench.backends``
(``docs/extending.md`` builds one). Whatever is optional is declared in `Capabilities` and has a default here, so that
nobody asks an object what it happens to have, and nobody asks a backend for its name.

A backend module is imported by the parent too (to check options), so it imports its runtime only inside methods.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from bench.artifact.artifact import Array as Array
from bench.artifact.artifact import Artifact, Quantization
from bench.backends.effective import Effective as Effective
from bench.backends.effective import Operator as Operator
from bench.backends.effective import Placement as Placement
from bench.backends.tolerance import PARITY_TOLERANCE as PARITY_TOLERANCE
from bench.base.errors import Unsupported
from bench.machine.gpu import Facts, Reading
from bench.machine.workload import Workload
from bench.plan.case import Settings
from bench.plan.parameter import Parameter, Value

if TYPE_CHECKING:
    from bench.artifact.probe import Probe
    from bench.backends.ort_kernels import KernelList
    from bench.backends.profiling import Profiler

Options = dict[str, Value]

# That a backend offers int8, and on what it is calibrated: for `parameters`.
CALIBRATION = Parameter("calibration", "", help="an .npz of inputs to calibrate precision=int8 on")


@dataclass(frozen=True, slots=True)
class Quantized:
    """What a converter says of a network that it quantised: how, and what it must put out.

    `outputs` are those of the quantised network for the artifact's reference inputs, by the implementation that
    `reference_by` names.
    """

    quantization: Quantization
    outputs: list[Array]
    reference_by: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """That a backend converts artifacts, and what else than the artifact decides the result.

    `options` are those that the converter looks at; `packages` the distributions that convert, by whose versions a
    converted form is kept. A conversion that takes longer than `timeout_s` is ended.
    """

    options: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    timeout_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do, declared so that nothing is tried out or guessed.

    `takes` is the part of an artifact that it reads: the ONNX file, or the recipe and weights of an ``nn.Module``.
    With a `conversion`, that is read by `Backend.prepare` alone, and `Backend.load` gets what it wrote. `graph` says
    that `Session.operators` tells the graph that runs; without, a row's ``macs_executed`` is empty and nobody can see
    whether work was folded away. `profiles`: a session has a profiler. `probes`: the graphs of ``bench roofline`` run
    as they are. `kernels`: single operators can be listed and run alone (``bench predict``); `kernel_times`: they can
    be listed, and its profiler tells their times. `streams`: a session runs several inferences at once
    (`Session.lanes`). `scripted`: it measures nothing, and its times say nothing of the machine.
    """

    takes: Literal["onnx", "module"] = "onnx"
    conversion: Conversion | None = None
    graph: bool = False
    profiles: bool = False
    probes: bool = False
    kernels: bool = False
    kernel_times: bool = False
    streams: bool = False
    scripted: bool = False

    @property
    def form(self) -> str:
        """The form in which an artifact is uploaded to the device: ``onnx``, ``module`` or ``converted``."""
        return "converted" if self.conversion else self.takes


@dataclass(frozen=True, slots=True)
class Clocks:
    """What tells the time of a session: the host's clock, unless it says otherwise.

    `device_ns` returns a device's own time for the last inference in ns (CUDA events). `now`, `sleep` and `workload`
    (and `heat`, clock and temperature) are replaced together, by a scripted session: its time has nothing to do with
    this machine's.
    """

    now: Callable[[], int] = time.perf_counter_ns
    sleep: Callable[[float], None] = time.sleep
    device_ns: Callable[[], int] | None = None
    workload: Workload | None = None
    heat: Callable[[], dict[str, float]] | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """One of the inferences that run at once: with buffers of its own, in whatever thread calls `infer`.

    `outputs` returns those of its last inference, `now` tells its time in ns: the host's clock, unless it is scripted.
    """

    infer: Callable[[], None]
    outputs: Callable[[], list[Array]]
    now: Callable[[], int] = time.perf_counter_ns


class Device(Protocol):
    """What tells of the device beside its time (`bench.machine.gpu.Gpu`); asked outside of what is timed."""

    def reading(self) -> Reading:
        """Return clocks, power and what slows the device, now; what cannot be told is left out."""

    def facts(self) -> Facts:
        """Return what a row tells of it."""

    def energy_mj(self) -> int | None:
        """Return a running total in mJ, or None where nothing counts it."""


class Session(ABC):
    """A network loaded into a runtime, with its buffers allocated and filled with the artifact's reference input.

    `infer` runs one synchronous inference on the buffers, and nothing else: it is the timed region. It may be a
    method, or a function that is bound when the session is made. `compile_ns` is the part of the loading in which the
    runtime compiled, where that can be told. `device` is there where the network runs on another device than the CPU:
    then neither CPU time nor the speed of the host's cores says how fast it ran.
    """

    infer: Callable[[], None]
    clocks: Clocks = Clocks()
    device: Device | None = None
    compile_ns: int | None = None

    @abstractmethod
    def outputs(self) -> list[Array]:
        """Return the outputs of the last inference, in the artifact's order."""

    @abstractmethod
    def effective(self) -> Effective:
        """Read back what runs. May be slow: it is called once, after the measuring."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""

    def operators(self) -> list[Operator]:
        """Return the runtime's own fused graph in order of execution. May be slow, as `effective`.

        Asked only of a backend whose capability is `graph`.
        """
        raise Unsupported("this runtime does not tell its graph")

    def lanes(self) -> list[Lane]:
        """Return what runs at once, as many as the settings' `streams`. Each is called by a thread of its own.

        Asked once, and only of a backend whose capability is `streams`, of a session that was loaded for throughput.

        Raises:
            Unsupported: not with these options.
        """
        raise Unsupported("this runtime runs one inference at a time")

    def profiler(self) -> Profiler:
        """Load a profiled twin; see `bench.backends.profiling`. Asked only of a backend whose capability is `profiles`.

        Raises:
            Unsupported: there is none for this session.
        """
        raise Unsupported("this runtime does not tell the time of an operator")


class Backend(ABC):
    """A runtime.

    `name` is that of its entry point. `modules` are what it imports, `packages` the distributions they come from,
    `extra` the extra of ``isoflops`` that installs those (empty: pip installs `packages`). `wheel` is the distribution
    of which ``version=`` installs another version, alone, beside what is there; empty where one wheel is not enough.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    modules: ClassVar[tuple[str, ...]] = ()
    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""
    wheel: ClassVar[str] = ""
    parameters: ClassVar[dict[str, Parameter]] = {}
    capabilities: ClassVar[Capabilities] = Capabilities()

    @abstractmethod
    def load(self, artifact: Artifact, settings: Settings, options: Options) -> Session:
        """Load and compile the artifact; timed as ``load_ms``.

        Raises:
            bench.base.errors.Unsupported: this backend cannot run this model or these options.
        """

    def import_runtime(self) -> None:
        """Import the runtime; timed as ``import_ms``."""
        for module in self.modules:
            import_module(module)

    def converts(self, options: Options) -> Conversion | None:
        """Return how it converts with these options: as it declares, unless only some options ask for it."""
        return self.capabilities.conversion

    def environment(self, options: Options) -> dict[str, str]:
        """Return the variables that a worker is to begin with, for options that a runtime reads at its start alone."""
        return {}

    def prepare(self, artifact: Artifact, options: Options, folder: Path) -> Quantized | None:
        """Convert the artifact into files in `folder`: in a process of its own, once, outside of ``load_ms``.

        One that offers ``precision=int8`` quantises where it is asked to and says how. A backend without a conversion
        is given the network quantised already (`bench.export.quantize`). Asked only where `converts` tells a
        conversion. `load` finds them by `Artifact.converted_path`.

        Raises:
            bench.base.errors.Unsupported: it cannot be converted.
        """
        raise Unsupported(f"{self.name} converts nothing")

    def asked_precision(self, artifact: Artifact, options: Options) -> str:
        """Return the precision that these options ask for; ``model`` and no option ask for that of the weights."""
        asked = str(options.get("precision", "model"))
        return artifact.precision if asked == "model" else asked

    def accelerated(self, options: Options) -> bool:
        """Tell whether these options ask for another device than the CPU."""
        return False

    def load_probe(self, artifact: Probe, settings: Settings, options: Options) -> Session:
        """Load a graph of ``bench roofline``: one or a few of MatMul, Conv and Add.

        Asked only of a backend whose capability is `probes`. One that takes ONNX files loads it as any other.
        """
        return self.load(artifact, settings, options)

    def kernels(self, model: Path, threads: int, options: Options) -> KernelList:
        """Return the operators of the graph that the runtime makes of an ONNX file, each cut out.

        Asked only of a backend whose capability is `kernels`, as is `load_kernel`, or `kernel_times`.
        """
        raise Unsupported(f"{self.name} does not list its kernels")

    def load_kernel(self, artifact: Artifact, settings: Settings, options: Options) -> Session:
        """Load one operator of `kernels` so that it runs as it stands."""
        raise Unsupported(f"{self.name} runs no kernel alone")

    def versions(self) -> dict[str, str]:
        """Return the versions of its packages, those of its converter included, without importing any."""
        converter = self.capabilities.conversion.packages if self.capabilities.conversion else ()
        found = {}
        for package in (*self.packages, *converter):
            try:
                found[package] = version(package)
            except PackageNotFoundError:
                found[package] = ""
        return found

    def install_hint(self) -> str:
        """Say how its runtime is installed."""
        if self.extra:
            return f"pip install 'isoflops[{self.extra}]'"
        return f"pip install {' '.join(self.packages or self.modules)}"


def parameters(*rows: Parameter) -> dict[str, Parameter]:
    """Index parameters by name."""
    return {row.name: row for row in rows}


def running_threads() -> int | None:
    """Count the threads of this process, where the system tells: a runtime's own are those that came with it."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return None
