"""Builds the ``nn.Module`` of a checked model spec: of the zoo, a Python file, timm or torchvision.

Runs where PyTorch is: in the export process, in the torch backend's worker, and where a converter takes the module.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.artifact.artifact import CHANGED
from bench.base.errors import ArtifactError, MissingExtra, UnknownName, clip, first_line

if TYPE_CHECKING:
    import torch

    from bench.artifact.artifact import Artifact


class Built(NamedTuple):
    """A module, its own input resolution where it names one, and the example inputs that its file or it names."""

    module: torch.nn.Module
    resolution: int | None = None
    example: Any = None


def build_module(kind: str, source: str, params: Mapping[str, object]) -> Built:
    """Return the module in evaluation mode, with its own input resolution and example inputs where it names them.

    Raises:
        ArtifactError: it cannot be built; the message says why in one line.
    """
    try:
        built = BUILDERS[kind](source, params)
    except (ArtifactError, MissingExtra, UnknownName):
        raise
    except (Exception, SystemExit) as error:  # a person's file can raise anything
        raise ArtifactError(
            f"building {clip(source)} failed: {type(error).__name__}: {first_line(error)}",
            "call it in Python first: it must return an nn.Module",
        ) from error
    if not hasattr(built.module, "state_dict"):
        raise ArtifactError(f"{source} returned {type(built.module).__name__}, not an nn.Module", "return an nn.Module")
    own = getattr(built.module, "example_inputs", None)
    return built._replace(module=built.module.eval(), example=built.example if own is None else own)


def rebuild(artifact: Artifact) -> torch.nn.Module:
    """Return the module that an artifact was exported from, with its weights, in evaluation mode.

    It takes the artifact's inputs by position and returns its outputs: a tensor, or a tuple.

    Raises:
        ArtifactError: it cannot be built.
    """
    import torch

    recipe = json.loads(artifact.source)
    if artifact.weights.exists():  # laid out to be loaded: what loading takes is measured
        module = build_module(artifact.kind, recipe["source"], recipe["params"]).module
        module.load_state_dict(torch.load(artifact.weights, weights_only=True))
    else:
        module = seeded(artifact.kind, recipe["source"], recipe["params"], artifact.seed).module
        changed = torch.load(Path(artifact.folder, CHANGED), weights_only=True)
        module.load_state_dict(module.state_dict() | changed)
    if "call" not in recipe:
        return module
    from bench.artifact.calling import Call, Flat

    told = recipe["call"]
    return Flat(module, Call(tuple(told["names"]), told["leading"], told["constants"])).eval()


def seeded(kind: str, source: str, params: Mapping[str, object], seed: int) -> Built:
    """Return the module with the weights that follow from its seed alone: what an artifact keeps no copy of.

    Raises:
        ArtifactError: it cannot be built.
    """
    import torch

    torch.manual_seed(seed)
    built = build_module(kind, source, params)
    importlib.import_module("bench.models.weights").initialise(built.module, seed)
    return built


def _zoo(source: str, params: Mapping[str, object]) -> Built:
    return Built(importlib.import_module(f"bench.models.{source}").build(**params))


def _python(source: str, params: Mapping[str, object]) -> Built:
    path, _, name = source.rpartition(":")
    file = Path(path).resolve()
    sys.path.insert(0, str(file.parent))  # so that it finds its neighbours
    # A file called torch.py or bench.py must not take the place of what is imported already.
    called = file.stem if file.stem not in sys.modules else f"_{file.stem}_of_{file.parent.name}"
    spec = importlib.util.spec_from_file_location(called, file)
    if spec is None or spec.loader is None:
        raise ArtifactError(f"{path} is not a Python file", "write file.py:function")
    module = importlib.util.module_from_spec(spec)
    sys.modules[called] = module
    spec.loader.exec_module(module)
    factory = getattr(module, name, None)
    if not callable(factory):
        functions = [n for n in vars(module) if callable(getattr(module, n)) and not n.startswith("_")]
        raise UnknownName(f"function in {clip(path)}", name, functions)
    values = {k: _literal(v) for k, v in params.items()}
    _check_call(factory, values, source)
    resolution = getattr(factory, "resolution", None)
    if resolution is not None and (not isinstance(resolution, int) or resolution < 1):
        raise ArtifactError(f"{clip(source)}.resolution is {clip(str(resolution))}", "it is a number of pixels")
    example = getattr(factory, "example_inputs", getattr(module, "example_inputs", None))
    return Built(factory(**values), resolution, example)


def _check_call(factory: Callable[..., object], values: Mapping[str, object], source: str) -> None:
    """Say in a spec's words which arguments a factory lacks, or does not take."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # of some built-in functions nothing is known
        return
    try:
        signature.bind(**values)
    except TypeError as error:
        lacking = [
            p.name
            for p in signature.parameters.values()
            if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in values
        ]
        takes = (
            f"write {clip(source, 300)}:{','.join(f'{n}=VALUE' for n in lacking)}"
            if lacking
            else f"it takes {signature}"
        )
        raise ArtifactError(f"{clip(source)}: {first_line(error)}", clip(takes, 400)) from error


def _timm(source: str, params: Mapping[str, object]) -> Built:
    timm = _library("timm")
    if not timm.is_model(source):
        raise UnknownName("network in timm", source, timm.list_models())
    module = timm.create_model(source, pretrained=False, **{k: _literal(v) for k, v in params.items()})
    size = getattr(module, "default_cfg", {}).get("input_size")
    return Built(module, size[-1] if size else None)


def _torchvision(source: str, params: Mapping[str, object]) -> Built:
    models = _library("torchvision.models")
    if source not in models.list_models():
        raise UnknownName("network in torchvision", source, models.list_models())
    return Built(models.get_model(source, weights=None, **{k: _literal(v) for k, v in params.items()}))


def _library(name: str) -> ModuleType:
    """Import a library; timm imports torchvision, so both may meet its compiled part."""
    package = name.partition(".")[0]
    try:
        try:
            return importlib.import_module(name)
        except RuntimeError:
            _declare_compiled_operators()
            return importlib.import_module(name)
    except RuntimeError as error:
        raise ArtifactError(
            f"{package} cannot be imported: {first_line(error)}", f"reinstall {package} for the torch that is here"
        ) from error
    except ImportError as error:
        raise ArtifactError(f"{package} cannot be imported: {error}", f"pip install {package}") from error


def _declare_compiled_operators() -> None:
    """Declare the operators of torchvision's compiled part, which does not load beside a torch it was not built for.

    Importing torchvision registers shapes for them, so they must exist; no classification network runs them.
    """
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)


def _literal(text: object) -> object:
    try:
        return ast.literal_eval(str(text))
    except (ValueError, SyntaxError):
        return {"true": True, "false": False}.get(str(text), text)


_declared: list[object] = []  # torch forgets a library that nobody holds
BUILDERS = {"zoo": _zoo, "python": _python, "timm": _timm, "torchvision": _torchvision}
