"""What is measured: frozen records of a network, a case and its settings, and a plan.

A field of `Network` or `Settings` is all there is to say of one: its default, its bounds, its name in the grammar of
cases (`bench.plan.grammar`) and, by its own name, its column of a row.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import msgspec

from bench.base.errors import ParameterError, UsageError, clip
from bench.plan import shapes as shape_texts
from bench.plan.given import Given
from bench.plan.given import read as read_given
from bench.plan.option import check, option
from bench.plan.pace import read as read_pace
from bench.plan.parameter import Value, show
from bench.plan.protocol import LATENCY, MODES, MOST_LIVE, THROUGHPUT, Protocol
from bench.plan.shapes import Shapes
from bench.plan.zoo import ModelRef, spellings

# What the hash of a case held from the first; a field that came later counts where it is not its default, so that the
# cases of older rows keep their ids.
FIRST = ("threads", "batch", "resolution")


@dataclass(frozen=True, slots=True)
class Network:
    """What is computed, whatever runs it: all that an exported artifact, a count or a kernel list depends on.

    `resolution` is the side of the square input in pixels; None is replaced by the model's own (its card's; an ONNX
    file has none). `shapes` are those of the inputs of a file (ONNX or Python) or of a library's network, by name,
    where the person gave them. `input` is data that the person gave; None for seeded noise.

    Raises:
        ParameterError: a number is out of bounds, `shapes` are given to a network of the zoo, or the model's spec says
            another resolution.
    """

    model: ModelRef
    batch: int = option(1, 1, 4096, hint="1 is the default")
    resolution: int | None = option(None, 8, 4096, hint="224 is most papers' choice")
    shapes: Shapes = option(  # noqa: RUF009 (it is a field)
        (), key="shape", read=lambda text: shape_texts.parse([text]), show=shape_texts.show
    )
    input: Given | None = option(None, read=read_given)  # noqa: RUF009

    def __post_init__(self) -> None:
        check(self)
        if self.shapes and self.model.kind == "zoo":
            raise ParameterError(
                f"--shape is for ONNX files and networks of your own, and {clip(self.model.canonical)} is of the zoo",
                "--batch and --resolution shape it",
            )
        if self.model.asked and self.resolution not in (None, self.model.resolution):
            raise ParameterError(
                f"{clip(self.model.canonical)} is asked for with resolution={self.model.resolution} in its name, and "
                f"with {self.resolution} beside it",
                "keep one of the two",
            )
        if self.resolution is None:
            object.__setattr__(self, "resolution", self.model.resolution)

    def __str__(self) -> str:
        shapes = shape_texts.show(self.shapes)
        return network_name(self.model.canonical, self.resolution, self.batch, shapes, str(self.input or ""))


def network_name(model: str, resolution: object, batch: object, shapes: str = "", input: str = "") -> str:
    """Name a network: equal texts are equal networks, in evidence, tables of kernels, predictions and rows."""
    rest = (shapes, input and f"input={input}")
    return " ".join([f"{model} resolution={resolution} batch={batch}", *filter(None, rest)])


def same_name(text: str) -> str:
    """Write a network's name as `network_name` does; tables of kernels and predictions once had the batch first."""
    model, *parts = text.split(" ")
    known = dict(part.partition("=")[::2] for part in parts if part.startswith(("resolution=", "batch=")))
    if len(known) < 2:
        return text
    shapes = [part for part in parts if not part.startswith(("resolution=", "batch="))]
    return network_name(model, known["resolution"], known["batch"], " ".join(shapes))


