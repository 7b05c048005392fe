"""What a network's graph holds, for claims about numbers of operations: nothing is measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.artifact.artifact import Artifact
from bench.base.errors import ArtifactError, BenchError
from bench.export import ensure
from bench.graph.classes import OpClass
from bench.plan.case import Network


class _Over(Exception):
    """There is no time left to begin an export."""


def count(network: Network, seed: int) -> dict[str, object]:
    """Count a network's graph; what `bench.export.graph_of.graph_of` raises.

    ``memory access`` is in elements, of the convolutions alone, as in equations 1 and 2 of ShuffleNet V2.
    """
    from bench.export.graph_of import graph_of
    from bench.graph.summary import summarise

    found = graph_of(network, seed)
    summary = summarise(found.inferred, network.model.canonical, {i.name: i.shape for i in found.inputs}, found.params)
    if summary.macs is None:
        raise ArtifactError(f"{network} cannot be counted: {', '.join(summary.partial)}")
    pointwise = [node for node in summary.graph.nodes if node.op_class is OpClass.POINTWISE]
    convolutions = [node for node in summary.graph.nodes if node.op_class.family == "convolution"]
    return {
        "kind": "count",
        "model": str(network),
        "macs": summary.macs,
        "params": summary.params,
        "memory access": sum(node.memory_access_elements for node in convolutions),
        "pointwise share of macs": sum(node.macs for node in pointwise) / summary.macs,
        "pointwise share of params": sum(node.params for node in pointwise) / summary.stored_params,
    }


def export_all(
    networks: Sequence[Network], seed: int, over: Callable[[], bool], told: Callable[[str], None]
) -> dict[str, Artifact | BenchError | None]:
    """Return every network's artifact by its name, or why there is none; as many at once as there are cores.

    Before anything is measured: an export beside a measurement would spoil it. Once it is `over`, no export is begun,
    and what is not in the cache is None.
    """
    wanted = {str(network): network for network in networks}
    place = {name: number for number, name in enumerate(wanted, 1)}

    def one(network: Network) -> Artifact | BenchError | None:
        def begin() -> None:
            if over():
                raise _Over
            told(f"exporting {network}, {place[str(network)]} of {len(wanted)}")

        try:
            return ensure(network, seed, begin)
        except _Over:
            return None
        except BenchError as error:
            return error

    with ThreadPoolExecutor(min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)) as pool:
        return dict(zip(wanted, pool.map(one, wanted.values()), strict=True))
