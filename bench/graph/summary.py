"""A graph, counted and summed up: what `bench inspect` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.graph.counts import ClassCount, GraphCount, NodeCount, by_class, count_reading
from bench.graph.memory import LargestTensor, Lifetimes, LiveSet
from bench.graph.reading import OnnxModel, Shape, read_graph

Record = dict[str, Any]  # of a node, a class, a module or the whole: plain data to be shown
# What the nodes can be sorted by, and what that is called here.
KEYS = {
    "macs": "macs",
    "ops": "elementwise_ops",
    "params": "params",
    "bytes": "memory_access_bytes",
}


@dataclass(frozen=True)
class Summary:
    """All counts of one model at one input shape.

    `params` are those of a result row. `peak` is the largest live set of the graph as it stands, `peak_fused` that
    with inverted residuals computed in slices (`bench.graph.memory`); so are `largest` and `largest_fused`.
    """

    model: str
    inputs: dict[str, Shape]
    params: int
    graph: GraphCount
    peak: LiveSet
    peak_fused: LiveSet
    largest: tuple[LargestTensor, ...]
    largest_fused: tuple[LargestTensor, ...]

    @cached_property
    def classes(self) -> tuple[ClassCount, ...]:
        """What each class of operators has."""
        return by_class(self.graph.nodes)

    @property
    def partial(self) -> tuple[str, ...]:
        """The operators whose MACs could not be counted, by name."""
        return self.graph.without_macs

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates; None where some operators could not be counted."""
        return None if self.partial else self.macs_at_least

    @cached_property
    def macs_at_least(self) -> int:
        """Multiply-accumulates of the operators that could be counted."""
        return self.graph.total("macs")

    @property
    def macs_by_precision(self) -> dict[str, int]:
        """Multiply-accumulates by the precision in which nodes multiply, as far as the graph tells it."""
        found: dict[str, int] = {}
        for node in self.graph.nodes:
            if node.macs:
                found[node.precision or "unknown"] = found.get(node.precision or "unknown", 0) + node.macs
        return found

    @property
    def elementwise_ops(self) -> int:
        """Element-wise operations."""
        return self.graph.total("elementwise_ops")

    @property
    def stored_params(self) -> int:
        """Parameters as the graph has them: without those of a BatchNorm that the export folded."""
        return self.graph.total("params")

    @property
    def memory_access_bytes(self) -> int:
        """Bytes that all nodes read and write."""
        return self.graph.total("memory_access_bytes")

    @property
    def macs_per_byte(self) -> float | None:
        """Arithmetic intensity in MACs per byte of memory access; None where either is not known, or nothing moves."""
        complete = self.macs is not None and not self.graph.uncounted and self.memory_access_bytes
        return self.macs_at_least / self.memory_access_bytes if complete else None

    def record(self, nodes: Sequence[Record]) -> Record:
        """Return everything as plain data, with `nodes` as the list of nodes."""
        intensity = self.macs_per_byte
        return {
            "model": self.model,
            "inputs": {name: list(shape) for name, shape in self.inputs.items()},
            "macs": self.macs,
            "macs_at_least": self.macs_at_least,
            "macs_by_precision": self.macs_by_precision,
            "quantize_nodes": self.graph.quantizers,
            "quantize_nodes_between": self.graph.between,
            "flops": None if self.macs is None else 2 * self.macs,
            "elementwise_ops": self.elementwise_ops,
            "params": self.params,
            "stored_params": self.stored_params,
            "memory_access_elements": self.graph.total("memory_access_elements"),
            "memory_access_bytes": self.memory_access_bytes,
            "macs_per_byte": intensity,
            "flops_per_byte": None if intensity is None else 2 * intensity,
            "peak_activation_bytes": self.peak.bytes,
            "peak_activation_node": self.peak.node,
            "peak_activation_tensors": [list(shape) for shape in self.peak.tensors],
            "peak_activation_fused_bytes": self.peak_fused.bytes,
            "largest_activations": _largest(self.largest),
            "largest_activations_fused": _largest(self.largest_fused),
            "classes": [class_record(count, self) for count in self.classes],
            "constant_nodes": self.graph.constant_nodes,
            "unused_nodes": self.graph.unused_nodes,
            "uncounted": list(self.graph.uncounted),
            "uncounted_macs": list(self.partial),
            "nodes": list(nodes),
        }


