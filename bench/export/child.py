"""The export process: fills a draft folder with an artifact; see `bench.base.child`."""

from __future__ import annotations

import importlib
import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.artifact.artifact import CHANGED, Array, Artifact, MacOp, TensorInfo
from bench.artifact.digest import sha256_with_data
from bench.artifact.reference import Reference
from bench.base.errors import DEBUG, ArtifactError, clip, first_line
from bench.base.wire import Unchecked
from bench.export.key import Recipe
from bench.export.onnx_file import image_of
from bench.export.remarks import SUBNORMAL_SHARE, subnormal_share
from bench.graph.complexity import count
from bench.graph.counts import SCOPES
from bench.graph.onnx_read import fetch_small, lighten, tensors
from bench.graph.reading import OnnxModel

if TYPE_CHECKING:
    import torch

    from bench.export.own import Inputs

# An ONNX file ends at 2 GiB; beyond this many bytes of weights they go into a file of their own.
EXTERNAL_BYTES = 1_500_000_000
# Attention makes the positions of an image alike, so that 4 images may be hardly more than 4 samples to a BatchNorm
# (LevIT: its numbers grow 40-fold on the fifth image). Then it is given more, and at last every layer is levelled.
CALIBRATION_IMAGES = (4, 32, 32)
NO_TENSOR = "return tensors, or a tuple or dict of them; use_cache=False, among the inputs, is a way of many models"


def answer(recipe: Recipe) -> None:
    """Export or examine one model into the recipe's `draft`; called by `bench.base.child`."""
    draft = Path(recipe["draft"])
    if recipe["model"]["kind"] == "onnx":
        from bench.export.onnx_file import examine

        examine(recipe, draft)
    else:
        export(recipe, draft)


def lay(request: Unchecked) -> None:
    """Write all weights of an artifact's module into its folder, whole or not at all."""
    import torch

    from bench.artifact.artifact import load
    from bench.artifact.build import rebuild
    from bench.artifact.calling import Flat

    artifact = load(Path(request["artifact"]))
    module = rebuild(artifact)
    own_module = module.module if isinstance(module, Flat) else module
    draft = artifact.weights.with_name(f".{artifact.weights.name}.{os.getpid()}")
    try:
        torch.save(own_module.state_dict(), draft)
        os.replace(draft, artifact.weights)
    finally:
        draft.unlink(missing_ok=True)


