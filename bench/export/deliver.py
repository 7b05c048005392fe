"""Hands an artifact out: its ONNX file, the data beside it, and the reference that goes with them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from bench.artifact.artifact import Artifact
from bench.artifact.reference import Reference, beside
from bench.base.errors import OutputError, SpecError, clip
from bench.base.files import remedy


def check_output(output: Path, force: bool) -> None:
    """Make sure that the files can be written, before a long export.

    Raises:
        SpecError: `output` is not called ``*.onnx``.
        OutputError: something is there already, and `force` is not set.
    """
    if output.suffix != ".onnx":
        raise SpecError(f"{clip(str(output))} does not end in .onnx", "name it something.onnx")
    _refuse((output, beside(output)), force)


def deliver(artifact: Artifact, output: Path, force: bool) -> list[Path]:
    """Write the artifact's ONNX file to `output`, its external data and its reference beside it; return the paths.

    Raises:
        OutputError: a file is there already and `force` is not set, is the model itself, or cannot be written.
    """
    data = {output.parent / location: artifact.path.parent / location for location in artifact.data}
    # Beside the model that it was made from, a static copy shares the data that is there.
    own = {Path(stamp.path).resolve() for stamp in artifact.stamps}
    sources = {output: artifact.path} | {t: s for t, s in data.items() if t.resolve() not in own}
    npz = beside(output)
    _refuse((*sources, npz), force)
    if output.exists() and output.samefile(artifact.path):
        raise OutputError(f"{clip(str(output))} is the model's own file", "choose another --output")
    if {output, npz} & set(data):
        raise OutputError(f"{clip(output.name)} or its reference is data of the model", "choose another --output")
    inputs, outputs = artifact.reference()
    names = [o.name for o in artifact.outputs]
    reference = Reference(
        inputs, outputs, names, artifact.reference_by, artifact.params, quantization=artifact.quantization
    )
    drafts = {target: target.with_name(f".{target.name}.part") for target in (*sources, npz)}
    folders = _missing(target.parent for target in drafts)
    try:
        for target, source in sources.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, drafts[target])
        reference.save(drafts[npz], sha256=artifact.sha256, model=artifact.model, seed=artifact.seed)
        npz.unlink(missing_ok=True)  # an old reference beside a new model would be a lie, if only for a moment
        for target, draft in drafts.items():
            os.replace(draft, target)
    except OSError as error:
        raise OutputError(
            f"{clip(str(output))} cannot be written: {error.strerror}", remedy(error, "choose another --output")
        ) from error
    finally:
        with suppress(OSError):
            for draft in drafts.values():
                draft.unlink(missing_ok=True)
        for folder in folders:
            with suppress(OSError):  # something is in it, or it was not made
                folder.rmdir()
    return [*sources, npz]


def _missing(folders: Iterable[Path]) -> list[Path]:
    """Return the folders that are to be made, and those on the way to them, the innermost first."""
    there = {path for folder in folders for path in (folder, *folder.parents) if not path.exists()}
    return sorted(there, key=lambda path: len(path.parts), reverse=True)


def _refuse(paths: tuple[Path, ...], force: bool) -> None:
    for path in paths:
        if path.is_dir() or (path.exists() and not force):
            raise OutputError(f"{clip(str(path))} is there already", "choose another --output, or give --force")
