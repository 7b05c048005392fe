"""The converted form of an artifact: made once by the backend's own converter, in a child process, kept in the cache.

A converted artifact is a folder of its own: what the converter wrote, the reference, and ``artifact.json``. So a
transport uploads it as it uploads any artifact, and a device needs no converter. It is addressed by everything that
decides its content: the artifact, the backend's module, the options that its converter looks at, the versions of its
packages, and this program's.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache as remember
from functools import partial
from pathlib import Path

from bench import __version__, backends
from bench.artifact import calibration
from bench.artifact.artifact import Artifact, Converted, load, made
from bench.artifact.reference import Reference
from bench.backends.base import Backend, Options
from bench.base import cache, child
from bench.base.errors import Unsupported
from bench.base.wire import Unchecked
from bench.plan.case import BackendRef

VERSIONS_S = 60.0
REFERENCE = "reference.npz"


def ensure(artifact: Artifact, ref: BackendRef, on_convert: Callable[[], None] = lambda: None) -> Artifact:
    """Return what the backend's `load` is to be given: the artifact, or its converted form, made now if need be.

    `on_convert` is called before a conversion starts. Safe to call from many processes at once: one converts, the
    others wait for it.

    Raises:
        Unsupported: it cannot be converted, or the converter died or took too long.
        MissingExtra: the converter is not installed.
    """
    backend = backends.get(ref.name)
    conversion = backend.converts(ref.options)
    if conversion is None or artifact.converted:
        return artifact
    backends.refuse(backend, artifact)
    if not ref.python:
        backends.require(backend)
    final = cache.folder("converted") / _key(artifact, backend, ref)
    return made(final, partial(_in_child, artifact, ref, conversion.timeout_s), on_convert)


def convert(backend: Backend, artifact: Artifact, options: Options, folder: Path) -> Artifact:
    """Convert in this process and describe the result, which is then an artifact in `folder`.

    Raises:
        Unsupported: it cannot be converted, or nothing was written.
    """
    quantized = backend.prepare(artifact, options, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise Unsupported(f"the converter of {backend.name} wrote nothing", "report it to whoever provides it")
    made = tuple(Converted(str(path.relative_to(folder)), path.stat().st_size) for path in files)
    converted = replace(artifact, folder=str(folder), converted=made)
    if quantized is None:
        shutil.copyfile(Path(artifact.folder, REFERENCE), folder / REFERENCE)
    else:
        names = [info.name for info in artifact.outputs]
        Reference(artifact.reference()[0], quantized.outputs, names, quantized.reference_by).save(folder / REFERENCE)
        converted = replace(
            converted,
            precision="int8",
            computes="int8",
            noise=0.0,
            rounding={},
            reference_by=quantized.reference_by,
            quantization=quantized.quantization,
        )
    converted.save(folder)
    return converted


def _key(artifact: Artifact, backend: Backend, ref: BackendRef) -> str:
    conversion = backend.converts(ref.options)
    assert conversion is not None
    made_from = {
        "artifact": [artifact.sha256, Path(artifact.folder).name],
        "backend": backend.name,
        "converter": _source(type(backend)),
        "options": {name: ref.options[name] for name in sorted(conversion.options)},
        "int8": ref.options.get("precision") == "int8" and calibration.digest(str(ref.options.get("calibration", ""))),
        "versions": _versions(ref.name, ref.python),
        "isoflops": __version__,
        "format": artifact.format,
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:32]


@remember
def _source(cls: type[Backend]) -> str:
    """Hash the module that converts: who changes it wants the change to show."""
    return hashlib.sha256(Path(inspect.getfile(cls)).read_bytes()).hexdigest()


@remember
def _versions(name: str, python: str) -> str:
    """Return the versions that the interpreter has which converts."""
    if not python:
        return json.dumps(backends.get(name).versions(), sort_keys=True)
    try:
        return child.ask(f"{__name__}:tell_versions", {"backend": name}, VERSIONS_S, python).strip()
    except child.ChildFailed as error:
        raise Unsupported(f"{python} does not tell the versions of {name}: {error.message}", error.hint) from error


def _in_child(artifact: Artifact, ref: BackendRef, timeout_s: float, draft: Path) -> None:
    request = {"artifact": artifact.folder, "backend": ref.name, "options": ref.options, "folder": str(draft)}
    try:
        child.ask(f"{__name__}:answer", request, timeout_s, ref.python)
    except child.ChildFailed as failed:
        raise failed.error(f"the converter of {ref.name}", Unsupported) from RuntimeError(failed.log)
    if not (draft / "artifact.json").exists():
        raise Unsupported(f"the converter of {ref.name} left before it was done", "report it to whoever provides it")


def answer(request: Unchecked) -> None:
    """Convert, in the child."""
    backend = backends.get(request["backend"])
    convert(backend, load(Path(request["artifact"])), request["options"], Path(request["folder"]))


def tell_versions(request: Unchecked) -> None:
    """Print the versions of a backend's packages, in the child."""
    print(json.dumps(backends.get(request["backend"]).versions(), sort_keys=True))