def export(recipe: Recipe, draft: Path) -> None:
    """Build, initialise, calibrate, audit and export a PyTorch model."""
    import onnx
    import torch

    from bench.artifact.build import build_module, seeded
    from bench.artifact.calling import NoTensor, output_names
    from bench.export import own

    ref, seed = recipe["model"], recipe["seed"]
    torch.manual_seed(seed)
    torch.set_float32_matmul_precision("highest")
    built = build_module(ref["kind"], ref["source"], ref["params"])
    inputs = own.find(built, recipe)
    result, complaint = _settle(built.module, inputs, seed, ref["canonical"], exactly=ref["kind"] == "zoo")
    if not isinstance(result, torch.Tensor):
        inputs.plain = False
    # A network's own names where it is called in a way of its own; one image in and one tensor out have had these ever.
    called = ["input"] if inputs.plain else list(inputs.call.names)
    try:
        outputs = ["output"] if inputs.plain else output_names(result, called)
    except NoTensor as error:
        raise ArtifactError(f"{ref['canonical']} {first_line(error)}", NO_TENSOR) from error
    model, x = inputs.module(built.module).eval(), tuple(inputs.tensors)
    with torch.inference_mode():
        told = model(*x)
    y = (told,) if isinstance(told, torch.Tensor) else told
    again = seeded(ref["kind"], ref["source"], ref["params"], seed).module.state_dict()
    torch.save(_changed(built.module.state_dict(), again), draft / CHANGED)
    given, answers = [_array(a, ref["canonical"]) for a in x], [_array(a, ref["canonical"]) for a in y]
    Reference(given, answers, outputs, "").save(draft / "reference.npz")
    infos = tuple(TensorInfo(n, str(a.dtype), a.shape) for n, a in zip(called, given, strict=True))
    batch, resolution = image_of(list(infos), recipe["batch"], recipe["resolution"], clip(ref["canonical"]))
    path = draft / "model.onnx"
    try:
        program = torch.onnx.export(
            model,
            x,
            dynamo=True,
            opset_version=recipe["opset"],
            input_names=called,
            output_names=outputs,
            verbose=False,
        )
        assert program is not None
        _bare(program.model)
        size = sum(t.numel() * t.element_size() for t in model.state_dict().values())
        program.save(str(path), external_data=size > EXTERNAL_BYTES)
    except Exception as error:
        raise ArtifactError(
            f"{ref['canonical']} cannot be exported to ONNX: {first_line(error)}",
            DEBUG,
        ) from error
    params = sum(p.numel() for p in model.parameters())
    noise = _noise(model, x, y)
    proto = onnx.load(path, load_external_data=False)
    _check_names(proto, called, outputs, ref["canonical"])
    complaint = complaint or _subnormal(proto, draft, ref["canonical"])
    data = sorted({e.value for t in tensors(proto) for e in t.external_data if e.key == "location"})
    fetch_small(proto, draft)
    lighten(proto)
    complexity = count(proto)
    source = {"source": ref["source"], "params": ref["params"]}
    if not inputs.plain:
        source["call"] = asdict(inputs.call)
    Artifact(
        folder="",
        model=ref["canonical"],
        kind=ref["kind"],
        onnx="model.onnx",
        sha256=sha256_with_data(path, draft, data),
        bytes=path.stat().st_size,
        inputs=infos,
        outputs=tuple(TensorInfo(n, str(a.dtype), a.shape) for n, a in zip(outputs, answers, strict=True)),
        batch=batch,
        resolution=resolution,
        precision="fp32",
        macs=complexity.macs,
        params=params,
        mac_ops=tuple(MacOp(n.name, n.op, n.macs, n.weight, n.group) for n in complexity.nodes),
        uncounted=complexity.uncounted,
        reference_by=f"torch {torch.__version__}",
        made_by=recipe["made_by"] | {"opset": str(recipe["opset"])},
        seed=recipe["seed"],
        source=json.dumps(source),
        data=tuple(data),
        complaint=complaint,
        noise=noise,
    ).save(draft)


