"""ONNX Runtime's optimised graph, read: which operators really run, in which layout, with how many MACs.

Shapes and types come from the events of one profiled inference, MACs are counted from them as those of any graph are.
The NCHWc transformer stores weights and activations padded to the SIMD block (16 floats with AVX-512, 8 with AVX2 and
NEON): what an operator of that layout has without padding is that of the source node it is matched with, by what
padding leaves equal: kernel, stride of groups, and channel numbers rounded up to the block.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.artifact.artifact import Artifact, MacOp
from bench.backends.base import Operator
from bench.backends.ran import settle
from bench.base.wire import Unchecked
from bench.graph.classes import classify
from bench.graph.complexity import FUSED, MacNode, Unknown, count_node
from bench.graph.reading import OnnxModel, OnnxNode, Reading, Shape, read_graph

BLOCK = 16
KINDS = FUSED | {"NhwcFusedConv": "Conv"}
# Element types as ONNX numbers them, and as the profile names them.
STORED = {1: "fp32", 10: "fp16", 16: "bf16", 11: "fp64", 2: "int8", 3: "int8", 21: "int4", 22: "int4"}
NAMED = {"float": "fp32", "float16": "fp16", "bfloat16": "bf16", "double": "fp64", "int8": "int8", "uint8": "int8"}
# Classes whose operators multiply and accumulate.
HEAVY = ("convolution", "matmul")
# Events of the profiler: an executor's of a graph, and, by the ending of the name, a node's.
EXECUTOR, KERNEL = "SequentialExecutor::Execute", "_kernel_time"
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """What the profile says of a node that ran: its provider, types of inputs and outputs, shapes of outputs."""

    place: int
    provider: str
    types: tuple[str, ...]
    outputs: tuple[Shape, ...]


def inferences(events: Iterable[Unchecked]) -> list[list[Unchecked]]:
    """Return the events of the nodes that ran, of each inference, in the order in which they began.

    The time of a loop or branch has that of its nodes in it: those are left out, as the graph has them inside, too. The
    executor of a graph inside is told like that of an inference, and lies in the time of one.
    """
    runs: list[list[Unchecked]] = []
    end = inside = 0.0  # of the inference, and of a graph inside one of its nodes
    for event in sorted((e for e in events if "ts" in e), key=lambda e: (e["ts"], -e["dur"])):
        begin = event["ts"]
        if event["name"] == EXECUTOR:
            if runs and begin < end:
                inside = max(inside, begin + event["dur"])
            else:
                runs.append([])
                end, inside = begin + event["dur"], 0.0
        elif event["cat"] == "Node" and event["name"].endswith(KERNEL) and runs and begin >= inside:
            runs[-1].append(event)
    return runs


class Events:
    """The events of an inference's nodes, taken out one by one for the nodes that they are of."""

    def __init__(self, events: Iterable[Unchecked]) -> None:
        self._of: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for event in events:
            name, told = event["name"].removesuffix(KERNEL), event["args"]
            kind, place = told["op_name"], int(told.get("node_index", 0))
            inputs, outputs = (_tensors(told.get(key)) for key in ("input_type_shape", "output_type_shape"))
            types, shapes = tuple(t for t, _ in (*inputs, *outputs)), tuple(shape for _, shape in outputs)
            found = Event(place, told.get("provider", ""), types, shapes)
            self._of[name, kind].append(found)
            if name.startswith(f"{kind}_") and name.removeprefix(f"{kind}_").isdigit():
                self._of["", kind].append(found)
        for several in self._of.values():
            several.sort(key=lambda event: event.place)

    def take(self, node: OnnxNode) -> Event | None:
        """Return the event of a node, if it ran.

        A node that a fusion made without a name is told as its kind and a number: those come in the graph's order.
        """
        several = self._of.get((node.name, node.op_type)) or self._of.get(("", node.op_type))
        if not several:
            return None
        return several.pop(0) if len(several) > 1 else several[0]


