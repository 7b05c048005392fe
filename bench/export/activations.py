"""In which precision a file computes: that of the activations its products take, whatever its weights are stored in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from bench.graph.reading import OnnxModel, read_graph

NAMES = {1: "fp32", 10: "fp16", 16: "bf16", 11: "fp64", 2: "int8", 3: "int8", 21: "int4", 22: "int4"}  # of ONNX


def computes(inferred: OnnxModel, macs: Mapping[str, int]) -> str:
    """Return the precision that most MACs have; empty where nothing tells. `macs` are those of nodes, by name.

    Weights of 8 bits through ``DequantizeLinear`` make a file small, not its arithmetic: that is of 8 bits where the
    activations are quantised, too.
    """
    types = read_graph(inferred).types
    makers = {name: node for node in inferred.graph.node for name in node.output}
    found: Counter[str] = Counter()
    for node in inferred.graph.node:
        own = macs.get(node.name or next(iter(node.output), ""), 0)
        if not own or not node.input:
            continue
        data = node.input[0]
        maker = makers.get(data)
        if maker is not None and maker.op_type == "DequantizeLinear":
            data = maker.input[0]
        found[NAMES.get(types.get(data, 0), "")] += own
    return found.most_common(1)[0][0] if found else ""