def summarise(inferred: OnnxModel, model: str, inputs: dict[str, Shape], params: int) -> Summary:
    """Count a model with static shapes that went through `bench.graph.reading.infer`."""
    reading = read_graph(inferred)
    whole, fused = Lifetimes(reading), Lifetimes(reading, fused=True)
    return Summary(
        model, inputs, params, count_reading(reading), whole.peak(), fused.peak(), whole.largest(), fused.largest()
    )


def node_record(node: NodeCount) -> Record:
    """Return a node as plain data."""
    return {
        "name": node.name,
        "op": node.op,
        "class": str(node.op_class),
        "family": node.op_class.family,
        "scope": ".".join(node.scope),
        "macs": node.macs,
        "elementwise_ops": node.elementwise_ops,
        "params": node.params,
        "read_elements": node.read_elements,
        "written_elements": node.written_elements,
        "read_bytes": node.read_bytes,
        "written_bytes": node.written_bytes,
        "memory_access_bytes": node.memory_access_bytes,
        "inputs": [list(shape) for shape in node.inputs],
        "outputs": [list(shape) for shape in node.outputs],
        "weight": list(node.weight),
        "group": node.group,
        "kernel": list(node.kernel),
        "stride": list(node.stride),
        "channels_in": node.channels_in,
        "channels_out": node.channels_out,
        "uncounted": node.uncounted,
        "macs_known": node.macs_known,
        "precision": node.precision,
    }


def class_record(count: ClassCount, summary: Summary) -> Record:
    """Return a class as plain data, with its shares of the totals (None where the total is zero)."""

    def share(part: int, whole: int) -> float | None:
        return part / whole if whole else None

    return {
        "class": str(count.op_class),
        "family": count.op_class.family,
        "nodes": count.nodes,
        "macs": count.macs,
        "macs_share": None if summary.partial else share(count.macs, summary.macs_at_least),
        "elementwise_ops": count.elementwise_ops,
        "elementwise_ops_share": share(count.elementwise_ops, summary.elementwise_ops),
        "params": count.params,
        "memory_access_bytes": count.memory_access_bytes,
        "memory_access_share": share(count.memory_access_bytes, summary.memory_access_bytes),
    }


def by_module(nodes: Sequence[NodeCount], depth: int) -> list[Record]:
    """Sum nodes by the modules they are in, cut off at `depth` names, in the order of their first nodes.

    A node that the exporter put into no module is summed under ``(no module)``.
    """
    found: dict[str, Record] = {}
    for node in nodes:
        module = ".".join(node.scope[:depth]) or "(no module)"
        zero = {"module": module, "nodes": 0, "macs": 0, "elementwise_ops": 0, "params": 0, "memory_access_bytes": 0}
        row = found.setdefault(module, zero)
        row["nodes"] += 1
        for key in ("macs", "elementwise_ops", "params", "memory_access_bytes"):
            row[key] += getattr(node, key)
    return list(found.values())


def order(rows: Sequence[Record], key: str | None, top: int | None) -> list[Record]:
    """Sort records by one of `KEYS`, costliest first (None: leave them in the graph's order), and keep the first."""
    ranked = list(rows)
    if key is not None:
        # Equal MACs (most often none) are told apart by memory access.
        ranked.sort(key=lambda row: (-row[KEYS[key]], -row["memory_access_bytes"]))
    return ranked[:top]


def _largest(tensors: Sequence[LargestTensor]) -> list[Record]:
    return [
        {"resolution": list(t.resolution), "channels": t.channels, "elements": t.elements, "bytes": t.bytes}
        for t in tensors
    ]
