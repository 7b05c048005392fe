"""What an artifact depends on, hashed. Computed without importing PyTorch."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import threading
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import NotRequired, TypedDict

from bench.artifact import reference
from bench.artifact.artifact import FORMAT
from bench.artifact.digest import sha256_of
from bench.base.wire import Unchecked
from bench.plan.case import Network
from bench.plan.shapes import Shapes
from bench.plan.zoo import ModelRef

OPSET = 20

# CPython 3.11 counts the depth of a tree for all threads at once: two that build theirs end in a SystemError.
_PARSING = threading.Lock()


class Recipe(TypedDict):
    """Everything that an artifact depends on; `model` is a `ModelRef`. The process that exports is told the `draft`.

    Where a person gave `data`, its hash; where it lies, `input`, is no part of the key.
    """

    format: int
    model: Unchecked
    path: str
    batch: int
    resolution: int | None
    shapes: Shapes
    seed: int
    opset: int
    source: str
    made_by: dict[str, str]
    input: NotRequired[str]
    data: NotRequired[str]
    draft: NotRequired[str]


def versions(*packages: str) -> dict[str, str]:
    """Return the installed version of each distribution; absent ones are left out."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def recipe(network: Network, seed: int) -> Recipe:
    """Return everything the network's artifact depends on, and nothing else."""
    ref = network.model
    if ref.kind == "onnx":
        made_by = versions("onnxruntime", "onnx")
        file = Path(os.path.abspath(ref.source))  # links are kept: the data may lie beside them
        source, path = sha256_of(file), str(file)
        for carried in dict.fromkeys((reference.beside(file), reference.beside(file.resolve()))):
            if carried.exists():
                source += " " + sha256_of(carried)
    else:
        made_by = versions("torch", "onnxscript", "onnx", "numpy", *(ref.kind,) * (ref.kind in ("timm", "torchvision")))
        source = source_hash(ref.kind, ref.source)
        path = ""
    made: Recipe = {
        "format": FORMAT,
        "model": _model(ref),
        "path": path,
        "batch": network.batch,
        "resolution": network.resolution,
        "shapes": network.shapes,
        "seed": seed,
        "opset": OPSET,
        "source": source,
        "made_by": made_by,
    }
    if network.input is not None:
        made |= {"data": network.input.digest, "input": network.input.path}
    return made


def _model(ref: ModelRef) -> Unchecked:
    """Return what a model is, however its spec was written."""
    return {name: value for name, value in asdict(ref).items() if name != "asked"}


def key_of(recipe: Recipe) -> str:
    """Return the artifact's key: a hash of its recipe."""
    told = {name: value for name, value in recipe.items() if name != "input"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]


def source_hash(kind: str, source: str) -> str:
    """Hash the code that builds a model: its file, and the files beside it that it imports, transitively."""
    exporter = Path(__file__).parent
    folder = Path(str(files("bench.models")))
    built = exporter.parent / "artifact"
    code = [exporter / "child.py", exporter / "own.py", exporter / "given.py", folder / "weights.py"]
    code += [built / "build.py", built / "calling.py"]
    if kind == "zoo":
        code += reachable(folder / f"{source}.py")
    elif kind == "python":
        code += reachable(Path(source.rpartition(":")[0]).resolve())
    digest = hashlib.sha256()
    for path in sorted(set(code)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def reachable(start: Path) -> tuple[Path, ...]:
    """Return `start` and every Python file that it imports from around it, directly or not (rather one too many)."""
    found: set[Path] = set()
    todo = [start]
    while todo:
        path = todo.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        try:
            with _PARSING:
                tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue  # the export says what is wrong with it
        for name in _imported(tree):
            parts = name.split(".")
            # Absolute imports begin at the folder of `start`, relative ones at that of the file, or above it.
            for folder in {start.parent, path.parent, path.parent.parent}:
                for n in range(1, len(parts) + 1):  # a.b runs a/__init__.py, too
                    neighbour = folder.joinpath(*parts[:n])
                    todo += [neighbour.with_suffix(".py"), neighbour / "__init__.py"]
    return tuple(sorted(found))


def _imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names |= {module} | {f"{module}.{alias.name}".lstrip(".") for alias in node.names}
    return names - {""}
