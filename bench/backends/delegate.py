"""How much of a network a delegate runs: XNNPACK in LiteRT and ExecuTorch.

It takes over what it can, one part for each connected piece, and no call fails where it can take nothing: what it
leaves runs on kernels that are several times slower.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from bench.backends.effective import Placement
from bench.base.errors import clip

DELEGATE, XNNPACK = "DELEGATE", "XNNPACK"
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """An operator of LiteRT's graph: its kind, the numbers of the tensors that it reads and writes, and its MACs."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    macs: int = 0


@dataclass(frozen=True, slots=True)
class Shares:
    """What runs: in how many parts XNNPACK has the network, and the operators left outside, by kind.

    `inside` is the number of operators that it took over, `macs` are those of the whole network and `macs_outside`
    those that it left.
    """

    partitions: int
    outside: Counter[str] = field(default_factory=Counter)
    inside: int = 0
    macs: int = 0
    macs_outside: int = 0

    @property
    def placement(self) -> Placement:
        """How much of the network XNNPACK runs."""
        operators = self.inside + self.outside.total()
        return Placement(
            XNNPACK,
            self.inside / operators if operators else 0.0,
            1 - self.macs_outside / self.macs if self.macs else None,
            tuple(f"{n} {kind} on slower kernels" for kind, n in sorted(self.outside.items()))[:5],
            delegate=True,
        )

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
    plain = {tensor: node for node in nodes if node.kind != DELEGATE for tensor in node.outputs}
    ran, source = _needed(made, outputs), _needed(plain, outputs)
    kinds = Counter(node.kind for node in ran)
    partitions = kinds.pop(DELEGATE, 0)
    left = sum(node.macs for node in ran)
    return Shares(partitions, kinds, len(source) - kinds.total(), sum(node.macs for node in source), left)


def _needed(made: dict[int, Node], outputs: Sequence[int]) -> list[Node]:
    """Return the operators that the outputs depend on; `made` says which one writes a tensor."""
    waiting, seen = list(outputs), set[int]()
    found: dict[int, Node] = {}
    while waiting:
        tensor = waiting.pop()
        if tensor in seen or tensor not in made:
            continue
        seen.add(tensor)
        found[id(made[tensor])] = made[tensor]
        waiting += made[tensor].inputs
    return list(found.values())


def tflite_macs(kind: str, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Return the MACs of an operator: TensorFlow Lite has channels last, and output channels first in a weight."""
    if len(inputs) < 2 or not outputs:
        return 0
    weight, result = inputs[1], prod(outputs[0])
    if kind == "CONV_2D":
        return result * prod(weight[1:])
    if kind == "DEPTHWISE_CONV_2D":
        return result * prod(weight[1:3])
    if kind == "FULLY_CONNECTED":
        return result * weight[-1]
    if kind == "BATCH_MATMUL":
        return result * inputs[0][-1]
    return 0