def _changed(now: dict[str, torch.Tensor], seeded: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights that do not follow from the seed, bit for bit."""
    import torch

    def same(one: torch.Tensor, other: torch.Tensor | None) -> bool:
        return other is not None and one.dtype == other.dtype and torch.equal(one, other)

    return {name: one.clone() for name, one in now.items() if not same(one, seeded.get(name))}


def _array(tensor: torch.Tensor, name: str) -> Array:
    """Return a tensor as an array; ArtifactError where NumPy has no such type."""
    try:
        return np.asarray(tensor.detach().numpy(), order="C")
    except TypeError as error:
        raise ArtifactError(f"{clip(name)} has a tensor of {tensor.dtype}", "give and return other types") from error


def _check_names(proto: OnnxModel, inputs: list[str], outputs: list[str], name: str) -> None:
    """Refuse a file that lost an input or an output on the way: nothing could be fed to it by name."""
    there = [value.name for value in proto.graph.input], [value.name for value in proto.graph.output]
    if there != (inputs, outputs):
        lost = sorted({*inputs, *outputs} - {*there[0], *there[1]})
        what = f"loses {', '.join(lost)}" if lost else f"has {', '.join((*there[0], *there[1]))}"
        raise ArtifactError(f"{clip(name)}, exported to ONNX, {clip(what, 200)}", "leave out what it does not use")


def _noise(model: torch.nn.Module, x: tuple[torch.Tensor, ...], y: tuple[torch.Tensor, ...]) -> float:
    """Return how far the outputs are from those in float64 (relative L2, the worst), which the model is turned into.

    0 where it does not compute in float64, as a person's network with constants of its own may not.
    """
    import torch

    try:
        with torch.inference_mode():
            told = model.double()(*(a.double() if a.is_floating_point() else a for a in x))
            exact = (told,) if isinstance(told, torch.Tensor) else told
            found = max(
                float(torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b))
                for a, b in zip(y, exact, strict=True)
                if b.is_floating_point()
            )
    except Exception:
        return 0.0
    return found if math.isfinite(found) else 0.0


def _bare(model: Any) -> None:
    """Leave of the exporter's notes in an ``onnx_ir.Model`` only the modules that a node is in.

    The others tell where PyTorch and the network lie on this machine: they would make another file, and another hash,
    of the same network in every folder, and go wherever the file goes. So would the build that the version names.
    """
    from onnx_ir.traversal import RecursiveGraphIterator

    model.producer_version = (model.producer_version or "").partition("+")[0]
    for part in (model.graph, *model.functions.values()):
        for node in RecursiveGraphIterator(part):
            for key in [key for key in node.metadata_props if key != SCOPES]:
                del node.metadata_props[key]
            node.doc_string = None


def _settle(own_module: torch.nn.Module, inputs: Inputs, seed: int, name: str, exactly: bool) -> tuple[object, str]:
    """Give the model its weights; return its result, and what is unhealthy about its numbers.

    `exactly` is for networks that are known to run in double precision, so that every CPU gives them the same weights.
    Where integers and truth values were drawn and the result is not finite (a mask that hides everything), they become
    ones.
    """
    import torch

    from bench.artifact.calling import Flat, NoTensor, leaves
    from bench.export import own

    weights = importlib.import_module("bench.models.weights")  # a tree of its own for type checkers
    model, x = inputs.module(own_module), inputs.tensors
    try:
        weights.initialise(own_module, seed)
        if inputs.drawn and not weights.finite(model, *x):
            x[:] = [a if a.is_floating_point() else torch.ones_like(a) for a in x]
        for attempt, images in enumerate(CALIBRATION_IMAGES):
            if attempt == 2:
                weights.level(model, *x)
            if inputs.plain and inputs.noise:
                weights.calibrate(model, (max(images, x[0].shape[0]), *x[0].shape[1:]), seed, exactly)
            else:
                weights.calibrate_on(model, *x)
            with torch.inference_mode():
                complaints = weights.audit(model, *x)
                result = own_module(*x) if inputs.plain else own_module(*_args(inputs), **_kwargs(inputs))
            if not complaints:
                break
        if not any(True for _ in leaves(result)):
            raise NoTensor(f"returns {type(result).__name__}, which holds no tensor")
    except NoTensor as error:
        raise ArtifactError(f"{name} {first_line(error)}", NO_TENSOR) from error
    except Exception as error:  # a person's network can raise anything
        called = model if inputs.plain else Flat(own_module, inputs.call)
        raise own.failed(called, x, name, error, inputs.doubt) from error
    if not complaints:
        return result, ""
    what = "seeded weights and the given data" if inputs.given else "seeded weights"
    said = f"{name} with {what} gives unhealthy numbers: {complaints[0]}"
    return result, f"{said}; {inputs.doubt}" if inputs.doubt else said


def _args(inputs: Inputs) -> list[torch.Tensor]:
    return inputs.tensors[: inputs.call.leading]


def _kwargs(inputs: Inputs) -> dict[str, object]:
    given = inputs.call.leading
    return dict(zip(inputs.call.names[given:], inputs.tensors[given:], strict=True)) | inputs.call.constants


def _subnormal(proto: OnnxModel, folder: Path, name: str) -> str:
    """Say which weight became subnormal when BatchNorm was folded into it; reads one at a time."""
    from onnx import TensorProto, numpy_helper

    for tensor in proto.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            share = subnormal_share(numpy_helper.to_array(tensor, str(folder)))
            if share > SUBNORMAL_SHARE:
                return f"{name}: {share:.1%} of the weight {tensor.name} is subnormal"
    return ""
