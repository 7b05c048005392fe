"""From a model to an artifact: in a process of its own, once, kept in the cache.

The parent never imports PyTorch or onnx: it computes the key, and only when the cache has no such artifact starts
`bench.export.child`, which writes into a draft folder that becomes the artifact by one rename.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.artifact.artifact import Artifact, load
from bench.base import cache
from bench.base.child import ChildFailed, ask
from bench.base.errors import ArtifactError, MissingExtra, OutOfMemory, clip
from bench.export.key import key_of, recipe
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
    folder = cache.folder("artifacts")
    final = folder / key_of(made_from)
    found = _whole(final)
    if found is not None:
        return found
    if network.model.kind != "onnx":
        for module in ("torch", "onnxscript"):
            if find_spec(module) is None:
                raise MissingExtra(f"{module}, which builds and exports {network.model.canonical},", "zoo")
    with cache.locked(folder / f".{final.name}.lock"):
        found = _whole(final)  # another process may have made it while this one waited
        if found is not None:
            return found
        on_export()
        with cache.whole_folder(final) as draft:
            _export(made_from, draft)
    return load(final)


def _whole(final: Path) -> Artifact | None:
    if not final.exists():
        return None
    try:
        return load(final)
    except ArtifactError:
        # Damaged since it was made (a full disk, a person's ONNX file that changed): make it anew.
        import shutil

        shutil.rmtree(final, ignore_errors=True)
        return None


def _export(made_from: dict[str, Any], draft: Path) -> None:
    name = clip(made_from["model"]["canonical"])
    quiet = {"PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"}
    try:
        ask("bench.export.child:answer", made_from | {"draft": str(draft)}, TIMEOUT_S, environment=quiet)
    except ChildFailed as error:
        log = RuntimeError(error.log)
        if error.told:
            raise error.told from log
        if error.memory:
            hint = "it probably ran out of memory; try a smaller batch"
            raise OutOfMemory(f"exporting {name} was killed", hint) from log
        raise ArtifactError(f"exporting {name} {error.message}", error.hint or "does the model ever return?") from log
