"""The floor of a network: no faster than this can it be on a machine with that roofline.

Each operator takes at least the time of its MACs at the peak, or of its bytes at the bandwidth. Bytes are counted as
if every element-wise operator were computed in the registers of the one that feeds it, and every view were free: no
runtime moves less without a fusion of a larger kind (a convolution into the next).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

from bench.graph.access import bytes_of, read_bytes
from bench.graph.classes import OpClass, classify
from bench.graph.complexity import Unknown, count_node
from bench.graph.nodes import attributes_of, uses
from bench.graph.onnx_read import read_shapes
from bench.graph.quantised import precision_of, stored
from bench.graph.reading import Reading, read_graph

FUSED = frozenset(
    (OpClass.ACTIVATION, OpClass.BATCHNORM, OpClass.ADD, OpClass.MULTIPLY, OpClass.ELEMENTWISE, OpClass.CONVERT)
)


@dataclass(frozen=True, slots=True)
class Group:
    """An operator and the element-wise ones that follow it: its MACs, and the bytes it reads and writes at least.

    `precision` is that in which it multiplies; empty without MACs, and where nothing tells.
    """

    name: str
    macs: int
    moved_bytes: int
    precision: str = ""


def groups_of(path: Path) -> list[Group]:
    """Read an ONNX file and group its nodes."""
    return group(read_graph(read_shapes(path)))


def group(reading: Reading) -> list[Group]:
    """Put every element-wise node and view into the group of the node that feeds it alone.

    Tensors have the width at which they are stored: a quantisation is an element-wise node of its neighbours.
    """
    reading = stored(reading).reading
    makers = {name: node for node in reading.nodes for name in node.output}
    precisions: list[str] = []
    users: dict[str, int] = dict.fromkeys(reading.outputs, 1)
    for node in reading.nodes:
        for name in dict.fromkeys(uses(node)):
            users[name] = users.get(name, 0) + 1
    member: dict[str, int] = {}  # which group makes a tensor
    reads: list[dict[str, int]] = []
    macs: list[int] = []
    writes: list[dict[str, int]] = []
    names: list[str] = []
    for node in reading.nodes:
        every = [reading.shapes.get(name) if name else None for name in node.input]
        domain = f"{node.domain}." if node.domain else ""
        op_class = classify(domain + node.op_type, attributes_of(node), every)
        feeder = next((n for n in node.input if n in member and users[n] == 1), None)
        feeds = op_class is OpClass.VIEW or op_class in FUSED
        read = {name: size for name, size in read_bytes(node, reading).items() if size}
        written = {
            n: bytes_of(prod(reading.shapes[n]), reading.types[n]) for n in node.output if n and n in reading.shapes
        }
        try:
            found = count_node(node, reading)
        except Unknown:
            found = None
        if feeds and feeder is not None:
            at = member[feeder]
            writes[at].pop(feeder, None)
            read.pop(feeder, None)
            for name, size in read.items():
                reads[at].setdefault(name, size)
        else:
            at = len(reads)
            reads.append(read)
            writes.append({})
            macs.append(0)
            precisions.append("")
            names.append(node.name or node.op_type)
        macs[at] += found.macs if found else 0
        precisions[at] = precision_of(node, reading, makers) if found and found.macs else precisions[at]
        # A view that heads a group of its own writes nothing, and neither does what only passes through it.
        if not (op_class is OpClass.VIEW and feeder is None):
            writes[at] |= written
        member |= dict.fromkeys(node.output, at)
    return [
        Group(name, m, sum(r.values()) + sum(w.values()), precision)
        for name, m, r, w, precision in zip(names, macs, reads, writes, precisions, strict=True)
    ]
