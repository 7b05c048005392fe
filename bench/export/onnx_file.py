"""A person's ONNX file becomes an artifact: checked, counted, given an input, run once without optimisation.

Everything that reads the file happens in the export process, so that a hostile file can at most end that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ArtifactError, clip
from bench.export.artifact import Artifact, MacOp, TensorInfo, sha256_of
from bench.graph.complexity import count


def examine(recipe: dict[str, Any], draft: Path) -> None:
    """Write the artifact of an ONNX file into `draft`; the file itself stays where it is.

    Raises:
        ArtifactError: it is not a valid ONNX model with one static float input, or does not run.
    """
    path = Path(recipe["path"])
    name = clip(recipe["model"]["canonical"])
    model = _read(path, name)
    info = _input(model, name)
    batch, resolution = _shape(info, recipe, name)
    generator = np.random.default_rng(recipe["seed"] + 2)
    x = generator.standard_normal(info.shape, dtype=np.float32).astype(info.dtype)
    outputs, reference_by = _run(path, info.name, x, name)
    arrays = {f"output_{i}": y for i, (_, y) in enumerate(outputs)}
    np.savez(draft / "reference.npz", allow_pickle=False, input_0=x, **arrays)
    complexity = count(model)
    Artifact(
        folder="",
        model=recipe["model"]["canonical"],
        kind="onnx",
        onnx=str(path),
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        inputs=(info,),
        outputs=tuple(TensorInfo(n, str(y.dtype), y.shape) for n, y in outputs),
        batch=batch,
        resolution=resolution,
        precision=_precision(model),
        macs=complexity.macs,
        params=_parameters(model),
        mac_ops=tuple(MacOp(n.name, n.op, n.macs, n.weight, n.group) for n in complexity.nodes),
        uncounted=complexity.uncounted,
        reference_by=reference_by,
        made_by=recipe["made_by"],
        seed=recipe["seed"],
    ).save(draft)


def _read(path: Path, name: str) -> Any:
    """Read the graph without its external data, and let onnx check the whole (external data stays in its folder)."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
        if not model.graph.node:
            raise ArtifactError(f"{name} is not an ONNX model, or has no nodes", "export it again")
        onnx.checker.check_model(str(path))
    except (DecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{name} is not a readable ONNX file", "it may be truncated; export it again") from error
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise ArtifactError(f"{name} is not a valid ONNX model: {clip(first, 200)}", "export it again") from error
    return model


def _input(model: Any, name: str) -> TensorInfo:
    from onnx import TensorProto, helper

    constants = {i.name for i in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in constants]
    if len(inputs) != 1:
        names = clip(", ".join(i.name for i in inputs)) or "none"
        raise ArtifactError(f"{name} has {len(inputs)} inputs ({names})", "models with exactly one input can be run")
    tensor = inputs[0].type.tensor_type
    dims = [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]
    if any(not d or d < 1 for d in dims):
        shape = "x".join(str(d.dim_value or clip(d.dim_param) or "?") for d in tensor.shape.dim)
        raise ArtifactError(
            f"{name}: the input {clip(inputs[0].name)} has the dynamic shape {shape}",
            "fix it first: python -m onnxruntime.tools.make_dynamic_shape_fixed --input_name "
            f"{clip(inputs[0].name)} --input_shape 1,3,224,224 in.onnx out.onnx",
        )
    if tensor.elem_type not in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE):
        kind = TensorProto.DataType.Name(tensor.elem_type).lower()
        raise ArtifactError(
            f"{name}: the input {clip(inputs[0].name)} is {kind}", "models with a float input can be run"
        )
    dtype = str(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    return TensorInfo(inputs[0].name, dtype, tuple(int(d) for d in dims if d))


def _shape(info: TensorInfo, recipe: dict[str, Any], name: str) -> tuple[int, int | None]:
    """Return batch and resolution of the file, if they are what was asked for."""
    batch = info.shape[0] if info.shape else 1
    square = len(info.shape) == 4 and info.shape[2] == info.shape[3]
    resolution = info.shape[3] if square else None
    for what, asked, there in (("batch", recipe["batch"], batch), ("resolution", recipe["resolution"], resolution)):
        default = 1 if what == "batch" else None
        if asked not in (default, there):
            raise ArtifactError(f"{name} has {what} {there}, not {asked}", f"leave --{what} out, or export it again")
    return batch, resolution


def _run(path: Path, input_name: str, x: Any, name: str) -> tuple[list[tuple[str, Any]], str]:
    """Run the model in ONNX Runtime with every optimisation off: the reference of a model that has no other."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [o.name for o in session.get_outputs()]
        outputs = [np.asarray(y) for y in session.run(names, {input_name: x})]
    except Exception as error:  # onnxruntime's own exceptions share no base class
        first = str(error).strip().splitlines()[0]
        raise ArtifactError(
            f"{name} does not run: {clip(first, 200)}", "ONNX Runtime must be able to run it"
        ) from error
    return list(zip(names, outputs, strict=True)), f"onnxruntime {ort.__version__}, unoptimised"


def _precision(model: Any) -> str:
    """Name the precision of the weights by the type that holds most of them."""
    from onnx import TensorProto

    names = {TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16", TensorProto.BFLOAT16: "bf16"}
    names |= dict.fromkeys((TensorProto.INT8, TensorProto.UINT8), "int8")
    elements: dict[str, int] = {}
    for tensor in model.graph.initializer:
        if tensor.data_type in names:
            kind = names[tensor.data_type]
            elements[kind] = elements.get(kind, 0) + int(np.prod(tensor.dims, dtype=np.int64))
    return max(elements, key=lambda k: elements[k]) if elements else "fp32"


def _parameters(model: Any) -> int:
    """Count the elements of all numeric weights; integer tensors are shapes and indices unless they are 8 bits."""
    from onnx import TensorProto

    other = (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL, TensorProto.STRING)
    return sum(int(np.prod(t.dims, dtype=np.int64)) for t in model.graph.initializer if t.data_type not in other)
