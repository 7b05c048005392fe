"""In which precision a file computes: that of the activations its products take, whatever its weights are stored in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from bench.graph.quantised import precision_of
from bench.graph.reading import OnnxModel, read_graph


def computes(inferred: OnnxModel, macs: Mapping[str, int]) -> str:
    """Return the precision that most MACs have; empty where nothing tells. `macs` are those of nodes, by name."""
    reading = read_graph(inferred)
    makers = {name: node for node in inferred.graph.node for name in node.output}
    found: Counter[str] = Counter()
    for node in inferred.graph.node:
        own = macs.get(node.name or next(iter(node.output), ""), 0)
        if own and node.input:
            found[precision_of(node, reading, makers)] += own
    return found.most_common(1)[0][0] if found else ""
