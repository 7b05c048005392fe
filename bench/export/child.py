"""The export process: fills a draft folder with an artifact; see `bench.base.child`."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.artifact.artifact import Artifact, MacOp, TensorInfo
from bench.artifact.digest import sha256_with_data
from bench.base.errors import DEBUG, ArtifactError, first_line
from bench.export.key import Recipe
from bench.export.remarks import SUBNORMAL_SHARE, subnormal_share
from bench.graph.complexity import count
from bench.graph.counts import SCOPES
from bench.graph.onnx_read import fetch_small, lighten, tensors
from bench.graph.reading import OnnxModel

if TYPE_CHECKING:
    import torch

# An ONNX file ends at 2 GiB; beyond this many bytes of weights they go into a file of their own.
EXTERNAL_BYTES = 1_500_000_000
# Attention makes the positions of an image alike, so that 4 images may be hardly more than 4 samples to a BatchNorm
# (LevIT: its numbers grow 40-fold on the fifth image). Then it is given more, and at last every layer is levelled.
CALIBRATION_IMAGES = (4, 32, 32)


def answer(recipe: Recipe) -> None:
    """Export or examine one model into the recipe's `draft`; called by `bench.base.child`."""
    draft = Path(recipe["draft"])
    if recipe["model"]["kind"] == "onnx":
        from bench.export.onnx_file import examine

        examine(recipe, draft)
    else:
        export(recipe, draft)


def export(recipe: Recipe, draft: Path) -> None:
    """Build, initialise, calibrate, audit and export a PyTorch model."""
    import onnx
    import torch

    from bench.artifact.build import build_module

    ref = recipe["model"]
    torch.manual_seed(recipe["seed"])
    torch.set_float32_matmul_precision("highest")
    model, own_resolution = build_module(ref["kind"], ref["source"], ref["params"])
    resolution = recipe["resolution"] or own_resolution or 224
    shape = (recipe["batch"], 3, resolution, resolution)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(recipe["seed"] + 2))
    y, complaint = _settle(model, x, recipe["seed"], ref["canonical"], exactly=ref["kind"] == "zoo")
    torch.save(model.state_dict(), draft / "weights.pt")
    np.savez(draft / "reference.npz", input_0=x.numpy(), output_0=y.numpy())
    path = draft / "model.onnx"
    try:
        program = torch.onnx.export(
            model,
            (x,),
            dynamo=True,
            opset_version=recipe["opset"],
            input_names=["input"],
            output_names=["output"],
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
    noise = _noise(model, x, y)
    proto = onnx.load(path, load_external_data=False)
    complaint = complaint or _subnormal(proto, draft, ref["canonical"])
    data = sorted({e.value for t in tensors(proto) for e in t.external_data if e.key == "location"})
    fetch_small(proto, draft)
    lighten(proto)
    complexity = count(proto)
    Artifact(
        folder="",
        model=ref["canonical"],
        kind=ref["kind"],
        onnx="model.onnx",
        sha256=sha256_with_data(path, draft, data),
        bytes=path.stat().st_size,
        inputs=(TensorInfo("input", "float32", tuple(x.shape)),),
        outputs=(TensorInfo("output", "float32", tuple(y.shape)),),
        batch=recipe["batch"],
        resolution=resolution,
        precision="fp32",
        macs=complexity.macs,
        params=sum(p.numel() for p in model.parameters()),
        mac_ops=tuple(MacOp(n.name, n.op, n.macs, n.weight, n.group) for n in complexity.nodes),
        uncounted=complexity.uncounted,
        reference_by=f"torch {torch.__version__}",
        made_by=recipe["made_by"] | {"opset": str(recipe["opset"])},
        seed=recipe["seed"],
        source=json.dumps({"source": ref["source"], "params": ref["params"]}),
        data=tuple(data),
        complaint=complaint,
        noise=noise,
    ).save(draft)


def _noise(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return how far the output is from that in float64 (relative L2), which the model is turned into.

    0 where it does not compute in float64, as a person's network with constants of its own may not.
    """
    import torch

    try:
        with torch.inference_mode():
            exact = model.double()(x.double())
            found = torch.linalg.vector_norm(y - exact) / torch.linalg.vector_norm(exact)
    except Exception:
        return 0.0
    return float(found) if torch.isfinite(found) else 0.0


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


def _settle(model: torch.nn.Module, x: torch.Tensor, seed: int, name: str, exactly: bool) -> tuple[torch.Tensor, str]:
    """Give the model its weights; return its output, and what is unhealthy about its numbers.

    `exactly` is for networks that are known to run in double precision, so that every CPU gives them the same weights.
    """
    import torch

    weights = importlib.import_module("bench.models.weights")  # a tree of its own for type checkers
    try:
        weights.initialise(model, seed)
        for attempt, images in enumerate(CALIBRATION_IMAGES):
            if attempt == 2:
                weights.level(model, x)
            weights.calibrate(model, (max(images, x.shape[0]), *x.shape[1:]), seed, exactly)
            with torch.inference_mode():
                complaints = weights.audit(model, x)
                y = model(x)
            if not complaints:
                break
    except Exception as error:  # a person's network can raise anything
        raise ArtifactError(
            f"{name} does not run on an input of shape {tuple(x.shape)}: {first_line(error)}",
            "give it a --resolution and --batch that it takes",
        ) from error
    if not isinstance(y, torch.Tensor):
        raise ArtifactError(f"{name} returns {type(y).__name__}, not one tensor", "return the logits alone")
    return y, f"{name} with seeded weights gives unhealthy numbers: {complaints[0]}" if complaints else ""


def _subnormal(proto: OnnxModel, folder: Path, name: str) -> str:
    """Say which weight became subnormal when BatchNorm was folded into it; reads one at a time."""
    from onnx import TensorProto, numpy_helper

    for tensor in proto.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            share = subnormal_share(numpy_helper.to_array(tensor, str(folder)))
            if share > SUBNORMAL_SHARE:
                return f"{name}: {share:.1%} of the weight {tensor.name} is subnormal"
    return ""
