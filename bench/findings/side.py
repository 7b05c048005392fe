"""One side of an experiment: a network and its settings, before a backend is chosen."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from bench.plan import zoo
from bench.plan.case import BackendRef, Case, Settings
from bench.plan.parameter import Value
from bench.plan.spec import parse
from bench.plan.zoo import ModelRef

# What a spec may begin with besides a name of the zoo: modules of `models/` that no card names, and their resolution.
SOURCES = {"stack": ("stacks", 56), "variant": ("variants", zoo.DEFAULT_RESOLUTION)}


@dataclass(frozen=True, slots=True)
class Side:
    """A model spec with threads, batch and resolution (None: the model's own).

    A spec is one of the zoo's, or ``stack/NAME:key=value,...`` (``models/stacks.py``), or ``variant/NAME:...``
    (``models/variants.py``).
    """

    model: str
    threads: int = 1
    batch: int = 1
    resolution: int | None = None

    def case(self, backend: BackendRef) -> Case:
        """Make it a case on a backend."""
        return Case(resolve(self.model), backend, Settings(self.threads, self.batch, self.resolution))

    def __str__(self) -> str:
        extras = [f"threads={self.threads}"] if self.threads != 1 else []
        extras += [f"batch={self.batch}"] if self.batch != 1 else []
        extras += [f"{self.resolution} px"] if self.resolution else []
        return " ".join([self.model, *extras])


def resolve(text: str) -> ModelRef:
    """Look a spec up; what `bench.plan.zoo.resolve` raises."""
    head, slash, rest = text.partition("/")
    if not slash or head not in SOURCES:
        return zoo.resolve(text)
    module, resolution = SOURCES[head]
    spec = parse(rest)
    params: dict[str, Value] = {head: spec.name}
    params |= {key: _literal(value) for key, value in spec.params.items()}
    return ModelRef("zoo", text, module, params, resolution)


def _literal(text: str) -> Value:
    try:
        value: Value = ast.literal_eval(text.capitalize() if text in ("true", "false") else text)
    except (ValueError, SyntaxError):
        return text
    return value
