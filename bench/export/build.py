"""Builds the ``nn.Module`` of a checked model spec: of the zoo, a Python file, timm or torchvision.

Runs where PyTorch is: in the export process, and in the worker of the torch backend.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from bench.errors import ArtifactError, MissingExtra, UnknownName, clip


def build_module(kind: str, source: str, params: dict[str, Any]) -> tuple[Any, int | None]:
    """Return the module in evaluation mode, and its own input resolution where it names one.

    Raises:
        ArtifactError: it cannot be built; the message says why in one line.
    """
    try:
        module, resolution = BUILDERS[kind](source, params)
    except (ArtifactError, MissingExtra, UnknownName):
        raise
    except Exception as error:  # a person's file can raise anything
        raise ArtifactError(
            f"building {source} failed: {type(error).__name__}: {clip(str(error), 200)}",
            "call it in Python first: it must return an nn.Module",
        ) from error
    if not hasattr(module, "state_dict"):
        raise ArtifactError(f"{source} returned {type(module).__name__}, not an nn.Module", "return an nn.Module")
    return module.eval(), resolution


def _zoo(source: str, params: dict[str, Any]) -> tuple[Any, int | None]:
    return importlib.import_module(f"bench.models.{source}").build(**params), None


def _python(source: str, params: dict[str, Any]) -> tuple[Any, int | None]:
    path, _, name = source.rpartition(":")
    file = Path(path).resolve()
    sys.path.insert(0, str(file.parent))  # so that it finds its neighbours
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ArtifactError(f"{path} is not a Python file", "write file.py:function")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    factory = getattr(module, name, None)
    if not callable(factory):
        functions = [n for n in vars(module) if callable(getattr(module, n)) and not n.startswith("_")]
        raise UnknownName(f"function in {clip(path)}", name, functions)
    return factory(**{k: _literal(v) for k, v in params.items()}), getattr(factory, "resolution", None)


def _timm(source: str, params: dict[str, Any]) -> tuple[Any, int | None]:
    timm = _library("timm")
    if not timm.is_model(source):
        raise UnknownName("network in timm", source, timm.list_models())
    module = timm.create_model(source, pretrained=False, **{k: _literal(v) for k, v in params.items()})
    size = getattr(module, "default_cfg", {}).get("input_size")
    return module, size[-1] if size else None


def _torchvision(source: str, params: dict[str, Any]) -> tuple[Any, int | None]:
    models = _library("torchvision.models")
    if source not in models.list_models():
        raise UnknownName("network in torchvision", source, models.list_models())
    return models.get_model(source, weights=None, **{k: _literal(v) for k, v in params.items()}), None


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ArtifactError(f"{package} cannot be imported: {error}", f"pip install {package}") from error


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False}.get(text, text)


BUILDERS = {"zoo": _zoo, "python": _python, "timm": _timm, "torchvision": _torchvision}
