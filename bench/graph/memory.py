"""The largest set of activations that is alive at once, in the order of the graph.

Sandler et al., MobileNetV2 (CVPR 2018), section 5.1: while an operator runs, its inputs, its outputs and whatever a
later operator still needs are in memory. Table 3 prints the largest tensor at each resolution instead, with inverted
residuals computed in slices, so that their wide inner tensors never exist as a whole (equation 4 and below).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import inf, prod
from typing import TYPE_CHECKING

from bench.graph.access import bytes_of
from bench.graph.classes import OpClass, classify
from bench.graph.nodes import attributes_of, uses
from bench.graph.reading import Reading, Shape

if TYPE_CHECKING:
    import onnx

IN_PLACE = (OpClass.ACTIVATION, OpClass.ADD, OpClass.MULTIPLY, OpClass.BATCHNORM, OpClass.ELEMENTWISE)
GLOBAL_POOLS = ("GlobalAveragePool", "GlobalMaxPool")


@dataclass(frozen=True, slots=True)
class LiveSet:
    """The largest set of live activations: its size, the node at which it is reached, and its tensors."""

    bytes: int
    elements: int
    node: str
    tensors: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class LargestTensor:
    """The activation with the most channels among those of one resolution."""

    resolution: Shape
    channels: int
    elements: int
    bytes: int


class Lifetimes:
    """Which activations exist, from which node to which.

    A view shares the memory of its input. An element-wise operator overwrites an input that nobody needs any more (no
    input of the graph). Weights are no activations. With `fused`, the inner tensors of inverted residuals, and what a
    1x1 convolution puts out for a global pooling alone, are never whole and take nothing; their inputs stay alive
    until the end of the block.
    """

    def __init__(self, reading: Reading, fused: bool = False) -> None:
        self.reading = reading
        self.inputs, self.outputs = frozenset(reading.inputs), frozenset(reading.outputs)
        self.classes = [_class(node, reading) for node in reading.nodes]
        self.readers: dict[str, list[int]] = defaultdict(list)
        self.maker: dict[str, int] = {}
        for i, node in enumerate(reading.nodes):
            for name in dict.fromkeys(uses(node)):
                self.readers[name].append(i)
            self.maker |= dict.fromkeys(node.output, i)
        self.inner: set[str] = set()
        self.held: dict[str, int] = {}  # input of a fused block, and the node that ends the block
        if fused:
            self._fuse()

    def peak(self) -> LiveSet:
        """Walk through the graph and return the largest live set."""
        size, at, _ = self._walk()
        if not size:
            return LiveSet(0, 0, "", ())
        node = self.reading.nodes[at]
        live = self._walk(at)[2]
        shapes = [self.reading.shapes[name] for name in live if name not in self.inner]
        return LiveSet(size, sum(map(prod, shapes)), node.name or node.output[0], tuple(shapes))

    def _walk(self, until: int = -1) -> tuple[int, int, list[str]]:
        """Return the largest size of the live set, at which node it is reached, and what is live at node `until`."""
        storage, taken = self._storage(), dict[str, str]()
        last: dict[str, float] = {}
        for name, owner in storage.items():
            end = inf if name in self.outputs else max(self.readers[name], default=self.maker.get(name, -1))
            last[owner] = max(last.get(owner, -1), end, self.held.get(name, -1))
        live = dict.fromkeys(name for name in self.reading.inputs if name in storage)
        size = sum(self._bytes(name) for name in live)
        ending: dict[float, list[str]] = defaultdict(list)
        for name in live:
            ending[max(last[name], 0)].append(name)
        best, at = 0, 0
        for i, node in enumerate(self.reading.nodes):
            for name in node.output:
                if name not in storage or self.classes[i] is OpClass.VIEW:
                    continue
                self._overwrite(i, name, storage, taken, last)
                owner = taken.get(storage[name], storage[name])
                if owner not in live:
                    live[owner] = None
                    size += self._bytes(owner)
                ending[max(last[owner], i)].append(owner)
            if size > best:
                best, at = size, i
            if i == until:
                return best, at, list(live)
            for owner in ending.pop(i, ()):
                if owner in live and last[owner] <= i:
                    del live[owner]
                    size -= self._bytes(owner)
        return best, at, list(live)

    def largest(self) -> tuple[LargestTensor, ...]:
        """Return for each resolution the computed activation with the most channels, from the largest resolution on.

        Only tensors [n, c, h, w] and [n, c] (then 1x1) have channels.
        """
        found: dict[Shape, LargestTensor] = {}
        for name in self.maker:
            shape = self.reading.shapes.get(name, ())
            if len(shape) not in (2, 4) or name in self.inner or name in self.reading.constants:
                continue
            where = shape[2:] or (1, 1)
            one = LargestTensor(where, shape[1], prod(shape), bytes_of(prod(shape), self.reading.types[name]))
            if where not in found or one.channels > found[where].channels:
                found[where] = one
        return tuple(sorted(found.values(), key=lambda t: -prod(t.resolution)))

    def _storage(self) -> dict[str, str]:
        """Say in whose memory each activation is: its own, or that of the tensor it is a view of."""
        storage = {name: name for name in self.reading.inputs if name in self.reading.shapes}
        for i, node in enumerate(self.reading.nodes):
            for name in node.output:
                if name in self.reading.shapes:
                    source = storage.get(node.input[0]) if self.classes[i] is OpClass.VIEW else None
                    storage[name] = source or name
        return storage

    def _overwrite(
        self, i: int, output: str, storage: dict[str, str], taken: dict[str, str], last: dict[str, float]
    ) -> None:
        """Give an element-wise operator's output the memory of an input that ends here, if there is one.

        `taken` says whose memory a tensor has taken over.
        """
        if self.classes[i] not in IN_PLACE:
            return
        own = storage[output]
        for name in self.reading.nodes[i].input:
            if name not in storage:
                continue
            owner = taken.get(storage[name], storage[name])
            if owner in self.inputs or last[owner] > i:
                continue
            if self._bytes(owner) == self._bytes(own) and (owner in self.inner) == (own in self.inner):
                taken[own] = owner
                last[owner] = last[own]
                return

    def _bytes(self, name: str) -> int:
        if name in self.inner:
            return 0
        return bytes_of(prod(self.reading.shapes[name]), self.reading.types[name])

    def _fuse(self) -> None:
        for i, node in enumerate(self.reading.nodes):
            if self.classes[i] is OpClass.DEPTHWISE:
                before, after = self._back(node.input[0]), self._forward(node.output[0])
                if before and after and self._is_linear_projection(after[1]):
                    first, last = before[1], after[1]
                    self.inner |= before[0] | after[0]
                    self.held[self.reading.nodes[first].input[0]] = last
            elif self.classes[i] is OpClass.POINTWISE:
                ahead = self._forward(node.output[0])
                if ahead and self._is_global_pool(ahead[1]):
                    self.inner |= ahead[0]
                    self.held[node.input[0]] = ahead[1]

    def _back(self, name: str) -> tuple[set[str], int] | None:
        """Go back over activations to the convolution that made a tensor; None if something else needs it, too."""
        found: set[str] = set()
        while name in self.maker and len(self.readers[name]) == 1 and name not in self.outputs:
            found.add(name)
            i = self.maker[name]
            if self.classes[i].family == "convolution":
                return found, i
            if self.classes[i] is not OpClass.ACTIVATION:
                return None
            name = self.reading.nodes[i].input[0]
        return None

    def _forward(self, name: str) -> tuple[set[str], int] | None:
        """Go on over activations to the one operator that needs a tensor."""
        found: set[str] = set()
        while len(self.readers[name]) == 1 and name not in self.outputs:
            found.add(name)
            i = self.readers[name][0]
            if self.classes[i] is not OpClass.ACTIVATION:
                return found, i
            name = self.reading.nodes[i].output[0]
        return None

    def _is_linear_projection(self, i: int) -> bool:
        """Tell whether a node is a 1x1 convolution without an activation: the end of an inverted residual."""
        users = self.readers[self.reading.nodes[i].output[0]]
        return self.classes[i] is OpClass.POINTWISE and all(self.classes[u] is not OpClass.ACTIVATION for u in users)

    def _is_global_pool(self, i: int) -> bool:
        node = self.reading.nodes[i]
        pooled = self.reading.shapes.get(node.output[0], ())
        reduced = node.op_type == "ReduceMean" and prod(pooled[2:]) == 1
        return node.op_type in GLOBAL_POOLS or reduced


def _class(node: onnx.NodeProto, reading: Reading) -> OpClass:
    shapes = [reading.shapes.get(name) if name else None for name in node.input]
    return classify(f"{node.domain}.{node.op_type}" if node.domain else node.op_type, attributes_of(node), shapes)
