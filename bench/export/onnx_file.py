"""A person's ONNX file becomes an artifact: checked, counted, given inputs, run once without optimisation.

Everything that reads the file happens in the export process, so that a hostile file can at most end that.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.artifact import reference
from bench.artifact.artifact import Array, Artifact, MacOp, Stamp, TensorInfo
from bench.artifact.digest import sha256_with_data
from bench.base.errors import ArtifactError, OutOfMemory, clip, first_line
from bench.base.limits import GIB, allow
from bench.export import onnx_inputs
from bench.export.activations import computes
from bench.export.given import doubt, fitted
from bench.export.key import Recipe
from bench.export.remarks import remarks_on
from bench.graph.complexity import Complexity, count
from bench.graph.memory import Lifetimes
from bench.graph.onnx_read import check_sizes, fetch_small, lighten, read
from bench.graph.reading import OnnxModel, infer, read_graph
from bench.graph.weights import parameters_of, precision_of
from bench.plan.shapes import Shapes, sides

# What reading a file may take besides its own bytes, a few times over: protobuf, onnx and the runtime hold copies.
ROOM_BYTES, COPIES = 2 * GIB, 6


@dataclass
class Opened:
    """A person's ONNX file, checked, with its inputs; `path` is where it and its data live."""

    path: Path
    name: str
    model: OnnxModel
    locations: tuple[str, ...]
    inputs: list[onnx_inputs.Input]
    settled: list[TensorInfo]
    batch: int
    resolution: int | None
    data: list[Array] | None = None

    @property
    def symbols(self) -> dict[str, int]:
        """What length each named dynamic axis has got."""
        return onnx_inputs.bound_symbols(self.inputs, self.settled)

    def digest(self) -> str:
        """Return the SHA-256 of the file and its data."""
        return sha256_with_data(self.path, self.path.parent, self.locations)


def open_file(path: Path, given: Shapes, batch: int, resolution: int | None, data: str = "") -> Opened:
    """Read an ONNX file under a limit on this process's memory, and settle the shapes of its inputs.

    Where a person gave `data` (a path), it tells the shapes that nobody gave.

    Raises:
        ArtifactError: it is not a valid ONNX model from tensors of numbers to tensors, or its shapes are not static.
    """
    name = clip(path.name)
    allow(ROOM_BYTES + COPIES * path.stat().st_size)
    model, locations, path = read(path, name)
    inputs = onnx_inputs.declared(model, name)
    onnx_inputs.check_outputs(model, name)
    arrays = onnx_inputs.given_arrays(Path(data), inputs, given, batch, resolution, name) if data else {}
    told = (*given, *((key, x.shape) for key, x in arrays.items() if key not in sides(given)))
    settled = onnx_inputs.settle(inputs, told, name, batch, resolution)
    found = image_of(settled, batch, resolution, name)
    fitting = [fitted(arrays[i.name], i.name, i.dtype, i.shape) for i in settled] if data else None
    return Opened(path, name, model, locations, inputs, settled, *found, fitting)


def examine(recipe: Recipe, draft: Path) -> None:
    """Write the artifact of an ONNX file into `draft`.

    The file stays where it is, unless it has dynamic axes, or data that is a link: then `draft` gets a copy with the
    given shapes.

    Raises:
        ArtifactError: it is not a valid ONNX model of numeric tensors, its shapes are not static, or it does not run.
        OutOfMemory: it takes more memory than its size and its tensors account for.
    """
    try:
        _examine(recipe, draft)
    except MemoryError as error:
        raise OutOfMemory(f"{clip(Path(recipe['path']).name)} takes more memory than it may", SMALLER) from error


SMALLER = "give a smaller --shape, or check the model"


