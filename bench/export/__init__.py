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
from bench.base.errors import ArtifactError, MissingExtra, OutOfMemory, clip
from bench.export.key import Recipe, key_of, recipe
from bench.plan.case import Network

# An export of a very large model takes minutes; a model whose loop never ends takes forever.
TIMEOUT_S = 1800


def ensure(network: Network, seed: int = 0, on_export: Callable[[], None] = lambda: None) -> Artifact:
    """Return the network's artifact, exported now if the cache does not have it.

    `on_export` is called before an export starts. Safe to call from many processes at once: one exports, the others
    wait for it.

    Raises:
        ArtifactError: the model cannot be exported or read.
        MissingExtra: PyTorch or its exporter is needed and not installed.
    """
    try:
        made_from = recipe(network, seed)
    except OSError as error:
        raise ArtifactError(f"{error.filename} cannot be read: {error.strerror}", "check the path") from error

    def begin() -> None:
        for module in ("torch", "onnxscript") if network.model.kind != "onnx" else ():
            if find_spec(module) is None:
                raise MissingExtra(f"{module}, which builds and exports {network.model.canonical},", "zoo")
        on_export()

    return made(cache.folder("artifacts") / key_of(made_from), partial(_export, made_from), begin)


def _export(made_from: Recipe, draft: Path) -> None:
    name = clip(made_from["model"]["canonical"])
    quiet = {"PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"}
    try:
        ask("bench.export.child:answer", {**made_from, "draft": str(draft)}, TIMEOUT_S, environment=quiet)
    except ChildFailed as error:
        log = RuntimeError(error.log)
        if error.told:
            raise error.told from log
        if error.memory:
            hint = "it probably ran out of memory; try a smaller batch"
            raise OutOfMemory(f"exporting {name} was killed", hint) from log
        raise ArtifactError(f"exporting {name} {error.message}", error.hint or "does the model ever return?") from log
