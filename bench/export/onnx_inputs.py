"""The inputs of an ONNX file: their static shapes, given with ``--shape`` where axes are dynamic, and their data."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from bench.artifact.artifact import Array, TensorInfo
from bench.base.errors import ArtifactError, UnknownName, clip
from bench.export import given
from bench.graph.onnx_read import LARGEST_BYTES, bits
from bench.graph.reading import OnnxModel, OnnxValue
from bench.plan.shapes import Shapes, sides, types

Dim = int | str | None  # an axis: its length, the name of a dynamic one, or a dynamic one without a name
FLOATS = {"FLOAT": "float32", "FLOAT16": "float16", "DOUBLE": "float64"}
INTEGERS = {"INT64": "int64", "INT32": "int32", "INT16": "int16", "INT8": "int8", "UINT8": "uint8", "BOOL": "bool"}
ANY = -1
IMAGE_SIDE, SEQUENCE = 224, 128  # what a hint proposes for a dynamic axis


@dataclass(frozen=True, slots=True)
class Input:
    """An input as the file declares it."""

    name: str
    dtype: str
    dims: tuple[Dim, ...]

    @property
    def dynamic(self) -> bool:
        """Whether the file leaves an axis open."""
        return not all(isinstance(d, int) for d in self.dims)


def declared(model: OnnxModel, name: str) -> list[Input]:
    """Return the inputs that are no weights, in the model's order.

    Raises:
        ArtifactError: there is none, or one is no tensor of numbers, or has an impossible axis.
    """
    constants = {i.name for i in model.graph.initializer} | {i.values.name for i in model.graph.sparse_initializer}
    found = [_declared(value, name) for value in model.graph.input if value.name not in constants]
    if not found:
        raise ArtifactError(f"{name} has no inputs: there is nothing to compute", "export it with its inputs")
    return found


def check_outputs(model: OnnxModel, name: str) -> None:
    """Refuse a model whose outputs cannot be compared: a sequence, a map, an optional value.

    Raises:
        ArtifactError: an output is no tensor.
    """
    for value in model.graph.output:
        kind = value.type.WhichOneof("value")
        if kind not in (None, "tensor_type"):
            what = {"sequence_type": "a sequence", "map_type": "a map", "optional_type": "optional"}
            raise ArtifactError(
                f"{name}: the output {clip(value.name)} is {what.get(kind, kind)}, not a tensor", "cut it off the model"
            )


def settle(inputs: list[Input], shaped: Shapes, name: str, batch: int, resolution: int | None) -> list[TensorInfo]:
    """Give every input a static shape.

    A dynamic axis that has the same name in several inputs needs to be given for one of them. Where the first axis
    alone is open, it is the `batch`; beyond that `batch` and `resolution` only make the hint fit.

    Raises:
        ArtifactError: a dynamic axis is not given, or what is given does not fit.
        UnknownName: a given input is not there.
    """
    shapes, known = sides(shaped), [i.name for i in inputs]
    for asked in shapes:
        if asked not in known:
            raise UnknownName(f"input of {name}", asked, [clip(n) for n in known])
    declares = {i.name: i.dtype for i in inputs}
    for asked, dtype in types(shaped).items():
        if dtype != declares[asked]:
            raise ArtifactError(
                f"{name}: the input {clip(asked)} is {declares[asked]}, not {dtype}", "leave the type out"
            )
    symbols: dict[str, int] = {}
    for one in inputs:
        if one.name in shapes:
            _bind(one, shapes[one.name], symbols, name)
    _batched(inputs, shapes, symbols, batch)
    settled, missing = [], []
    for one in inputs:
        shape = shapes[one.name] if one.name in shapes else _static(one, symbols)
        if shape is None:
            missing.append(f"--shape {shlex.quote(clip(one.name) + '=' + _proposal(one, symbols, batch, resolution))}")
        else:
            settled.append(TensorInfo(one.name, one.dtype, shape))
    if missing:
        open_ones = ", ".join(f"{clip(i.name)} is {_written(i)}" for i in inputs if i.dynamic)
        raise ArtifactError(
            f"{name} has dynamic axes: {clip(open_ones, 200)}", "give shapes, e.g. " + " ".join(missing)
        )
    if not any(prod(i.shape) for i in settled):
        empty = ", ".join(f"{clip(i.name, 30)} is {'x'.join(map(str, i.shape))}" for i in settled[:4])
        raise ArtifactError(
            f"{name} has inputs with an axis of 0 elements, and no others: {empty}", "give one something to compute"
        )
    size = sum(prod(i.shape) * np.dtype(i.dtype).itemsize for i in settled)
    if size > LARGEST_BYTES:
        raise ArtifactError(f"the inputs of {name} take {size / 2**30:.3g} GiB", "2 GiB is the limit; check the shapes")
    return settled


def _batched(inputs: list[Input], shapes: dict[str, tuple[int, ...]], symbols: dict[str, int], batch: int) -> None:
    """Let the batch be the first axis of inputs that are open nowhere else; not of vectors, which may be sequences."""
    for one in inputs:
        if one.name in shapes or not one.dynamic:
            continue
        first, *rest = one.dims or (0,)
        if (
            rest
            and not isinstance(first, int)
            and None not in [symbols.get(d) if isinstance(d, str) else d for d in rest]
        ):
            if isinstance(first, str):
                symbols.setdefault(first, batch)
            else:
                shapes[one.name] = (batch, *(symbols[d] if isinstance(d, str) else d for d in rest if d is not None))


def bound_symbols(inputs: list[Input], settled: list[TensorInfo]) -> dict[str, int]:
    """Return what length each named dynamic axis has got."""
    symbols: dict[str, int] = {}
    for one, info in zip(inputs, settled, strict=True):
        symbols |= {d: side for d, side in zip(one.dims, info.shape, strict=True) if isinstance(d, str)}
    return symbols


def given_arrays(
    path: Path, inputs: list[Input], shapes: Shapes, batch: int, resolution: int | None, name: str
) -> dict[str, Array]:
    """Read a person's data for the inputs: cut to the batch where an axis is open, to the declared one where it is not.

    Raises:
        ArtifactError: it cannot be read, or does not fit.
        UnknownName: it holds an input that is not there.
    """
    told, names = sides(shapes), [i.name for i in inputs]
    if given.is_pictures(path):
        if len(inputs) != 1:
            raise ArtifactError(f"{name} has {len(inputs)} inputs, and images are for one", "give a .npz file")
        one = inputs[0]
        free = [batch, 3, resolution or IMAGE_SIDE, resolution or IMAGE_SIDE]
        if len(one.dims) == 4 and one.dims[3] in (1, 3) and one.dims[1] not in (1, 3):
            free = [batch, resolution or IMAGE_SIDE, resolution or IMAGE_SIDE, 3]
        sizes = [d if isinstance(d, int) else side for d, side in zip(one.dims, free, strict=False)]
        return {one.name: given.images(path, told.get(one.name, sizes), one.dtype, name)}
    found = given.arrays(path, names, names, name)
    declared_first = next((i.dims[0] for i in inputs if len(i.dims) > 1), None)
    asked = next((told[i.name][0] for i in inputs if len(told.get(i.name, ())) > 1), declared_first)
    found = given.cut(found, asked if isinstance(asked, int) else batch)
    return {
        one.name: given.fitted(
            found[one.name],
            one.name,
            one.dtype,
            told.get(one.name, tuple(d if isinstance(d, int) else None for d in one.dims)),
        )
        for one in inputs
    }


def draw(inputs: list[TensorInfo], seed: int, ones: bool = False) -> list[Array]:
    """Draw data: standard normal numbers, and 0 or 1 for integers and truth values (only 1 with `ones`).

    0 and 1 are in the range of every vocabulary, mask and index; few models take larger numbers on trust.
    """
    generator = np.random.default_rng(seed + 2)
    arrays = []
    for info in inputs:
        if info.dtype in FLOATS.values():
            arrays.append(np.asarray(generator.standard_normal(info.shape, dtype=np.float32)).astype(info.dtype))
        else:
            low = 1 if ones else 0
            arrays.append(np.asarray(generator.integers(low, 2, info.shape)).astype(info.dtype))
    return arrays


def has_integers(inputs: list[TensorInfo]) -> bool:
    """Tell whether an input is drawn from 0 and 1."""
    return any(info.dtype not in FLOATS.values() for info in inputs)


def _declared(value: OnnxValue, name: str) -> Input:
    from onnx import TensorProto

    called = f"{name}: the input {clip(value.name)}"
    tensor = value.type.tensor_type
    bits(tensor.elem_type, name)  # there is such a type
    kind = TensorProto.DataType.Name(tensor.elem_type)
    if not value.type.HasField("tensor_type") or kind not in FLOATS | INTEGERS:
        what = kind.lower() if value.type.HasField("tensor_type") else "no tensor"
        offered = ", ".join((FLOATS | INTEGERS).values())
        raise ArtifactError(f"{called} is {what}", f"inputs of these types can be run: {offered}")
    axes = tensor.shape.dim
    # Converters write -1 for an axis that is open, and runtimes take it for one.
    given = [int(a.dim_value) if a.HasField("dim_value") else None for a in axes]
    dims: list[Dim] = [
        (axis.dim_param or None) if side in (None, ANY) else side for axis, side in zip(axes, given, strict=True)
    ]
    numbers = [d for d in dims if isinstance(d, int)]
    if any(d < 0 for d in numbers):
        raise ArtifactError(f"{called} claims an axis of {min(numbers)} elements", "export it again")
    return Input(value.name, (FLOATS | INTEGERS)[kind], tuple(dims))


def _bind(one: Input, shape: tuple[int, ...], symbols: dict[str, int], name: str) -> None:
    """Check a given shape against the declared one, and note the lengths of its named axes."""
    fits = len(shape) == len(one.dims)
    for dim, side in zip(one.dims, shape, strict=False):
        fits &= side == (symbols.setdefault(dim, side) if isinstance(dim, str) else side if dim is None else dim)
    if not fits:
        said = "x".join(map(str, shape))
        known = {s: n for s, n in symbols.items() if s in one.dims}
        raise ArtifactError(
            f"{name}: --shape {clip(one.name)}={said} does not fit {_written(one)}, which the file declares",
            "numbers stay as they are, equal names have equal lengths"
            + (f" ({clip(', '.join(f'{s} is {n}' for s, n in known.items()))})" if known else ""),
        )


def _static(one: Input, symbols: dict[str, int]) -> tuple[int, ...] | None:
    sides = [symbols.get(d) if isinstance(d, str) else d for d in one.dims]
    return None if None in sides else tuple(s for s in sides if s is not None)


def _proposal(one: Input, symbols: dict[str, int], batch: int, resolution: int | None) -> str:
    """Write a shape that fits the declared one and is probably sensible."""
    sides = []
    for axis, dim in enumerate(one.dims):
        if isinstance(dim, int):
            guess = dim
        elif axis == 0:
            guess = batch
        elif len(one.dims) == 4:
            channels = axis == 1 and not isinstance(one.dims[3], int)
            guess = 3 if channels else resolution or IMAGE_SIDE
        else:
            guess = SEQUENCE
        sides.append(symbols.get(dim, guess) if isinstance(dim, str) else guess)
    return "x".join(map(str, sides))


def _written(one: Input) -> str:
    return "x".join(clip(str(d), 30) if d is not None else "?" for d in one.dims) or "a scalar"