def _examine(recipe: Recipe, draft: Path) -> None:
    opened = open_file(
        Path(recipe["path"]), recipe["shapes"], recipe["batch"], recipe["resolution"], recipe.get("input", "")
    )
    path, name, model, settled = opened.path, opened.name, opened.model, opened.settled
    folder = path.parent
    stored = path.stat().st_size + sum((folder / location).stat().st_size for location in opened.locations)
    allow(ROOM_BYTES + COPIES * stored)
    remarks = remarks_on(model, folder)
    place = path
    if any(one.dynamic for one in opened.inputs) or any((folder / at).is_symlink() for at in opened.locations):
        place = _static_copy(model, settled, opened.symbols, path, opened.locations, draft)
    own = opened.digest()
    digest = own if place == path else sha256_with_data(place, folder, opened.locations)
    fetch_small(model, folder)  # after the copy, which shares its data as the file does
    lighten(model)
    complexity, inferred = _count(model, name)
    reading = read_graph(inferred)
    check_sizes(inferred, name)
    allow(ROOM_BYTES + COPIES * stored + 3 * Lifetimes(reading).peak().bytes)
    # What PyTorch made of its inputs says nothing of other data.
    carried = reference.find(path, own, settled, name) if opened.data is None else None
    if carried is None:
        carried = _run(place, settled, recipe["seed"], name, opened.data)
        carried.params = parameters_of(reading)
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
        batch=opened.batch,
        resolution=opened.resolution,
        precision=precision_of(reading, model),
        computes=computes(inferred, {n.name: n.macs for n in complexity.nodes}) or precision_of(reading, model),
        macs=complexity.macs,
        params=carried.params,
        mac_ops=tuple(MacOp(n.name, n.op, n.macs, n.weight, n.group) for n in complexity.nodes),
        uncounted=complexity.uncounted,
        reference_by=carried.by,
        made_by=recipe["made_by"],
        seed=recipe["seed"],
        data=opened.locations,
        stamps=tuple(Stamp.of(folder / location) for location in opened.locations),
        remarks=remarks,
        quantization=carried.quantization,
    ).save(draft)


def image_of(settled: list[TensorInfo], batch: int, resolution: int | None, name: str) -> tuple[int, int | None]:
    """Read batch and resolution off the first image (else the first input), if they are what was asked for."""
    first = next((i for i in settled if len(i.shape) == 4), settled[0])
    images = first.shape[0] if first.shape else 1
    square = len(first.shape) == 4 and first.shape[2] == first.shape[3]
    side = first.shape[3] if square else None
    for what, asked, there, default in (("batch", batch, images, 1), ("resolution", resolution, side, None)):
        if asked not in (default, there):
            has = "takes no square image" if there is None else f"has {what} {there}, not {asked}"
            raise ArtifactError(f"{name} {has}", f"leave --{what} out, or `bench export` it with --{what} {asked}")
    return images, side


def _static_copy(
    model: OnnxModel,
    settled: list[TensorInfo],
    symbols: dict[str, int],
    path: Path,
    locations: tuple[str, ...],
    draft: Path,
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


def make_static(model: OnnxModel, settled: list[TensorInfo], symbols: dict[str, int]) -> None:
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
            elif axis.HasField("dim_value") and axis.dim_value < 0:
                axis.ClearField("dim_value")


def _count(model: OnnxModel, name: str) -> tuple[Complexity, OnnxModel]:
    try:
        inferred = infer(model)
        return count(model, inferred), inferred
    except MemoryError:
        raise
    except Exception as error:  # the graph may be anything
        raise ArtifactError(f"{name}: its shapes do not fit: {first_line(error)}", "export it again") from error


def _run(
    path: Path, inputs: list[TensorInfo], seed: int, name: str, data: list[Array] | None = None
) -> reference.Reference:
    """Run the model in ONNX Runtime with every optimisation off: the reference of a model that has no other.

    It is run on the person's `data`, or on what is drawn. A model that fails on integers of 0 and 1, or gives no finite
    numbers (a mask of zeros), is run on ones instead.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    integers = data is None and onnx_inputs.has_integers(inputs)
    drawn = "integer inputs are 0 and 1, or all 1; --input gives it data of yours; " if integers else ""
    hint = f"{drawn}ONNX Runtime must be able to run it"
    on = ""
    if data is not None:
        on, hint = " on the given data", doubt({one.name: x for one, x in zip(inputs, data, strict=True)})
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base class
        raise ArtifactError(
            f"{name} does not load: {first_line(error)}", "ONNX Runtime must be able to run it"
        ) from error
    names = [o.name for o in session.get_outputs()]
    for ones in (False, True) if drawn else (False,):
        x = onnx_inputs.draw(inputs, seed, ones) if data is None else data
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
    if failure is not None and "alloc" in str(failure).lower():
        raise OutOfMemory(f"{name} takes more memory than it may: {first_line(failure)}", SMALLER) from failure
    if failure is not None:
        raise ArtifactError(f"{name} does not run{on}: {first_line(failure)}", hint) from failure
    raise ArtifactError(f"{name} gives NaN or infinity{on}, which nothing can be compared with", hint)
