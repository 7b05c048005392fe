"""How much of a network a delegate runs: XNNPACK in LiteRT and ExecuTorch.

It takes over what it can, one part for each connected piece, and no call fails where it can take nothing: what it
leaves runs on kernels that are several times slower.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.base.errors import clip

DELEGATE = "DELEGATE"


@dataclass(frozen=True, slots=True)
class Node:
    """An operator of LiteRT's graph: its kind, and the numbers of the tensors that it reads and writes."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shares:
    """What runs: in how many parts XNNPACK has the network, and the operators left outside, by kind."""

    partitions: int
    outside: Counter[str] = field(default_factory=Counter)

    @property
    def unmet(self) -> tuple[str, ...]:
        """What is to be said where XNNPACK runs nothing: that the row is of something else."""
        return () if self.partitions else (f"XNNPACK runs none of it, but slower kernels do: {self._left()}",)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said where XNNPACK does not run all of it in one piece."""
        if not self.partitions or (self.partitions == 1 and not self.outside):
            return ()
        parts = f"{self.partitions} part{'s' * (self.partitions > 1)}"
        left = f", and leaves {self._left()} to slower kernels" if self.outside else ""
        return (f"XNNPACK runs the network in {parts}{left}",)

    @property
    def settings(self) -> dict[str, object]:
        """What goes into a row's settings."""
        return {"delegate.partitions": self.partitions, "delegate.outside": dict(self.outside)}

    def _left(self) -> str:
        return clip(", ".join(f"{n} {kind}" for kind, n in sorted(self.outside.items())), 100)


def shares(nodes: Sequence[Node], outputs: Sequence[int]) -> Shares:
    """Find out which operators of LiteRT's graph run, walking back from the outputs.

    The interpreter lists the operators that a delegate has replaced beside the DELEGATE that replaced them: a tensor
    that both write is written by the latter.
    """
    made = {tensor: node for node in nodes if node.kind != DELEGATE for tensor in node.outputs}
    made |= {tensor: node for node in nodes if node.kind == DELEGATE for tensor in node.outputs}
    waiting, seen = list(outputs), set[int]()
    ran: dict[int, Node] = {}
    while waiting:
        tensor = waiting.pop()
        if tensor in seen or tensor not in made:
            continue
        seen.add(tensor)
        ran[id(made[tensor])] = made[tensor]
        waiting += made[tensor].inputs
    kinds = Counter(node.kind for node in ran.values())
    return Shares(kinds.pop(DELEGATE, 0), kinds)
