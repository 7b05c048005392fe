"""The ONNX graph of any model, with static shapes and without its weights, for counting: nothing is run.

A person's ONNX file is read, not run, so that a model which no runtime here can run is counted, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.artifact.artifact import TensorInfo
from bench.base.errors import ArtifactError, clip, first_line
from bench.export import ensure
from bench.graph.reading import OnnxModel
from bench.plan.case import Network


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
        MissingExtra: PyTorch or its exporter is needed and not installed.
    """
    if network.model.kind == "onnx":
        return _of_file(network)
    import onnx

    from bench.graph.onnx_read import lighten

    artifact = ensure(network, seed, on_export)
    model = onnx.load(artifact.path, load_external_data=False)
    lighten(model)
    return ModelGraph(_inferred(model, network.model.canonical), artifact.inputs, artifact.params)


def _of_file(network: Network) -> ModelGraph:
    from bench.artifact import reference
    from bench.artifact.digest import sha256_with_data
    from bench.export import onnx_inputs
    from bench.export.onnx_file import image_of, make_static, parameters
    from bench.graph.onnx_read import lighten, read

    path = Path(network.model.source).resolve()
    name = clip(path.name)
    model, locations = read(path, name)
    declared = onnx_inputs.declared(model, name)
    settled = onnx_inputs.settle(declared, network.shapes, name, network.batch, network.resolution)
    image_of(settled, network.batch, network.resolution, name)
    params = parameters(model)
    if reference.beside(path).exists():  # it says how many the network had in PyTorch, where BatchNorm is not folded
        carried = reference.find(path, sha256_with_data(path, path.parent, locations), settled, name)
        params = carried.params if carried else params
    lighten(model)
    make_static(model, settled, onnx_inputs.bound_symbols(declared, settled))
    return ModelGraph(_inferred(model, name), tuple(settled), params)


def _inferred(model: OnnxModel, name: str) -> OnnxModel:
    from bench.graph.reading import infer

    try:
        return infer(model)
    except Exception as error:  # the graph may be anything
        raise ArtifactError(f"{name}: its shapes do not fit: {first_line(error)}", "export it again") from error
