"""The inputs of a network in PyTorch: one batch of images, or whatever its file, a person's shapes or data say.

In this order: data (``--input``), shapes (``--shape``), example inputs that the module, its factory or its file name
(`example_inputs`), the `dummy_inputs` of Hugging Face's models; else an image, if forward takes one thing.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench.artifact.calling import Call, Flat, bind, described, required, takes
from bench.base.errors import ArtifactError, BenchError, UnknownName, clip, first_line
from bench.export import given
from bench.plan import shapes as shape_texts
from bench.plan.shapes import LONGEST_AXIS

if TYPE_CHECKING:
    from bench.artifact.build import Built
    from bench.export.key import Recipe

IMAGE_SIDE = 224
FEW = 2  # an integer that is no index of a table is drawn from 0 and 1, which are in every range


@dataclass
class Inputs:
    """How a module is called, and with what.

    `plain` is one tensor by position; `noise` an image that was drawn; `drawn` says that integers were, `given` that
    all of it is a person's data.
    """

    call: Call
    tensors: list[Tensor]
    plain: bool = False
    noise: bool = False
    drawn: bool = False
    given: bool = False

    @property
    def doubt(self) -> str:
        """What of a person's data may be wrong, as a hint; nothing where the inputs are not theirs."""
        named = zip(self.call.names, self.tensors, strict=False)
        return given.doubt({name: x.numpy() for name, x in named}) if self.given else ""

    def module(self, own: nn.Module) -> nn.Module:
        """Return the module as runtimes take it."""
        return own if self.plain else Flat(own, self.call)


def find(built: Built, recipe: Recipe) -> Inputs:
    """Return a module's inputs.

    Raises:
        ArtifactError: nothing says what it takes, or what was said does not fit.
        UnknownName: a shape or an array is for an input that it has not.
    """
    module, name = built.module, clip(recipe["model"]["canonical"])
    batch, side = recipe["batch"], recipe["resolution"] or built.resolution or IMAGE_SIDE
    data, told = recipe.get("input"), recipe["shapes"]
    if data and given.is_pictures(Path(data)):
        images = given.images(Path(data), (batch, 3, side, side), "float32", name)
        return replace(_image(module, torch.from_numpy(images), name), given=True)
    if data:
        return replace(_of_data(module, Path(data), batch, recipe["model"]["kind"], side, name), given=True)
    if told:
        return _of_shapes(module, told, recipe["seed"], name)
    example = built.example
    if example is None and "input_ids" in required(module):  # of Hugging Face's models
        example = getattr(module, "dummy_inputs", None)
    if example is not None:
        return _of_example(module, example, batch, recipe, name)
    if takes(module) and len(required(module)) > 1:
        raise ArtifactError(
            f"{name}: {described(module)}, and nothing says of which shape",
            f"give {proposal(module)}, or example_inputs in its file",
        )
    generator = torch.Generator().manual_seed(recipe["seed"] + 2)
    return _image(module, torch.randn((batch, 3, side, side), generator=generator), name, noise=True)


def proposal(module: nn.Module) -> str:
    """Write the options that would say what a module takes, as far as names tell."""
    texts = []
    for name in required(module) or ["NAME"]:
        sequence = any(part in name for part in ("id", "mask", "token", "position"))
        texts.append(f"--shape {name}={'1x16:int64' if sequence else '1x3x224x224'}")
    return " ".join(texts)


def _image(module: nn.Module, x: Tensor, name: str, noise: bool = False) -> Inputs:
    call, _ = bind(module, (x,), {}, name) if takes(module) else (Call(("input",), 1), [x])
    return Inputs(call, [x], plain=True, noise=noise)


def _of_data(module: nn.Module, path: Path, batch: int, kind: str, side: int, name: str) -> Inputs:
    known = [p.name for p in takes(module) if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)] or ["input"]
    must = required(module) or known[:1]
    found = given.cut(given.arrays(path, known, must, name), batch)
    image = [batch, 3, side, side] if kind == "zoo" else None
    tensors = {
        key: torch.from_numpy(given.fitted(array, key, "float32" if image else None, image))
        for key, array in found.items()
    }
    if len(tensors) == 1 and next(iter(tensors.values())).ndim == 4 and len(must) == 1:
        x = next(iter(tensors.values()))
        if x.is_floating_point():
            return _image(module, x, name)
    call, ordered = bind(module, (), tensors, name)
    return Inputs(call, ordered)


