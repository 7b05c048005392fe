"""One side of an experiment: a network and its settings, before a backend is chosen."""

from __future__ import annotations

from dataclasses import dataclass

from bench.plan import zoo
from bench.plan.case import BackendRef, Case, Network, Settings


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
        network = Network(zoo.resolve(self.model), self.batch, self.resolution)
        return Case(network, backend, Settings(self.threads))

    def __str__(self) -> str:
        extras = [f"threads={self.threads}"] if self.threads != 1 else []
        extras += [f"batch={self.batch}"] if self.batch != 1 else []
        extras += [f"{self.resolution} px"] if self.resolution else []
        return " ".join([self.model, *extras])
