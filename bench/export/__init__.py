"""From a model to an artifact: in a process of its own, once, kept in the cache.

The parent never imports PyTorch or onnx: it computes the key, and only when the cache has no such artifact starts
``python -m bench.export.child``, which writes into a draft folder that becomes the artifact by one rename.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.artifact.artifact import Artifact, load
from bench.base import cache
from bench.base.errors import ArtifactError, BenchError, MissingExtra, OutOfMemory, clip
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
    environment = os.environ | {"PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"}
    name = made_from["model"]["canonical"]
    # -P: a person's bench.py or onnx.py in the current folder must not stand in for ours.
    command = [sys.executable, "-P", "-m", "bench.export.child", str(draft)]
    try:
        child = subprocess.run(
            command,
            input=json.dumps(made_from),
            capture_output=True,
            text=True,
            env=environment,
            errors="replace",
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(
            f"exporting {clip(name)} took more than {TIMEOUT_S // 60} minutes and was ended",
            "does the model ever return?",
        ) from error
    if child.returncode == 0 and draft.joinpath("artifact.json").exists():
        return
    if child.returncode in (-9, 137):
        raise OutOfMemory(f"exporting {clip(name)} was killed", "it probably ran out of memory; try a smaller batch")
    died = f"died of {signal.Signals(-child.returncode).name}" if child.returncode < 0 else "failed"
    raise _told(child.stdout) or ArtifactError(
        f"exporting {clip(name)} {died}: {_last_line(child.stderr)}", "run again with --debug for the whole story"
    ) from RuntimeError(child.stderr[-8000:])


def _told(stdout: str) -> BenchError | None:
    """Return the error that the child told in its last line, if it did."""
    try:
        said = json.loads(stdout.strip().splitlines()[-1])
        return ArtifactError(said["error"], said["hint"])
    except (IndexError, ValueError, KeyError, TypeError):
        return None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return clip(lines[-1], 300) if lines else "the process died without a word"
