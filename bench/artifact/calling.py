"""How a module is called that takes more than one image, or returns more than one tensor.

Runtimes and converters know one form: tensors in, by position, and a tuple of tensors out. `Flat` gives it to any
module. A network that has this form already (one image in, one tensor out) is never wrapped, so that its ONNX file is
what it always was.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bench.base.errors import ArtifactError, clip


class NoTensor(TypeError):
    """A module returned what no runtime can."""


Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Call:
    """What a module is given: `names` of tensors in order, of which the first `leading` go by position, the others by
    keyword, and `constants` beside them.
    """

    names: tuple[str, ...]
    leading: int = 0
    constants: dict[str, Scalar] = field(default_factory=dict)


class Flat(nn.Module):  # type: ignore[misc]
    """A module that takes tensors by position and returns a tuple of tensors."""

    def __init__(self, module: nn.Module, call: Call) -> None:
        super().__init__()
        self.module = module
        self._call = call

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Call the module as it wants to be called."""
        given = self._call.leading
        named = dict(zip(self._call.names[given:], tensors[given:], strict=True))
        return tuple(tensor for _, tensor in leaves(self.module(*tensors[:given], **named, **self._call.constants)))


def leaves(result: object, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield every tensor that a module returned, with a name: of a tensor, tuples, lists, mappings and dataclasses.

    Numbers and None beside tensors are passed over.

    Raises:
        NoTensor: something else was returned.
    """
    if isinstance(result, Tensor):
        yield name, result
        return
    parts: Sequence[tuple[object, object]]
    if isinstance(result, Mapping):
        parts = list(result.items())
    elif dataclasses.is_dataclass(result) and not isinstance(result, type):
        parts = [(one.name, getattr(result, one.name)) for one in dataclasses.fields(result)]
    elif isinstance(result, (tuple, list)):
        keys = getattr(result, "_fields", range(len(result)))
        parts = list(zip(keys, result, strict=True))
    elif result is None or isinstance(result, (bool, int, float, str)):
        return
    else:
        what = f"{type(result).__name__} as {clip(name)}" if name else type(result).__name__
        raise NoTensor(f"returns {what}, which is no tensor and holds none")
    for key, part in parts:
        yield from leaves(part, f"{name}_{key}" if name else str(key))


def output_names(result: object, taken: Sequence[str]) -> list[str]:
    """Name the tensors of a result, no two alike and none like those `taken`: ONNX has one space of names."""
    found: list[str] = []
    for name, _ in leaves(result):
        called = name if name and not name[0].isdigit() else f"output_{name}" if name else "output"
        while called in (*taken, *found):
            called += "_"
        found.append(called)
    return found


def takes(module: nn.Module) -> list[inspect.Parameter]:
    """Return the parameters of a module's forward; none where nothing is known of it."""
    try:
        return list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):  # of a compiled or scripted module
        return []


def required(module: nn.Module) -> list[str]:
    """Return the names of the inputs that a module must be given."""
    return [
        p.name for p in takes(module) if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]


def described(module: nn.Module) -> str:
    """Say what a module's forward takes."""
    must = required(module)
    may = [p.name for p in takes(module) if p.name not in must and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    optional = f" (and perhaps {clip(', '.join(may), 120)})" if may else ""
    return f"its forward takes {clip(', '.join(must), 120) or 'nothing that it must have'}{optional}"


def bind(
    module: nn.Module, args: Sequence[object], kwargs: Mapping[str, object], name: str
) -> tuple[Call, list[Tensor]]:
    """Return how a module is called with these arguments, and the tensors among them, in order.

    Raises:
        ArtifactError: they do not fit its forward, or one is neither a tensor nor a plain value.
    """
    try:
        bound = inspect.signature(module.forward).bind(*args, **kwargs).arguments
    except TypeError as error:
        raise ArtifactError(f"{name}: the example inputs do not fit: {error}", described(module)) from error
    leading: dict[str, Tensor] = {}
    named: dict[str, Tensor] = {}
    constants: dict[str, Scalar] = {}
    kinds = {p.name: p.kind for p in takes(module)}
    for key, value in bound.items():
        kind = kinds[key]
        if kind is inspect.Parameter.VAR_POSITIONAL:
            leading |= {f"{key}_{i}": _tensor(one, f"{key}[{i}]", name) for i, one in enumerate(value)}
        elif kind is inspect.Parameter.VAR_KEYWORD:
            named |= {k: _tensor(one, k, name) for k, one in value.items()}
        elif value is None or isinstance(value, (bool, int, float, str)):
            constants[key] = value
        elif kind is inspect.Parameter.POSITIONAL_ONLY:
            leading[key] = _tensor(value, key, name)
        else:
            named[key] = _tensor(value, key, name)
    if any(k is inspect.Parameter.VAR_POSITIONAL for k in kinds.values()) and leading:
        # What stands before *args can only go by position, too.
        leading, named = (
            {k: v for k, v in named.items() if k not in kwargs} | leading,
            {k: v for k, v in named.items() if k in kwargs},
        )
    tensors = leading | named
    if not tensors:
        raise ArtifactError(f"{name}: the example inputs hold no tensor", described(module))
    return Call(tuple(tensors), len(leading), constants), list(tensors.values())


def _tensor(value: Any, key: str, name: str) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach()
    if type(value).__module__ == "numpy" and hasattr(value, "dtype"):
        return torch.from_numpy(value)
    raise ArtifactError(
        f"{name}: the example input {clip(key)} is a {type(value).__name__}",
        "tensors, arrays, numbers and None are taken",
    )
