"""What is measured: frozen records of a case, its settings, and a plan."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.base.errors import ParameterError, clip
from bench.plan.parameter import Value, show
from bench.plan.protocol import Protocol
from bench.plan.shapes import Shapes
from bench.plan.shapes import show as show_shapes
from bench.plan.zoo import ModelRef


@dataclass(frozen=True, slots=True)
class Settings:
    """What of a case is the person's choice, whatever the model and the backend.

    `resolution` is the side of the square input in pixels; None leaves it to the model (its card, or its ONNX file).
    `shapes` are those of an ONNX file's inputs, by name, where the person gave them. `pace_ms` starts an inference on
    a schedule; None starts it when the last one has ended.
    """

    threads: int = 1
    batch: int = 1
    resolution: int | None = None
    shapes: Shapes = ()
    pace_ms: float | None = None

    @classmethod
    def read(cls, data: dict[str, Any]) -> Settings:
        """Make settings of what `dataclasses.asdict` and JSON made of them."""
        shapes = tuple((str(name), tuple(dims)) for name, dims in data.get("shapes", ()))
        return cls(**data | {"shapes": shapes})


@dataclass(frozen=True, slots=True)
class BackendRef:
    """A backend that was looked up and checked: its name, all its options, and the interpreter that has it.

    `python` is empty for the interpreter that runs ``bench``.
    """

    name: str
    options: dict[str, Value]
    defaults: dict[str, Value] = field(default_factory=dict)
    python: str = ""

    @property
    def canonical(self) -> str:
        """The spec with its defaults left out."""
        changed = [f"{k}={show(v)}" for k, v in self.options.items() if v != self.defaults.get(k)]
        if self.python:
            changed.append(f"python={self.python}")
        return f"{self.name}:{','.join(changed)}" if changed else self.name


@dataclass(frozen=True, slots=True)
class Case:
    """One cell: model x backend x settings x target."""

    model: ModelRef
    backend: BackendRef
    settings: Settings
    target: str = "local"

    @property
    def resolution(self) -> int | None:
        """Side of the input in pixels: what was asked for, else what the model says."""
        return self.settings.resolution or self.model.resolution

    @property
    def id(self) -> str:
        """A short hash that is equal for equal cases, on every machine and in every version."""
        text = json.dumps(self.identity(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def identity(self) -> dict[str, Any]:
        """What makes this case this case."""
        settings = asdict(self.settings) | {"resolution": self.resolution}
        if not self.settings.shapes:
            del settings["shapes"]
        if self.settings.pace_ms is None:
            del settings["pace_ms"]
        return {"model": self.model.canonical, "backend": self.backend.canonical, "target": self.target} | settings

    def __str__(self) -> str:
        extras = [f"threads={self.settings.threads}"] if self.settings.threads != 1 else []
        extras += [f"batch={self.settings.batch}"] if self.settings.batch != 1 else []
        extras += [f"resolution={self.settings.resolution}"] if self.settings.resolution else []
        extras += [f"pace={self.settings.pace_ms:g}ms"] if self.settings.pace_ms else []
        extras += [show_shapes(self.settings.shapes)] if self.settings.shapes else []
        return " ".join([self.model.canonical, "on", self.backend.canonical, *extras])


@dataclass(frozen=True, slots=True)
class Plan:
    """The cases of one run, without repetition, in the order of the command line, and how to measure them."""

    cases: tuple[Case, ...]
    protocol: Protocol


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
) -> Plan:
    """Make the plan that is the cross product of its arguments; equal cases are measured once.

    `shapes` go to every model; each must be an ONNX file.
    """
    for model in models:
        if shapes and model.kind != "onnx":
            raise ParameterError(
                f"--shape is for ONNX files, and {clip(model.canonical)} is none", "--batch and --resolution shape it"
            )
    for name, values in (("threads", threads), ("batch", batches)):
        for value in values:
            if not 1 <= value <= 4096:
                raise ParameterError(f"--{name} {value} is not a number from 1 to 4096", "1 is the default")
    for side in resolutions:
        if side is not None and not 8 <= side <= 4096:
            raise ParameterError(f"--resolution {side} is not a number from 8 to 4096", "224 is most papers' choice")
    cases: dict[str, Case] = {}
    axes = itertools.product(models, backends, batches, resolutions, threads, paces)
    for model, backend, batch, resolution, thread, pace in axes:
        case = Case(model, backend, Settings(thread, batch, resolution, shapes, pace), target)
        cases.setdefault(case.id, case)
    return Plan(tuple(cases.values()), protocol or Protocol())