@dataclass(frozen=True, slots=True)
class Settings:
    """How a network is run, whatever network and backend: the person's choice.

    `pace_ms` starts an inference on a schedule; None starts it when the last one has ended. In the `mode` ``latency``
    one inference runs at a time, on `threads`; in ``throughput`` `streams` of them run at once, each on `threads`, or
    as many as there are cores for where `streams` is None.

    Raises:
        ParameterError: a number is out of bounds, or two settings do not go together.
    """

    threads: int = option(1, 1, 4096, hint="1 is the default")
    pace_ms: float | None = option(
        None, 0.001, 60_000.0, key="pace", read=read_pace, show=lambda ms: f"pace={ms:g}ms", hint="write e.g. 33ms"
    )
    mode: str = option(LATENCY)
    streams: int | None = option(None, 1, 4096, hint="leave it out for one on every core")

    def __post_init__(self) -> None:
        check(self)
        if self.mode not in MODES:
            raise ParameterError(f"{clip(self.mode)!r} is no mode", f"modes are {' and '.join(MODES)}")
        if self.mode == LATENCY and self.streams is not None:
            raise ParameterError("streams are of mode=throughput", "in mode=latency one inference runs at a time")
        if self.mode == THROUGHPUT and self.pace_ms is not None:
            raise ParameterError("a pace is of mode=latency", "in mode=throughput nothing waits")

    @property
    def cores(self) -> int | None:
        """How many cores it computes on; None for as many as there are."""
        if self.mode == LATENCY:
            return self.threads
        return None if self.streams is None else self.threads * self.streams

    @property
    def least_cores(self) -> int:
        """How many cores there must be for it to run."""
        return self.cores or self.threads

    def streams_on(self, cores: int) -> int:
        """Return how many inferences run at once where there are so many cores."""
        if self.mode == LATENCY:
            return 1
        return self.streams or max(1, cores // self.threads)

    @classmethod
    def read(cls, data: object) -> Settings:
        """Make settings of what `dataclasses.asdict` and JSON made of them."""
        return msgspec.convert(data, cls)


@dataclass(frozen=True, slots=True)
class BackendRef:
    """A backend that was looked up and checked: its name, all its options, and the interpreter that has it.

    `python` is empty for the interpreter that runs ``bench``. With a `version` it is that of an environment which has
    this version of the runtime (`bench.backends.versions`), and empty until that is made.
    """

    name: str
    options: dict[str, Value]
    defaults: dict[str, Value] = field(default_factory=dict)
    python: str = ""
    version: str = ""

    @property
    def canonical(self) -> str:
        """The spec with its defaults left out."""
        changed = [f"{k}={show(v)}" for k, v in self.options.items() if v != self.defaults.get(k)]
        if self.version:  # where its interpreter lies says nothing that the version does not
            changed.append(f"version={self.version}")
        elif self.python:
            changed.append(f"python={self.python}")
        return f"{self.name}:{','.join(changed)}" if changed else self.name


@dataclass(frozen=True, slots=True)
class Case:
    """One cell: network x backend x settings x target."""

    network: Network
    backend: BackendRef
    settings: Settings = field(default_factory=Settings)
    target: str = "local"

    @property
    def model(self) -> ModelRef:
        """The network's model."""
        return self.network.model

    @property
    def resolution(self) -> int | None:
        """Side of the input in pixels: what was asked for, else what the model says."""
        return self.network.resolution

    @property
    def id(self) -> str:
        """A short hash that is equal for equal cases, on every machine and in every version."""
        text = json.dumps(self.identity(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def identity(self) -> dict[str, object]:
        """What makes this case this case."""
        chosen = self._options()
        kept = {name: value for name, (value, default, _) in chosen.items() if name in FIRST or value != default}
        if "input" in kept:
            kept["input"] = str(kept["input"])
        return {"model": self.model.canonical, "backend": self.backend.canonical, "target": self.target} | kept

    def columns(self) -> dict[str, object]:
        """Return what a row says of the case, by column: a field that is added here needs a column, and no more."""
        told = {name: value for name, (value, _, _) in self._options().items()}
        told["shapes"] = shape_texts.show(self.network.shapes) or None
        told["input"] = str(self.network.input or "") or None
        return self.identity() | told

    def _options(self) -> dict[str, tuple[object, object, Callable[[object], str] | None]]:
        """Return value, default and way to write it of every option of network and settings."""
        found = {}
        for part in (self.settings, self.network):
            for one in fields(part):
                if one.name != "model":
                    found[one.name] = getattr(part, one.name), one.default, one.metadata.get("show")
        return found

    def __str__(self) -> str:
        chosen = self._options()
        chosen["resolution"] = (self.resolution, self.model.resolution, None)
        extras = []
        for name in (*FIRST, *(n for n in chosen if n not in FIRST)):
            value, default, write = chosen[name]
            if value != default:
                extras.append(write(value) if write else f"{name}={value}")
        return " ".join([self.model.canonical, "on", self.backend.canonical, *extras])


@dataclass(frozen=True, slots=True)
class Plan:
    """The cases of one run, without repetition, in the order of the command line, and how to measure them.

    Raises:
        UsageError: a limit is given, or cases are to be kept going, and one has no latency; or these are too many.
    """

    cases: tuple[Case, ...]
    protocol: Protocol

    def __post_init__(self) -> None:
        rates = any(case.settings.mode == THROUGHPUT for case in self.cases)
        if self.protocol.limits and rates:
            raise UsageError(
                f"the limit {self.protocol.limits[0]} is of a latency, and mode=throughput has none",
                "leave --max and --max-latency out, or measure in mode=latency",
            )
        if self.protocol.sustain_s and rates:
            raise UsageError("--sustain is of a latency, and mode=throughput has none", "measure in mode=latency")
        if self.protocol.sustain_s and len(self.cases) > MOST_LIVE:
            raise UsageError(
                f"--sustain keeps {MOST_LIVE} cases going at most, and these are {len(self.cases)}", "name fewer"
            )


def cross(
    models: Sequence[ModelRef],
    backends: Sequence[BackendRef],
    threads: Sequence[int] = (1,),
    batches: Sequence[int] = (1,),
    resolutions: Sequence[int | None] = (None,),
    target: str = "local",
    protocol: Protocol | None = None,
    shapes: Shapes = (),
    paces: Sequence[float | None] = (None,),
    mode: str = LATENCY,
    streams: Sequence[int | None] = (None,),
    input: Given | None = None,
) -> Plan:
    """Make the plan that is the cross product of its arguments; equal cases are measured once.

    `shapes` and `input` go to every model, none of which may be of the zoo if there are shapes.
    """
    cases: dict[str, Case] = {}
    different: dict[str, ModelRef] = {}
    for model in models:  # the path of a file is written in several ways
        different.setdefault(spellings(model)[0].canonical, model)
    axes = itertools.product(different.values(), backends, batches, resolutions, threads, paces, streams)
    for model, backend, batch, side, thread, pace, many in axes:
        case = Case(Network(model, batch, side, shapes, input), backend, Settings(thread, pace, mode, many), target)
        cases.setdefault(case.id, case)
    return Plan(tuple(cases.values()), protocol or Protocol())
