"""Whether an object declares what `bench.backends.base` asks of a backend: looked at when a plug-in is loaded."""

from __future__ import annotations

from typing import get_args, get_type_hints

from bench.backends.base import Backend, Capabilities, Conversion
from bench.plan.parameter import Parameter

RESERVED = ("python", "version")  # options of every backend: the interpreter, or the version of its runtime


def complaints(backend: object, name: str) -> list[str]:
    """Return in a few words each what is wrong with a backend that was registered as `name`."""
    if not isinstance(backend, Backend):
        return [f"{type(backend).__name__} is no subclass of bench.backends.base.Backend"]
    texts = ("name", "title", "extra", "wheel")
    found = [f"`{member}` is no text" for member in texts if not isinstance(getattr(backend, member, None), str)]
    if not found and backend.name != name:
        found.append(f"its name is {backend.name!r}, and that of its entry point {name!r}")
    for member in ("modules", "packages"):
        value = getattr(backend, member)
        if not isinstance(value, tuple) or not all(isinstance(text, str) and text for text in value):
            found.append(f"`{member}` is no tuple of texts")
    return found + _parameters(backend.parameters) + _capabilities(backend)


def _parameters(rows: object) -> list[str]:
    if not isinstance(rows, dict) or not all(isinstance(row, Parameter) for row in rows.values()):
        return ["`parameters` is no dict of Parameter (bench.backends.base.parameters makes one)"]
    found = [f"the option {key!r} is called {row.name!r}" for key, row in rows.items() if key != row.name]
    found += [f"the option {key!r} is every backend's own" for key in rows if key in RESERVED]
    for row in rows.values():
        if row.choices and row.default not in row.choices:
            found.append(f"the default of {row.name!r} is not among its choices")
    return found


def _capabilities(backend: Backend) -> list[str]:
    declared = backend.capabilities
    if not isinstance(declared, Capabilities):
        return ["`capabilities` is no bench.backends.base.Capabilities"]
    found = []
    for name, kind in get_type_hints(Capabilities).items():
        value = getattr(declared, name)
        if kind is bool and not isinstance(value, bool):
            found.append(f"capabilities.{name} is neither True nor False")
    takes = get_args(get_type_hints(Capabilities)["takes"])
    if declared.takes not in takes:
        found.append(f"capabilities.takes is none of {', '.join(takes)}")
    own = type(backend).load_probe is not Backend.load_probe
    if declared.probes and not (declared.graph and (own or declared.form == "onnx")):
        found.append("capabilities.probes needs `graph`, and load_probe() or ONNX files that are loaded as they are")
    needed: list[tuple[str, tuple[str, ...]]] = [("kernels", ("kernels", "load_kernel"))] if declared.kernels else []
    if declared.conversion is not None:
        needed.append(("conversion", ("prepare",)))
        if not isinstance(declared.conversion, Conversion):
            return [*found, "capabilities.conversion is no bench.backends.base.Conversion"]
        unknown = set(declared.conversion.options) - set(backend.parameters)
        found += [f"capabilities.conversion names the option {option!r}, which it has not" for option in unknown]
    for capability, members in needed:
        for member in members:
            if getattr(type(backend), member) is getattr(Backend, member):
                found.append(f"capabilities.{capability} needs {member}()")
    return found
