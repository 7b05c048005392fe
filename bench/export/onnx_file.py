"""A person's ONNX file becomes an artifact: checked, counted, given inputs, run once without optimisation.

Everything that reads the file happens in the export process, so that a hostile file can at most end that.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from bench.artifact import reference
from bench.artifact.artifact import Artifact, MacOp, Stamp, TensorInfo
from bench.artifact.digest import sha256_with_data
from bench.base.errors import ArtifactError, clip, first_line
from bench.export import onnx_inputs
from bench.export.activations import computes
from bench.graph.complexity import Complexity, count
from bench.graph.onnx_read import check_sizes, lighten, read
from bench.graph.reading import infer


def examine(recipe: dict[str, Any], draft: Path) -> None:
    """Write the artifact of an ONNX file into `draft`.

    The file stays where it is, unless it has dynamic axes: then `draft` gets a copy with the given shapes.

    Raises:
        ArtifactError: it is not a valid ONNX model of numeric tensors, its shapes are not static, or it does not run.
    """
    path = Path(recipe["path"])
    name = clip(Path(recipe["model"]["source"]).name)
    model, locations = read(path, name)
    inputs = onnx_inputs.declared(model, name)
    given = tuple((n, tuple(dims)) for n, dims in recipe["shapes"])
    settled = onnx_inputs.settle(inputs, given, name, recipe["batch"], recipe["resolution"])
    batch, resolution = image_of(settled, recipe, name)
    place = path
    if any(one.dynamic for one in inputs):
        place = _static_copy(model, settled, onnx_inputs.bound_symbols(inputs, settled), path, locations, draft)
    own = sha256_with_data(path, path.parent, locations)
    digest = own if place == path else sha256_with_data(place, path.parent, locations)
    precision, params = _precision(model), parameters(model)
    lighten(model)
    complexity, computing = _count(model, name)
    carried = reference.find(path, own, settled, name)
    if carried is None:
        carried = _run(place, settled, recipe["seed"], name)
        carried.params = params
    carried.save(draft / "reference.npz")
    Artifact(
        folder="",
        model=recipe["model"]["canonical"],
        kind="onnx",
        onnx=str(place if place == path else place.relative_to(draft)),
        sha256=digest,
        bytes=place.stat().st_size,
        inputs=tuple(settled),
        outputs=carried.output_infos(),
        batch=batch,
        resolution=resolution,
        precision=precision,
        computes=computing or precision,
        macs=complexity.macs,
        params=carried.params,
        mac_ops=tuple(MacOp(n.name, n.op, n.macs, n.weight, n.group) for n in complexity.nodes),
        uncounted=complexity.uncounted,
        reference_by=carried.by,
        made_by=recipe["made_by"],
        seed=recipe["seed"],
        data=locations,
        stamps=tuple(Stamp.of(path.parent / location) for location in locations),
    ).save(draft)


def image_of(settled: list[TensorInfo], recipe: dict[str, Any], name: str) -> tuple[int, int | None]:
    """Read batch and resolution off the first image (else the first input), if they are what was asked for."""
    first = next((i for i in settled if len(i.shape) == 4), settled[0])
    batch = first.shape[0] if first.shape else 1
    square = len(first.shape) == 4 and first.shape[2] == first.shape[3]
    resolution = first.shape[3] if square else None
    for what, asked, there in (("batch", recipe["batch"], batch), ("resolution", recipe["resolution"], resolution)):
        default = 1 if what == "batch" else None
        if asked not in (default, there):
            raise ArtifactError(f"{name} has {what} {there}, not {asked}", f"leave --{what} out, or export it again")
    return batch, resolution


def _static_copy(
    model: Any, settled: list[TensorInfo], symbols: dict[str, int], path: Path, locations: tuple[str, ...], draft: Path
) -> Path:
    """Write the model with static inputs, and a copy of its external data beside it.

    The copy cannot be spared: runtimes refuse a symbolic link that leaves the folder, and a hard link would make
    ``onnx.checker`` refuse the person's own file from then on. Who has no room for it exports the model once, beside
    its data.
    """
    import onnx

    make_static(model, settled, symbols)
    # A folder of its own: the name of external data is the file's choice, and must not meet a file of ours.
    copy = draft / "static" / path.name
    copy.parent.mkdir()
    onnx.save(model, copy)
    if path.name in locations:
        raise ArtifactError(f"{clip(path.name)} is both model and data", "export it again")
    for location in locations:
        target = copy.parent / location
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path.parent / location, target)
    return copy


def make_static(model: Any, settled: list[TensorInfo], symbols: dict[str, int]) -> None:
    """Write the shapes of the inputs, and the lengths of named axes, into a model in place."""
    shapes = {info.name: info.shape for info in settled}
    for value in model.graph.input:
        if value.name in shapes:
            tensor = value.type.tensor_type
            tensor.ClearField("shape")
            tensor.shape.SetInParent()  # a scalar has a shape, too: the empty one
            for side in shapes[value.name]:
                tensor.shape.dim.add().dim_value = side
    for value in (*model.graph.output, *model.graph.value_info):
        for axis in value.type.tensor_type.shape.dim:
            if axis.HasField("dim_param"):
                symbol = axis.dim_param
                axis.ClearField("dim_param")
                if symbol in symbols:
                    axis.dim_value = symbols[symbol]


def _count(model: Any, name: str) -> tuple[Complexity, str]:
    """Count the MACs, and say in which precision most of them are done."""
    try:
        inferred = infer(model)
        complexity = count(model, inferred)
        computing = computes(inferred, {node.name: node.macs for node in complexity.nodes})
    except Exception as error:  # the graph may be anything
        raise ArtifactError(f"{name}: its shapes do not fit: {first_line(error)}", "export it again") from error
    check_sizes(inferred, name)
    return complexity, computing


def _run(path: Path, inputs: list[TensorInfo], seed: int, name: str) -> reference.Reference:
    """Run the model in ONNX Runtime with every optimisation off: the reference of a model that has no other.

    A model that fails on integers of 0 and 1, or gives no finite numbers (a mask of zeros), is run on ones instead.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    drawn = "integer inputs are 0 and 1, or all 1; " if onnx_inputs.has_integers(inputs) else ""
    hint = f"{drawn}ONNX Runtime must be able to run it"
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base class
        raise ArtifactError(
            f"{name} does not load: {first_line(error)}", "ONNX Runtime must be able to run it"
        ) from error
    names = [o.name for o in session.get_outputs()]
    for ones in (False, True) if drawn else (False,):
        x = onnx_inputs.draw(inputs, seed, ones)
        failure: Exception | None = None
        try:
            y = [np.asarray(a) for a in session.run(names, {i.name: a for i, a in zip(inputs, x, strict=True)})]
        except Exception as error:
            failure = error
            continue
        for output, array in zip(names, y, strict=True):
            if array.dtype.kind not in "fiub":
                raise ArtifactError(
                    f"{name}: the output {clip(output)} is no tensor of numbers", "cut it off the model"
                )
        if all(np.isfinite(a).all() for a in y):
            return reference.Reference(x, y, names, f"onnxruntime {ort.__version__}, unoptimised")
    if failure is not None:
        raise ArtifactError(f"{name} does not run: {first_line(failure)}", hint) from failure
    raise ArtifactError(f"{name} gives NaN or infinity, which nothing can be compared with", hint)


def _precision(model: Any) -> str:
    """Name the precision of the weights by the type that holds most of them."""
    from onnx import TensorProto

    names = {TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16", TensorProto.BFLOAT16: "bf16"}
    names |= {TensorProto.DOUBLE: "fp64"} | dict.fromkeys((TensorProto.INT8, TensorProto.UINT8), "int8")
    elements: dict[str, int] = {}
    for tensor in model.graph.initializer:
        if tensor.data_type in names:
            kind = names[tensor.data_type]
            elements[kind] = elements.get(kind, 0) + int(np.prod(tensor.dims, dtype=np.int64))
    return max(elements, key=lambda k: elements[k]) if elements else "fp32"


def parameters(model: Any) -> int:
    """Count the elements of all numeric weights; integer tensors are shapes and indices unless they are 8 bits."""
    from onnx import TensorProto

    other = (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL, TensorProto.STRING)
    return sum(int(np.prod(t.dims, dtype=np.int64)) for t in model.graph.initializer if t.data_type not in other)
