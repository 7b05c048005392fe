"""From an executed operator back to the nodes of the source graph.

A runtime says of an operator which source tensor or nodes it comes from: usually the last of those that were fused.
The others are found by walking back from there, as far as nodes that no other operator names. What multiplies and
still has no source (BatchNorm folded into a convolution that OpenVINO then calls ``Multiply_44184``) takes the next
source node with equal kernel, groups and, rounded up to the SIMD block, channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.artifact.artifact import Artifact, MacOp
from bench.backends.ort_graph import padded
from bench.backends.profiling import TimedOperator
from bench.graph.reading import OnnxGraph
from bench.profiling.classes import CONVOLUTIONS, MULTIPLIES

SHUFFLE_AXES = [0, 2, 1, 3, 4]


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the source graph; `feeds` are the nodes that its inputs come from."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    feeds: tuple[int, ...]
    constant: bool


@dataclass(frozen=True)
class Source:
    """The source graph in order, an index by name of node and of tensor, and the nodes of channel shuffles."""

    nodes: tuple[Node, ...]
    index: dict[str, int]
    shuffles: frozenset[int]


@dataclass(frozen=True, slots=True)
class Origin:
    """What an operator was in the source graph: its nodes' names, its multiplying nodes, and if it shuffles."""

    nodes: tuple[str, ...]
    macs: tuple[MacOp, ...]
    shuffles: bool


def read(artifact: Artifact) -> Source:
    """Read the artifact's ONNX graph, without weights."""
    import onnx

    return build(onnx.load(Path(artifact.path), load_external_data=False).graph)


def build(graph: OnnxGraph) -> Source:
    """Index an ONNX graph."""
    constant = {i.name for i in graph.initializer} | {i.values.name for i in graph.sparse_initializer}
    made: dict[str, int] = {}
    nodes: list[Node] = []
    index: dict[str, int] = {}
    shuffles: set[int] = set()
    axes: dict[int, list[int]] = {}
    for i, node in enumerate(graph.node):
        fixed = all(name in constant for name in node.input if name)
        constant |= set(node.output) if fixed else set()
        feeds = tuple(made[name] for name in node.input if name in made)
        outputs = tuple(node.output)
        nodes.append(Node(node.name or outputs[0], node.op_type, tuple(node.input), outputs, feeds, fixed))
        made |= dict.fromkeys(outputs, i)
        if node.op_type == "Transpose":
            axes[i] = [x for a in node.attribute if a.name == "perm" for x in a.ints]
        if node.op_type == "Reshape" and feeds and axes.get(feeds[0]) == SHUFFLE_AXES:
            before = nodes[feeds[0]].feeds
            if before and nodes[before[0]].kind == "Reshape":
                shuffles |= {i, feeds[0], before[0]}
    for i, n in enumerate(nodes):
        index.setdefault(n.name, i)
    for i, n in enumerate(nodes):  # a tensor's name wins over an equal name of another node
        index |= dict.fromkeys(n.outputs, i)
    return Source(tuple(nodes), index, frozenset(shuffles))


def join(operators: Sequence[TimedOperator], source: Source, mac_ops: Sequence[MacOp]) -> list[Origin]:
    """Return what each operator was, in the operators' order; no source node belongs to two.

    Args:
        operators: as the worker tells them.
        source: the source graph.
        mac_ops: the artifact's multiplying nodes.
    """
    owner: dict[int, int] = {}
    for i, operator in enumerate(operators):
        for name in operator.origins:
            if name in source.index:
                owner.setdefault(source.index[name], i)
    for node, i in list(owner.items()):
        _walk_back(node, i, source, owner)
    by_name: dict[str, list[MacOp]] = {}
    for op in mac_ops:
        by_name.setdefault(op.name, []).append(op)
    owned: list[list[int]] = [[] for _ in operators]
    for node in sorted(owner):
        owned[owner[node]].append(node)
    macs: list[list[MacOp]] = []
    taken: set[int] = set()
    for operator, found in zip(operators, owned, strict=True):
        mine = [op for node in found for op in by_name.get(source.nodes[node].name, [])[:1]]
        mine = [op for op in mine if id(op) not in taken] if operator.kind in MULTIPLIES else []
        taken |= {id(op) for op in mine}
        macs.append(mine)
    unnamed = _shuffles_in_order(operators)
    left = [op for op in mac_ops if id(op) not in taken]
    for operator, mine in zip(operators, macs, strict=True):
        if operator.kind in MULTIPLIES and not mine:
            match = next((op for op in left if _fits(operator, op)), None)
            if match is not None:
                left.remove(match)
                mine.append(match)
    return [
        Origin(
            tuple(dict.fromkeys([*(op.name for op in mine), *(source.nodes[node].name for node in found)])),
            tuple(mine),
            i in unnamed or any(node in source.shuffles for node in found),
        )
        for i, (mine, found) in enumerate(zip(macs, owned, strict=True))
    ]


def _shuffles_in_order(operators: Sequence[TimedOperator]) -> set[int]:
    """Find channel shuffles of a runtime that runs operators as written and names no source (PyTorch)."""
    kinds = [operator.kind for operator in operators]
    found: set[int] = set()
    for i, kind in enumerate(kinds):
        if kind == "transpose" and i and kinds[i - 1] in ("view", "reshape"):
            shape = operators[i].shapes_in[0] if operators[i].shapes_in else ()
            after = [j for j in range(i + 1, min(i + 4, len(kinds))) if kinds[j] in ("view", "reshape")]
            if len(shape) == 5 and after:
                found |= set(range(i - 1, after[0] + 1))
    return found


def _walk_back(node: int, operator: int, source: Source, owner: dict[int, int]) -> None:
    """Give `operator` what `node` was computed from, as far as nobody owns it."""
    waiting = list(source.nodes[node].feeds)
    while waiting:
        i = waiting.pop()
        if i in owner or source.nodes[i].constant:
            continue
        owner[i] = operator
        waiting += source.nodes[i].feeds


def _fits(operator: TimedOperator, op: MacOp) -> bool:
    weight, group = operator.weight, operator.group
    if operator.kind not in CONVOLUTIONS:
        product = op.op in ("Gemm", "MatMul", "MatMulInteger", "QLinearMatMul")
        return product and (not weight or sorted(weight[-2:]) == sorted(op.weight[-2:]))
    if len(weight) != len(op.weight) or weight[2:] != op.weight[2:]:
        return False
    depthwise = op.group > 1 and op.weight[1] == 1
    if depthwise != (group > 1 and weight[1] == 1) or (not depthwise and group != op.group):
        return False
    return padded(weight[0]) == padded(op.weight[0]) and padded(weight[1]) == padded(op.weight[1])