def _of_shapes(module: nn.Module, told: shape_texts.Shapes, seed: int, name: str) -> Inputs:
    sides, types = shape_texts.sides(told), shape_texts.types(told)
    known, open_ended = takes(module), any(p.kind is p.VAR_KEYWORD for p in takes(module))
    for key in sides:
        if known and key not in [p.name for p in known] and not open_ended:
            raise UnknownName(f"input of {name}", key, [p.name for p in known])
    missing = [key for key in required(module) if key not in sides]
    if missing:
        raise ArtifactError(
            f"{name}: --shape says nothing of {clip(', '.join(missing))}: {described(module)}",
            f"give {proposal(module)}, or example_inputs in its file",
        )
    bytes_ = sum(8 * _product(dims) for dims in sides.values())
    if bytes_ > LONGEST_AXIS:
        raise ArtifactError(
            f"the inputs of {name} take {bytes_ / 2**30:.3g} GiB", "2 GiB is the limit; check the shapes"
        )
    drawn = {key: _draw(dims, types.get(key, "float32"), seed + i) for i, (key, dims) in enumerate(sides.items())}
    if len(drawn) == 1 and len(next(iter(sides.values()))) == 4 and not types and len(required(module)) == 1:
        return _image(module, next(iter(drawn.values())), name, noise=True)
    call, tensors = bind(module, (), {p.name: drawn[p.name] for p in known if p.name in drawn} | drawn, name)
    bounds = vocabulary(Flat(module, call), tensors, name)
    tensors = [
        _draw(tuple(x.shape), _type(x), seed + i, bounds.get(i, FEW)) if not x.is_floating_point() else x
        for i, x in enumerate(tensors)
    ]
    return Inputs(call, tensors, drawn=any(not x.is_floating_point() for x in tensors))


def _of_example(module: nn.Module, example: Any, batch: int, recipe: Recipe, name: str) -> Inputs:
    if callable(example):
        offered = {"batch": batch, "resolution": recipe["resolution"], "seed": recipe["seed"]}
        try:
            asked = inspect.signature(example).parameters
            example = example(**{key: value for key, value in offered.items() if key in asked and value is not None})
            batch = 1 if "batch" in asked else batch
        except Exception as error:  # a person's function can raise anything
            raise ArtifactError(
                f"{name}: example_inputs fails: {first_line(error)}", "call it in Python first"
            ) from error
    args: Sequence[object] = ()
    kwargs: Mapping[str, object] = {}
    if isinstance(example, Mapping):
        kwargs = example
    elif isinstance(example, (tuple, list)) and len(example) == 2 and isinstance(example[1], Mapping):
        args, kwargs = tuple(example[0]), example[1]
    else:
        args = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    call, tensors = bind(module, args, kwargs, name)
    return Inputs(call, [x.contiguous() for x in _batched(tensors, batch)])


def _batched(tensors: list[Tensor], batch: int) -> list[Tensor]:
    """Give the inputs another batch: samples are repeated, or left out. A batch of 1 is what nobody asked for."""
    first = next((x.shape[0] for x in tensors if x.ndim), 0)
    if batch in (1, first) or not first:
        return tensors
    index = torch.arange(batch) % first
    return [x[index] if x.ndim and x.shape[0] == first else x for x in tensors]


class _Tables(TorchDispatchMode):  # type: ignore[misc]
    """Watches which input is an index of which table."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self._places = {x.data_ptr(): i for i, x in enumerate(inputs) if x.numel()}
        self.rows: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten.embedding.default:
            place = self._places.get(args[1].data_ptr())
            if place is not None:
                self.rows[place] = min(int(args[0].shape[0]), self.rows.get(place, LONGEST_AXIS))
        return func(*args, **(kwargs or {}))


def vocabulary(module: nn.Module, tensors: Sequence[Tensor], name: str) -> dict[int, int]:
    """Return how many rows the tables have that inputs are indices of, by number of input: run once, with 0 and 1."""
    if all(x.is_floating_point() for x in tensors):
        return {}
    watcher = _Tables(tensors)
    with watcher:
        run(module, tensors, name)
    return watcher.rows


def run(module: nn.Module, tensors: Sequence[Tensor], name: str) -> Any:
    """Run a module.

    Raises:
        ArtifactError: it does not run on these inputs; the hint says what it takes.
    """
    try:
        with torch.no_grad():
            return module(*tensors)
    except BenchError:
        raise
    except Exception as error:  # a person's network can raise anything
        raise failed(module, tensors, name, error) from error


def failed(module: nn.Module, tensors: Sequence[Tensor], name: str, error: Exception, doubt: str = "") -> ArtifactError:
    """Say that a module does not run on its inputs, and what it takes; or what is in `doubt` of a person's data."""
    own = module.module if isinstance(module, Flat) else module
    if len(tensors) == 1 and not isinstance(module, Flat):
        on = f"an input of shape {tuple(tensors[0].shape)}"
    else:
        on = ", ".join(f"{'x'.join(map(str, x.shape)) or 'a scalar'} {_type(x)}" for x in tensors)
    if doubt:
        return ArtifactError(f"{name} does not run on the given data, {clip(on, 200)}: {first_line(error)}", doubt)
    hint = "give it a --resolution and --batch that it takes"
    if takes(own):
        hint += f", or {proposal(own)}, or example_inputs in its file: {described(own)}"
    return ArtifactError(f"{name} does not run on {clip(on, 200)}: {first_line(error)}", clip(hint, 400))


def _draw(dims: tuple[int, ...], dtype: str, seed: int, bound: int = FEW) -> Tensor:
    generator = torch.Generator().manual_seed(seed + 2)
    kind = getattr(torch, dtype)
    if kind.is_floating_point:
        return torch.randn(dims, generator=generator).to(kind)
    most = min(bound, FEW if kind is torch.bool else torch.iinfo(kind).max)
    return torch.randint(0, max(1, most), dims, generator=generator).to(kind)


def _type(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


def _product(dims: Sequence[int]) -> int:
    found = 1
    for side in dims:
        found *= side
    return found
