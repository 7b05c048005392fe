"""From a model to an artifact: in a process of its own, once, kept in the cache.

The parent never imports PyTorch or onnx: it computes the key, and only when the cache has no such artifact starts
`bench.export.child`, which writes into a draft folder that becomes the artifact by one rename.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bench.artifact.artifact import Artifact, made
from bench.base import cache
from bench.base.child import ChildFailed, ask
from bench.base.errors import ArtifactError, MissingExtra, clip
from bench.export.key import Recipe, key_of, recipe
from bench.plan.case import Network

TIMEOUT_S = 120.0
# PyTorch's exporter takes minutes for a very large model; a file is read, and run once.
LONGER = 15
LATE = "does the model ever return? give a larger --timeout if it is that slow"


def ensure(
    network: Network,
    seed: int = 0,
    on_export: Callable[[], None] = lambda: None,
    timeout_s: float = TIMEOUT_S,
    counting: bool = False,
) -> Artifact:
    """Return the network's artifact, exported now if the cache does not have it.

    `on_export` is called before an export starts. Reading a file may take `timeout_s`, an export by PyTorch `LONGER`
    times that. With `counting`, numbers that would spoil a measurement are no obstacle. Safe to call from many
    processes at once: one exports, the others wait for it.

    Raises:
        ArtifactError: the model cannot be exported or read, or its numbers are unhealthy.
        MissingExtra: PyTorch or its exporter is needed and not installed.
    """
    try:
        made_from = recipe(network, seed)
    except OSError as error:
        raise ArtifactError(f"{error.filename} cannot be read: {error.strerror}", "check the path") from error
    limit_s = timeout_s * (1 if network.model.kind == "onnx" else LONGER)

    def begin() -> None:
        for module in ("torch", "onnxscript") if network.model.kind != "onnx" else ():
            if find_spec(module) is None:
                raise MissingExtra(f"{module}, which exports what is no ONNX file,", "zoo")
        on_export()

    make = partial(_export, made_from, timeout_s=limit_s)
    artifact = made(cache.folder("artifacts") / key_of(made_from), make, begin)
    if artifact.complaint and not counting:
        data = "check the data; else " if network.input is not None else ""
        raise ArtifactError(
            artifact.complaint,
            f"{data}subnormal or non-finite values change the speed; "
            "add a normalisation, or another initialisation or seed",
        )
    return artifact


def lay_weights(artifact: Artifact) -> None:
    """Lay all weights of a module beside its artifact, for who is to load it.

    Raises:
        ArtifactError: the module cannot be built any more.
        OutputError: there is no room for them.
    """
    if artifact.kind == "onnx" or artifact.converted or artifact.weights.exists():
        return
    with cache.with_room(Path(artifact.folder)):
        try:
            ask("bench.export.child:lay", {"artifact": artifact.folder}, TIMEOUT_S * LONGER)
        except ChildFailed as error:
            log = RuntimeError(error.log)
            if error.told:
                raise error.told from log
            raise ArtifactError(f"the weights of {clip(artifact.model)} {error.message}", error.hint) from log


def _export(made_from: Recipe, draft: Path, timeout_s: float) -> None:
    name = clip(made_from["model"]["canonical"])
    quiet = {"PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"}
    try:
        ask("bench.export.child:answer", {**made_from, "draft": str(draft)}, timeout_s, environment=quiet)
    except ChildFailed as failed:
        failed.hint += "; try a smaller batch" if failed.memory else ""
        raise failed.error(f"exporting {name}", ArtifactError, LATE) from RuntimeError(failed.log)
