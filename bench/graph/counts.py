"""What each node of an ONNX graph costs, and the graph in total: counted from the graph alone, nothing is run.

The words are those of `docs/profile.md`: MACs, element-wise operations, parameters, memory access.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from bench.graph.access import bytes_of, parameters, read_bytes, read_elements
from bench.graph.classes import CLASSES, CONVOLUTIONS, OpClass, classify
from bench.graph.complexity import Unknown, count_node
from bench.graph.elementwise import elementwise_ops
from bench.graph.nodes import STANDARD, attributes_of
from bench.graph.quantised import Stored, precision_of, stored
from bench.graph.reading import OnnxModel, OnnxNode, Reading, Shape, read_graph

SCOPES = "pkg.torch.onnx.name_scopes"  # what PyTorch's newer exporter tells of the modules that a node is in


@dataclass(frozen=True, slots=True)
class NodeCount:
    """One node that runs at every inference.

    `macs` and `elementwise_ops` are numbers of operations, 0 where there are none and where `uncounted` says that
    something could not be counted; `macs_known` says whether the MACs could. `params` are the elements
    of weights that no earlier node has. Memory access is what the node reads (activations and weights, each once) and
    writes, at the width at which it is stored; a view moves nothing, and neither does a quantisation that is part of
    its neighbours (`bench.graph.quantised`). `precision` is that in which a node with MACs multiplies. `inputs` and
    `outputs` are the shapes of activations, `weight` that of a convolution or product (as stored), `scope` the modules
    the node is in.
    """

    name: str
    op: str
    op_class: OpClass
    macs: int
    elementwise_ops: int
    params: int
    read_elements: int
    written_elements: int
    read_bytes: int
    written_bytes: int
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    weight: Shape = ()
    group: int = 1
    kernel: Shape = ()
    stride: Shape = ()
    channels_in: int | None = None
    channels_out: int | None = None
    scope: tuple[str, ...] = ()
    uncounted: bool = False
    macs_known: bool = True
    precision: str = ""

    @property
    def memory_access_elements(self) -> int:
        """Elements read plus written: the "MAC" of ShuffleNet V2."""
        return self.read_elements + self.written_elements

    @property
    def memory_access_bytes(self) -> int:
        """Bytes read plus written."""
        return self.read_bytes + self.written_bytes


@dataclass(frozen=True, slots=True)
class GraphCount:
    """A graph, counted: its nodes in topological order, and the operators that could not be counted, by name.

    With `without_macs` the sum of the MACs is a lower bound; of the other `uncounted` ones element-wise operations or
    memory access are not known. `constant_nodes` are left out of `nodes`: a runtime computes them once, when it loads.
    So are the `unused_nodes`: no output needs what they compute. Of its `quantizers`, nodes that only quantise or
    dequantise, some are left `between` others that cannot take them in.
    """

    nodes: tuple[NodeCount, ...]
    uncounted: tuple[str, ...]
    constant_nodes: int
    unused_nodes: int = 0
    without_macs: tuple[str, ...] = ()
    quantizers: int = 0
    between: int = 0

    def total(self, what: str) -> int:
        """Sum an attribute of `NodeCount` over all nodes."""
        return sum(int(getattr(node, what)) for node in self.nodes)


@dataclass(frozen=True, slots=True)
class ClassCount:
    """What the nodes of one class have together."""

    op_class: OpClass
    nodes: int
    macs: int
    elementwise_ops: int
    params: int
    memory_access_bytes: int


def by_class(nodes: Iterable[NodeCount]) -> tuple[ClassCount, ...]:
    """Sum nodes by class; the class that moves most bytes comes first among those with as many MACs."""
    groups: dict[OpClass, list[NodeCount]] = {}
    for node in nodes:
        groups.setdefault(node.op_class, []).append(node)
    counts = [
        ClassCount(
            op_class,
            len(members),
            sum(n.macs for n in members),
            sum(n.elementwise_ops for n in members),
            sum(n.params for n in members),
            sum(n.memory_access_bytes for n in members),
        )
        for op_class, members in groups.items()
    ]
    return tuple(sorted(counts, key=lambda c: (-c.macs, -c.memory_access_bytes)))


def count_graph(inferred: OnnxModel) -> GraphCount:
    """Count a model with static shapes that went through `bench.graph.reading.infer`."""
    return count_reading(read_graph(inferred))


def count_reading(reading: Reading) -> GraphCount:
    """Count a graph that was read."""
    seen: set[str] = set()  # weights that a node was charged with
    found = stored(reading)
    makers = {name: node for node in reading.nodes for name in node.output}
    nodes = tuple(_node(node, found, seen, makers) for node in reading.nodes)
    uncounted = sorted({node.op for node in nodes if node.uncounted})
    without_macs = sorted({node.op for node in nodes if not node.macs_known})
    return GraphCount(
        nodes,
        tuple(uncounted),
        reading.constant_nodes,
        reading.unused_nodes,
        tuple(without_macs),
        len(found.within) + found.between,
        found.between,
    )


def _node(node: OnnxNode, found: Stored, seen: set[str], makers: dict[str, OnnxNode]) -> NodeCount:
    reading = found.reading
    attributes = attributes_of(node)
    domain = "" if node.domain in STANDARD else f"{node.domain}."
    every = [reading.shapes.get(name) if name else None for name in node.input]
    op_class = classify(domain + node.op_type, attributes, every)
    named = [name for name in node.output if name]
    outputs = tuple(reading.shapes[name] for name in named if name in reading.shapes)
    uncounted = len(outputs) < len(named) or any(n and n not in reading.shapes for n in node.input)
    macs, ops, weight, macs_known = 0, None, Shape(), False
    try:
        counted = count_node(node, reading)
        macs, weight = (counted.macs, counted.weight) if counted else (0, ())
        macs_known = True
        known = node.domain in STANDARD or node.op_type in CLASSES or node.op_type in CONVOLUTIONS
        ops = elementwise_ops(node.op_type, attributes, every, outputs) if known and outputs else None
    except (Unknown, KeyError, IndexError, ValueError):
        pass
    still = op_class is OpClass.VIEW or not found.within.isdisjoint(node.output)
    read = {} if still else read_elements(node, reading)
    written = {} if still else {n: prod(reading.shapes[n]) for n in named if n in reading.shapes}
    activations = tuple(reading.shapes[n] for n in node.input if n in reading.shapes and n not in reading.constants)
    is_conv = op_class.family == "convolution"
    return NodeCount(
        name=node.name or (named[0] if named else node.op_type),
        op=node.op_type,
        op_class=op_class,
        macs=macs,
        elementwise_ops=ops or 0,
        params=parameters(node, reading, seen),
        read_elements=sum(read.values()),
        written_elements=sum(written.values()),
        read_bytes=0 if still else sum(read_bytes(node, reading).values()),
        written_bytes=sum(bytes_of(n, reading.types[name]) for name, n in written.items()),
        inputs=activations,
        outputs=outputs,
        weight=weight,
        group=int(attributes.get("group", 1)) if is_conv else 1,
        kernel=weight[2:] if is_conv and weight else tuple(attributes.get("kernel_shape", ())),
        stride=tuple(attributes.get("strides", ())),
        channels_in=_channels(activations[:1]),
        channels_out=_channels(outputs[:1]),
        scope=scope_of(node),
        uncounted=uncounted or ops is None,
        macs_known=macs_known,
        precision=precision_of(node, reading, makers) if macs else "",
    )


def _channels(shapes: tuple[Shape, ...]) -> int | None:
    return shapes[0][1] if shapes and len(shapes[0]) > 1 else None


def scope_of(node: OnnxNode) -> tuple[str, ...]:
    """Return the modules that a node is in, from the outermost: what PyTorch's exporters leave in the graph.

    The newer one writes a list of qualified names, the older one a path into the node's name.
    """
    for entry in node.metadata_props:
        if entry.key == SCOPES:
            try:
                names = [str(name) for name in ast.literal_eval(entry.value)]
            except (ValueError, SyntaxError):
                break
            modules = [name for name in names[:-1] if name]  # the last one is the operation
            return tuple(modules[-1].split(".")) if modules else ()
    parts = [part for part in node.name.split("/") if part]
    return tuple(parts[:-1]) if node.name.startswith("/") else ()
