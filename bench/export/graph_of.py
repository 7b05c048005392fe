"""The ONNX graph of any model, with static shapes and without its weights, for counting: nothing is run.

A person's ONNX file is read, not run, so that a model which no runtime here can run is counted, too.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.artifact.artifact import TensorInfo
from bench.base.child import ChildFailed, ask
from bench.base.errors import ArtifactError, OutOfMemory, clip, first_line
from bench.base.wire import Unchecked
from bench.export import ensure
from bench.graph.reading import OnnxModel
from bench.plan.case import Network

TIMEOUT_S = 60.0  # reading a graph takes a second or two; 20,000 nodes take ten


@dataclass(frozen=True)
class ModelGraph:
    """A model that went through shape inference, and what is known of it: inputs, and the `params` of a result row."""

    inferred: OnnxModel
    inputs: tuple[TensorInfo, ...]
    params: int


def graph_of(network: Network, seed: int = 0, on_export: Callable[[], None] = lambda: None) -> ModelGraph:
    """Return the graph of a network, exported now if PyTorch makes it and the cache does not have it.

    Raises:
        ArtifactError: the model cannot be exported or read, or its shapes are not static.
        OutOfMemory: reading the file takes more memory than its size accounts for.
        MissingExtra: PyTorch or its exporter is needed and not installed.
    """
    if network.model.kind == "onnx":
        return _of_file(network)
    from bench.graph.onnx_read import read_shapes

    artifact = ensure(network, seed, on_export, counting=True)
    try:
        return ModelGraph(read_shapes(artifact.path), artifact.inputs, artifact.params)
    except Exception as error:  # the graph may be anything
        name = network.model.canonical
        raise ArtifactError(f"{name}: its shapes do not fit: {first_line(error)}", "export it again") from error


def _of_file(network: Network) -> ModelGraph:
    """Have a child read the file, whose memory and time are limited: it may be hostile."""
    import os

    import onnx

    path = Path(os.path.abspath(network.model.source))
    name = clip(path.name)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        out = Path(folder, "graph.onnx")
        request = {"path": str(path), "batch": network.batch, "resolution": network.resolution}
        request |= {"shapes": network.shapes, "out": str(out), "input": network.input.path if network.input else ""}
        try:
            told = json.loads(ask(f"{__name__}:answer", request, TIMEOUT_S).rstrip().rpartition("\n")[2])
        except ChildFailed as failed:
            error = failed.error(f"reading {name}", ArtifactError, "is the model of that size?")
            raise error from RuntimeError(failed.log)
        inputs = tuple(TensorInfo(i["name"], i["dtype"], tuple(i["shape"])) for i in told["inputs"])
        return ModelGraph(onnx.load(out, load_external_data=False), inputs, told["params"])


def answer(request: Unchecked) -> None:
    """Read a file, in the child: write the model with its shapes and without its weights, print the rest."""
    import onnx

    from bench.artifact import reference
    from bench.export.onnx_file import SMALLER, make_static, open_file
    from bench.graph.onnx_read import fetch_small, lighten
    from bench.graph.reading import infer, read_graph
    from bench.graph.weights import parameters_of

    path = Path(request["path"])
    try:
        opened = open_file(path, request["shapes"], request["batch"], request["resolution"], request["input"])
        fetch_small(opened.model, opened.path.parent)
        lighten(opened.model)
        make_static(opened.model, opened.settled, opened.symbols)
        inferred = infer(opened.model)
        params = parameters_of(read_graph(inferred))
        # The reference beside a file says how many the network had in PyTorch, where BatchNorm is not folded.
        if reference.beside(opened.path).exists():
            carried = reference.find(opened.path, opened.digest(), opened.settled, opened.name)
            params = carried.params if carried else params
        onnx.save(inferred, request["out"])
    except MemoryError as error:
        raise OutOfMemory(f"{clip(path.name)} takes more memory than it may", SMALLER) from error
    print("\n" + json.dumps({"inputs": [asdict(info) for info in opened.settled], "params": params}))