def operators(model: OnnxModel, artifact: Artifact, events: Events) -> list[Operator]:
    """Return the operators of an optimised model, with MACs, precision and provider; see `Operator.opaque`."""
    ran = [(node, events.take(node)) for node in model.graph.node]
    reading = _reading(model, ran)
    stored = {t.name: STORED.get(t.data_type, "") for t in model.graph.initializer}
    source: dict[Key, list[MacOp]] = defaultdict(list)
    for op in artifact.mac_ops:
        source[_key(op)].append(op)
    found: list[Operator] = []
    suspects = set()
    needed = _needed(model)
    read = [(node, event, *_count(node, reading)) for node, event in ran]
    for node, _, counted, _ in read:
        if counted is not None and not _in_blocks(node):  # its own in the source is none that became blocks
            same = source[_key(counted)]
            if own := next((op for op in same if (op.weight, op.macs) == (counted.weight, counted.macs)), None):
                same.remove(own)
    for i, (node, event, counted, hides) in enumerate(read):
        layout = "nchwc" if _in_blocks(node) else ""
        name = _name(node)
        macs = padded = counted.macs if counted else None
        if counted is not None and layout:
            match = source[_key(counted)]
            hides = not match and not _is_normalisation(counted.weight)
            macs = match.pop(0).macs if match else None
            padded = padded if macs is not None else None
        if hides:
            suspects.add(i)
        precision = _precision(node, event, stored, heavy=hides or counted is not None)
        shapes = (counted.weight,) if counted and counted.weight else ()
        device = event.provider if event else ""
        operator = Operator(node.name, node.op_type, macs, padded, precision, layout, name, shapes, device=device)
        found.append(replace(operator, needed=not needed.isdisjoint(node.output)))
    return settle(found, suspects, artifact)


def _needed(model: OnnxModel) -> set[str]:
    """Return the tensors that an output depends on. This runtime computes others, too, where the file has them."""
    needed = {value.name for value in model.graph.output}
    for node in reversed(model.graph.node):
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
            for attribute in node.attribute:  # what a graph inside takes from outside
                inside = [attribute.g, *attribute.graphs]
                needed.update(name for graph in inside for one in graph.node for name in one.input)
    return needed


def _reading(model: OnnxModel, ran: list[tuple[OnnxNode, Event | None]]) -> Reading:
    """Read the graph with the shapes that its tensors really had, and none of those that are written in it."""
    from onnx import TensorProto, helper

    shapes: dict[str, Shape] = {}
    for node, event in ran:
        names = [name for name in node.output if name]
        if event is not None and len(event.outputs) == len(names):
            shapes |= dict(zip(names, event.outputs, strict=True))
    # Only shapes are counted with: one type is as good as another.
    told = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in shapes.items()}
    del model.graph.value_info[:]
    for value in model.graph.output:
        if value.name in told:
            value.CopyFrom(told[value.name])
        else:
            value.type.tensor_type.ClearField("shape")
    model.graph.value_info.extend(told.values())
    return read_graph(model)


def _in_blocks(node: OnnxNode) -> bool:
    return bool(node.domain.endswith("nchwc"))


def _name(node: OnnxNode) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain else node.op_type


def _count(node: OnnxNode, reading: Reading) -> tuple[MacNode | None, bool]:
    """Count a node, and tell whether it may have MACs that could not be counted."""
    try:
        counted = count_node(node, reading)
    except Unknown:
        return None, True
    return counted, counted is None and classify(_name(node)).family in HEAVY and node.op_type != "Einsum"


def _precision(node: OnnxNode, event: Event | None, stored: dict[str, str], heavy: bool) -> str:
    """Name the precision of a node: where it multiplies the lower one of its operands at the kernel, else its data's.

    Weights that the kernel itself unpacks (``MatMulNBits``) have as many bits as it says.
    """
    bits = next((a.i for a in node.attribute if a.name == "bits"), 0)
    if heavy and bits:
        return f"int{bits}"
    types = [stored[name] for name in node.input if name in stored] if heavy else []
    types += [NAMED.get(one, "") for one in (event.types if event else ())]
    for low in ("int4", "int8") if heavy else ():
        if low in types:
            return low
    return next((one for one in types if one), "")


def _tensors(told: Iterable[Mapping[str, Sequence[int]]] | None) -> list[tuple[str, Shape]]:
    """Read a list of types with their shapes, as the profile has it."""
    return [(str(kind), tuple(shape)) for entry in told or () for kind, shape in entry.items()]


def _key(op: MacOp | MacNode) -> Key:
    """Return what is equal for a convolution of the source and the one in blocks that it became.

    Channels are rounded up; how often the kernel is applied stays.
    """
    kind, weight = KINDS.get(op.op, op.op), op.weight
    if not weight:
        return (kind,)
    if len(weight) < 3:
        return (kind, weight)
    out, inp = weight[0], weight[1]
    applied = op.macs // math.prod(weight) if math.prod(weight) else 0
    if op.group > 1 and inp == 1 and out == op.group:
        return (kind, "depthwise", padded(out), weight[2:], applied)
    return (kind, op.group, padded(out), padded(inp), weight[2:], applied)


def _is_normalisation(weight: Shape) -> bool:
    """Tell whether a convolution in blocks that the source does not have is a BatchNorm that was not folded into one.

    The NCHWc transformer turns those into a depthwise 1x1 convolution, to stay in its layout.
    """
    return len(weight) == 4 and weight[1:] == (1, 1, 1)


def padded(channels: int) -> int:
    """Return a number of channels, rounded up to the SIMD block."""
    return -(-channels // BLOCK) * BLOCK
