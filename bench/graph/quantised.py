"""A quantised graph as it is stored: at which width tensors lie in memory, and in which precision a node multiplies.

Files say int8 by a ``QuantizeLinear`` behind every tensor and a ``DequantizeLinear`` before every use, with numbers of
fp32 between the two. A runtime that computes in 8 bits makes both a part of the operators around them, so that what
lies in memory is what the quantisation wrote.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from bench.graph.nodes import uses
from bench.graph.reading import OnnxNode, Reading
from bench.graph.weights import PRECISIONS

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


@dataclass(frozen=True, slots=True)
class Stored:
    """A graph with the types that its tensors are stored in.

    `within` are the outputs of nodes that only quantise or dequantise and are part of their neighbours; `between`
    counts those that are not: at the network's input and output, and between a tensor's fp32 and 8-bit readers.
    """

    reading: Reading
    within: frozenset[str]
    between: int


def stored(reading: Reading) -> Stored:
    """Look through the quantisations of a graph; one without any stays as it is."""
    readers = Counter(name for node in reading.nodes for name in dict.fromkeys(uses(node)))
    made = {name for node in reading.nodes for name in node.output}
    types = dict(reading.types)
    within: set[str] = set()
    between = 0
    for node in reading.nodes:
        if node.op_type not in (QUANTIZE, DEQUANTIZE) or not node.input or not node.output:
            continue
        source, result = node.input[0], node.output[0]
        if node.op_type == DEQUANTIZE:
            part = source in types and result not in reading.outputs
            types |= {result: types[source]} if part else {}
        else:
            part = source in made and readers[source] == 1 and source not in reading.outputs and result in types
            types |= {source: types[result]} if part else {}
        within |= {result} if part else set()
        between += not part
    return Stored(replace(reading, types=types), frozenset(within), between)


def precision_of(node: OnnxNode, reading: Reading, makers: dict[str, OnnxNode]) -> str:
    """Name the precision in which a node multiplies: that of its activations, whatever its weights are stored in.

    Weights of 8 bits through ``DequantizeLinear`` make a file small, not its arithmetic: that is of 8 bits where the
    activations are quantised, too. `makers` are the nodes by what they write; empty where nothing tells.
    """
    data = next(iter(node.input), "")
    maker = makers.get(data)
    if maker is not None and maker.op_type == DEQUANTIZE:
        data = maker.input[0]
    return PRECISIONS.get(reading.types.get(data, 0), "")
