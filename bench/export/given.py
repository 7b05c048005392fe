"""Arrays of the data that a person gives, ``--input``: a ``.npz`` or ``.npy`` file, or a folder of images.

An array is cut to the first samples where it holds more than the batch; nothing is repeated, padded or rounded. Images
are scaled so that the shorter side fits, cut to the middle and, where the network takes floats, normalised as for
ImageNet.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.artifact.artifact import Array
from bench.base.errors import ArtifactError, MissingExtra, UnknownName, clip, first_line
from bench.base.words import counted
from bench.plan.given import ARRAYS, HOW, pictures

LARGEST_BYTES = 2**31
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which networks of images are trained with
GREY = (0.449,), (0.226,)  # their means
BESIDE = ("output_", "meta")  # what a reference of `bench export` holds besides inputs


def is_pictures(path: Path) -> bool:
    """Tell whether the data are images."""
    return path.is_dir() or path.suffix.lower() not in ARRAYS


def arrays(path: Path, names: Sequence[str], required: Sequence[str], what: str) -> dict[str, Array]:
    """Read the arrays of a file by name of input, in the order of `names`, which are those that a network may take.

    A single array is for the only input that must be given, whatever it is called; `input_0`, `input_1` are for the
    first and the second, as in ``net.reference.npz``.

    Raises:
        ArtifactError: it cannot be read, or an input is missing.
        UnknownName: it holds an input that the network has not.
    """
    found = _read(path)
    if not set(found) <= set(names) and all(key == f"input_{i}" for i, key in enumerate(found)):
        found = dict(zip(names, found.values(), strict=False))
    elif len(found) == 1 and len(required) <= 1 and not set(found) <= set(names):
        found = {(required or names)[0]: next(iter(found.values()))}
    if "" in found:  # a .npy file holds one array without a name
        raise ArtifactError(
            f"{clip(path.name)} is one array, and {what} takes {clip(', '.join(required))}",
            "give a .npz file with an array for each",
        )
    for key in found:
        if key not in names:
            raise UnknownName(f"input of {what}", key, [clip(name) for name in names])
    missing = [name for name in required if name not in found]
    if missing:
        has = ", ".join(map(clip, found)) or "nothing"
        raise ArtifactError(
            f"{clip(path.name)} has no {clip(', '.join(missing))}, which {what} takes", f"it has {has}; name its arrays"
        )
    return {name: found[name] for name in names if name in found}


def cut(found: Mapping[str, Array], batch: int) -> dict[str, Array]:
    """Return the first samples of data that hold more than the batch.

    Samples lie along the first axis of the first array that is no vector, and of all that are as long as that one.

    Raises:
        ArtifactError: there are fewer.
    """
    there = next((array.shape[0] for array in found.values() if array.ndim > 1), batch)
    if there < batch:
        raise ArtifactError(
            f"the data has {counted(there, 'sample')}, and the batch is {batch}", "give more, or a smaller --batch"
        )
    return {key: a[:batch] if a.ndim and a.shape[0] == there else a for key, a in found.items()}


def fitted(array: Array, name: str, dtype: str | None, shape: Sequence[int | None] | None) -> Array:
    """Return an array in the type and shape of an input; `shape` has None where an axis is free.

    Raises:
        ArtifactError: it has other axes, or a type that would have to be rounded.
    """
    called = f"the data for the input {clip(name)}"
    if shape is not None:
        fits = len(shape) == array.ndim and all(w in (None, n) for w, n in zip(shape, array.shape, strict=True))
        if not fits:
            wanted = "x".join("?" if side is None else str(side) for side in shape) or "a scalar"
            has = "x".join(map(str, array.shape)) or "a scalar"
            raise ArtifactError(f"{called} is {has}, and the network takes {wanted}", "save it in that shape")
    if dtype is not None and str(array.dtype) != dtype:
        converted = array.astype(dtype)
        same_kind = array.dtype.kind == converted.dtype.kind or {array.dtype.kind, converted.dtype.kind} <= set("iub")
        if not same_kind or (array.dtype.kind in "iub" and not np.array_equal(converted, array)):
            raise ArtifactError(f"{called} is {array.dtype}, and the network takes {dtype}", f"save it as {dtype}")
        array = converted
    return np.asarray(array, order="C")


def doubt(found: Mapping[str, Array]) -> str:
    """Say, as a hint, what of a person's data may be why a network fails on it, by name of input."""
    told = []
    for name, array in found.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            told.append(f"{clip(name)} has NaN or infinity")
        elif array.size and not array.any():
            told.append(f"{clip(name)} is 0 throughout")
        elif array.size and array.dtype.kind in "iu" and not 0 <= array.min() <= array.max() <= 1:
            ends = f"{array.min()} to {array.max()}"
            told.append(f"{clip(name)} goes from {ends}, and an id must be from 0 to below the rows of its table")
    return "the given data may be what is wrong" + (f": {'; '.join(told[:3])}" if told else "")


def images(path: Path, shape: Sequence[int], dtype: str, what: str) -> Array:
    """Read the first images of a folder (or one picture) into an input of `shape`: ``[N, C, H, W]`` or with C last.

    Raises:
        ArtifactError: there are too few, one does not read, or the input is no image.
        MissingExtra: Pillow is not installed.
    """
    if len(shape) != 4 or not {1, 3} & {shape[1], shape[3]}:
        raise ArtifactError(f"{what} takes no images: its input is {'x'.join(map(str, shape))}", "give a .npz file")
    last = shape[1] not in (1, 3)
    channels, height, width = (shape[3], shape[1], shape[2]) if last else shape[1:]
    files = pictures(path)
    if len(files) < shape[0]:
        raise ArtifactError(
            f"{clip(path.name)} has {counted(len(files), 'image')}, and the batch is {shape[0]}", "a smaller --batch"
        )
    found = np.stack([_picture(file, channels, height, width) for file in files[: shape[0]]])
    if dtype != "uint8":
        mean, std = (np.array(told[:channels], np.float32) for told in ((MEAN, STD) if channels == 3 else GREY))
        found = (found / np.float32(255) - mean) / std
    return np.ascontiguousarray(found if last else found.transpose(0, 3, 1, 2), dtype)


def _picture(file: Path, channels: int, height: int, width: int) -> Array:
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise MissingExtra("Pillow, which reads images,", "images") from error
    try:
        with Image.open(file) as opened:
            fitting = ImageOps.fit(opened.convert("RGB" if channels == 3 else "L"), (width, height))
            return np.asarray(fitting).reshape(height, width, channels)
    except Exception as error:  # a file can be anything
        raise ArtifactError(
            f"{clip(file.name)} is no image that can be read: {first_line(error)}", "remove it"
        ) from error


def _read(path: Path) -> dict[str, Array]:
    try:
        if path.suffix.lower() == ".npy":
            return _checked({"": np.load(path, allow_pickle=False)}, path)
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST_BYTES:
                raise ArtifactError(f"{clip(path.name)} holds more than 2 GiB", "give less data: one batch is taken")
        with np.load(path, allow_pickle=False) as data:
            return _checked({key: data[key] for key in data.files if not key.startswith(BESIDE)}, path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise ArtifactError(f"{clip(path.name)} holds no arrays that can be read: {first_line(error)}", HOW) from error


def _checked(found: Mapping[str, Array], path: Path) -> dict[str, Array]:
    for key, array in found.items():
        if array.dtype.kind not in "fiub":
            raise ArtifactError(f"{clip(path.name)}: {clip(key) or 'the array'} is {array.dtype}, no numbers", HOW)
    return dict(found)
