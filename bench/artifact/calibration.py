"""What a network is calibrated on when it is quantised: seeded draws, or a person's own inputs in an ``.npz`` file."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench.artifact.artifact import Array, Artifact, TensorInfo
from bench.base.errors import ArtifactError, UsageError, clip
from bench.base.words import counted

DRAWS = 8
LARGEST_BYTES = 2**31
MOST = 1024  # inputs of a file that are used: ranges hardly move after some hundred


def check(path: str) -> None:
    """Raise UsageError where a calibration file cannot be read, before anything is done; an empty path is none."""
    if path:
        with _readable(path), open(path, "rb"):
            pass


def digest(path: str) -> str:
    """Return the SHA-256 of a calibration file; nothing where none is given.

    Raises:
        UsageError: it cannot be read.
    """
    if not path:
        return ""
    with _readable(path):
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def inputs(artifact: Artifact, path: str = "") -> tuple[list[list[Array]], str]:
    """Return inputs of the network, a list of one array per input each, and what they are in a phrase.

    Without a file they are the artifact's own and seeded draws of the same kind (standard normal; integers are the own
    ones, shuffled), which say nothing of accuracy.

    Raises:
        UsageError: the file cannot be read.
        ArtifactError: it is no such file, or does not fit the network.
    """
    if path:
        found = _read(artifact, Path(path))
        return found, f"{counted(len(found), 'input')} of {clip(Path(path).name, 60)}, sha256 {digest(path)[:12]}"
    return _drawn(artifact, artifact.seed, DRAWS - 1), f"{DRAWS} seeded draws"


def fresh(artifact: Artifact, count: int = 3) -> list[list[Array]]:
    """Return inputs that nothing was calibrated on: seeded draws of another stream, and first the artifact's own."""
    return _drawn(artifact, [artifact.seed, DRAWS], count)


def _drawn(artifact: Artifact, seed: int | list[int], count: int) -> list[list[Array]]:
    own, _ = artifact.reference()
    rng = np.random.default_rng(seed)
    return [own, *([_alike(x, rng) for x in own] for _ in range(count))]


def _alike(own: Array, rng: np.random.Generator) -> Array:
    """Draw numbers of the standard normal; integers are ids or a mask: those of `own`, shuffled, are valid ones."""
    if own.dtype.kind == "f":
        return rng.standard_normal(own.shape).astype(own.dtype)
    return rng.permutation(own.ravel()).reshape(own.shape)


def only_fp32(artifact: Artifact) -> None:
    """Raise ArtifactError where weights or an input are floats other than fp32: those are not quantised here."""
    others = [info for info in artifact.inputs if info.dtype.startswith("float") and info.dtype != "float32"]
    if others or artifact.precision != "fp32":
        has = f"the {others[0].dtype} input {clip(others[0].name)}" if others else f"weights in {artifact.precision}"
        raise ArtifactError(
            f"{clip(artifact.model)} has {has}: only fp32 is quantised", "quantise it where it is made, and run that"
        )


@contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"the calibration file {clip(path)} cannot be read: {error.strerror}", "check the path of --calibration"
        ) from error


def _read(artifact: Artifact, path: Path) -> list[list[Array]]:
    called = f"the calibration file {clip(path.name)}"
    names = [info.name for info in artifact.inputs]
    wanted = f"an .npz with an array per input ({', '.join(map(clip, names))}), samples along its first axis"
    check(str(path))
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST_BYTES:
                raise ArtifactError(f"{called} holds more than 2 GiB", "a few hundred inputs are enough")
        with np.load(path, allow_pickle=False) as data:
            held = {name: np.asarray(data[name]) for name in data.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{called} is none that can be read", f"write {wanted}") from error
    if len(names) == 1 and len(held) == 1:
        held = {names[0]: next(iter(held.values()))}
    missing = [name for name in names if name not in held]
    if missing:
        there = ", ".join(map(clip, list(held)[:5])) or "nothing"
        raise ArtifactError(f"{called} has no array {clip(missing[0])}, but {there}", f"write {wanted}")
    columns = [_samples(called, info, held[info.name]) for info in artifact.inputs]
    counts = {len(column) for column in columns}
    if len(counts) > 1:
        raise ArtifactError(f"{called} has {' and '.join(map(str, sorted(counts)))} samples", "give each input as many")
    return [list(row) for row in zip(*(column[:MOST] for column in columns), strict=True)]


def _samples(called: str, info: TensorInfo, data: Array) -> list[Array]:
    """Cut an array into inputs: along a first axis of its own, or along that of the batch."""
    shape = tuple(info.shape)
    shown = "x".join(map(str, shape))
    if data.dtype.kind not in "fiub":
        raise ArtifactError(f"{called} holds no numbers for {clip(info.name)}", f"write {info.dtype} of n x {shown}")
    if data.shape[1:] == shape:
        cut = list(data)
    elif shape and data.ndim == len(shape) and data.shape[1:] == shape[1:] and len(data) >= shape[0]:
        step = shape[0]
        cut = [data[i : i + step] for i in range(0, len(data) - step + 1, step)]
    else:
        given = "x".join(map(str, data.shape)) or "a scalar"
        raise ArtifactError(
            f"{called} has {given} for {clip(info.name)}, which takes {shown}", f"write n x {shown}, n samples"
        )
    if not cut:
        raise ArtifactError(f"{called} has no sample for {clip(info.name)}", f"write n x {shown}, n samples")
    if np.dtype(info.dtype).kind != "f" and data.dtype.kind == "f":
        raise ArtifactError(f"{called} has {data.dtype} for {clip(info.name)}, which takes {info.dtype}", "write ids")
    cut = [np.ascontiguousarray(one, info.dtype) for one in cut]
    if not all(np.isfinite(one).all() for one in cut):
        raise ArtifactError(f"{called} has NaN or infinity for {clip(info.name)}", "no range can be found on those")
    return cut
