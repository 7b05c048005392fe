"""The grammar of cases: ``MODEL[@BACKEND][@key=value]...``, in every command.

::

    shufflenetv2                                  a network, as `bench.plan.spec` has it
    shufflenetv2@openvino:precision=bf16          on a backend
    net.onnx@onnxruntime@threads=2@pace=33ms      with settings: batch, resolution, shape, threads, pace
    job@2/net.onnx@threads=2                      an @ in a path is part of the path

The keys are the fields of `Network` and `Settings`, so that a setting that is added there can be written here. The text
is split from the right, and only where a known name follows the sign.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields
from functools import cache
from types import UnionType
from typing import Any, get_args, get_type_hints

from bench.base.errors import SpecError, UnknownName, clip
from bench.plan.case import Network, Settings
from bench.plan.option import key_of

_PATHS = (".onnx", ".py")
Given = dict[str, Any]  # values by the fields of `Network` and `Settings`, which have types of their own


@dataclass(frozen=True, slots=True)
class Option:
    """A key of the grammar: the field that it sets (and the column of a row), and whether of the network."""

    key: str
    name: str
    kind: type
    default: object
    of_network: bool
    special: Callable[[str], object] | None

    def read(self, text: str) -> object:
        """Return the value that a text gives.

        Raises:
            SpecError, ParameterError, UsageError: it gives none.
        """
        try:
            return self.special(text) if self.special else self.kind(text)
        except ValueError:
            wrong = f"{self.key}={clip(text)}"
            raise SpecError(f"{wrong!r} is not {self.key}=NUMBER", "write e.g. @threads=2") from None


@cache
def options() -> dict[str, Option]:
    """Return every key of the grammar, in order."""
    found = {}
    for part in (Settings, Network):
        hints = get_type_hints(part)
        for one in fields(part):
            if one.name == "model":
                continue
            hint = hints[one.name]
            kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
            key = key_of(one)
            found[key] = Option(key, one.name, kinds[0], one.default, part is Network, one.metadata.get("read"))
    return found


@dataclass(frozen=True, slots=True)
class CaseText:
    """What a text says of a case: specs of model and backend (empty: it names none), and `given` values by field."""

    model: str
    backend: str = ""
    given: Given = field(default_factory=dict)

    def of(self, network: bool) -> Given:
        """Return the values that are of the network, or those that are not."""
        names = {option.name for option in options().values() if option.of_network is network}
        return {name: value for name, value in self.given.items() if name in names}


def parse(text: str, backends: Collection[str] | None = None) -> CaseText:
    """Read a case; nothing is looked up.

    Args:
        text: what a person wrote.
        backends: names that a backend may have; None where any may be one, for rows that come from elsewhere.

    Raises:
        UnknownName: what follows an @ is no backend and no key, and no part of a path.
        SpecError, ParameterError, UsageError: a value is none, or something is said twice.
    """
    rest, backend = text.strip(), ""
    values: Given = {}
    at = rest.rfind("@")
    while at > 0:
        part = rest[at + 1 :]
        option = _option(part)
        if option is not None:
            value: Any = option.read(part.partition("=")[2])
            if option.name == "shapes":
                value = tuple(sorted((*values.pop(option.name, ()), *value)))
            if option.name in values:
                raise SpecError(f"{clip(text)!r} gives {option.key} twice", "keep one of the two")
            values[option.name] = value
        elif not backend and _is_backend(part, backends):
            backend = part
        elif "/" in part:  # of a path: look on to the left
            at = rest.rfind("@", 0, at)
            continue
        else:
            break
        rest = rest[:at]
        at = rest.rfind("@")
    _check(text, rest, backends)
    order = [option.name for option in options().values()]
    return CaseText(rest, backend, dict(sorted(values.items(), key=lambda item: order.index(item[0]))))


def _option(part: str) -> Option | None:
    key, equals, value = part.partition("=")
    option = options().get(key)
    # job@threads=2/net.onnx is a path, however odd.
    anything = option is not None and option.name in ("shapes", "input")  # names of inputs, and paths
    return option if option is not None and equals and ("/" not in value or anything) else None


def _is_backend(part: str, backends: Collection[str] | None) -> bool:
    head, colon, _ = part.partition(":")
    if backends is not None:
        return head in backends
    return "/" not in head and (bool(colon) or not head.endswith(_PATHS))


def _check(text: str, model: str, backends: Collection[str] | None) -> None:
    """Say what is wrong with an @ that was left in the model's name, unless it is in a path."""
    _, sign, last = model.rpartition("@")
    path = model.partition(".py:")[0] + ".py" if ".py:" in model else model
    if not sign or "/" in last or last.endswith(".onnx") or ".py:" in last or os.path.exists(path):
        return
    key, equals, _ = last.partition("=")
    if equals and ":" not in key:
        raise UnknownName(f"setting of a case (in {clip(text)})", key, options())
    raise UnknownName("backend", last.partition(":")[0], backends or (), "bench list backends")
