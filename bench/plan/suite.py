"""Suites: a plan that is worth a name, one TOML each, shipped in ``bench/suites/`` or a person's own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from pathlib import Path

from bench.base.errors import UsageError, clip
from bench.plan import toml_files
from bench.plan.protocol import LATENCY, MODES, PRECISIONS

EXAMPLE = 'e.g. models = ["shufflenetv2"]; bench/suites/quick.toml is an example'


@dataclass(frozen=True, slots=True)
class Suite:
    """Models, backends and settings whose cross product is measured; an option of the command line wins.

    `launches` and `budget` (seconds per case) are None where the suite leaves them to the program. `reference` is a
    case, ``MODEL[@BACKEND][@threads=N]``, that is measured with every run of the suite: `bench history` and `bench
    compare --reference` divide by it. Without `precisions` each backend runs in that of the weights. With
    `require_device` a case fails of which a part ran elsewhere than on the device, or in the delegate, that was asked
    for. With `installed_only` a backend whose runtime is not installed on the target is left out, with a line; else it
    is an error.
    """

    title: str
    models: tuple[str, ...]
    backends: tuple[str, ...] = ("onnxruntime",)
    threads: tuple[int, ...] = (1,)
    batch: tuple[int, ...] = (1,)
    resolution: tuple[int, ...] = ()
    mode: str = LATENCY
    streams: tuple[int, ...] = ()
    precisions: tuple[str, ...] = ()
    launches: int | None = None
    budget: float | None = None
    reference: str = ""
    installed_only: bool = False
    require_device: bool = False


TEXTS = ("title", "reference")
LISTS = {
    "models": str,
    "backends": str,
    "threads": int,
    "batch": int,
    "resolution": int,
    "streams": int,
    "precisions": str,
}


@cache
def shipped() -> dict[str, Suite]:
    """Return the suites that come with the program, by name."""
    return toml_files.shipped(files("bench").joinpath("suites"), read)


def resolve(text: str) -> Suite:
    """Return the suite of that name, or the one in that TOML file.

    Raises:
        UnknownName, UsageError: there is none, or the file does not say what a suite must.
    """
    return toml_files.resolve("suite", text, shipped(), read, "bench list suites")


def read(where: str, text: str) -> Suite:
    """Read and check the text of a suite file; what its specs name is checked when the plan is made."""
    data = toml_files.parse("suite", where, text, [f.name for f in fields(Suite)], EXAMPLE)
    for key, value in data.items():
        if key in LISTS:
            data[key] = _list(where, key, value, LISTS[key])
        elif key in ("launches", "budget") and not (type(value) in (int, float) and value > 0):
            raise UsageError(f"{clip(where)}: {key} must be a number above zero", EXAMPLE)
        elif key in TEXTS and not (isinstance(value, str) and value):
            raise UsageError(f"{clip(where)}: {key} must be a text", EXAMPLE)
        elif key == "mode" and value not in MODES:
            raise UsageError(f"{clip(where)}: mode must be {' or '.join(MODES)}", EXAMPLE)
        elif key in ("installed_only", "require_device") and not isinstance(value, bool):
            raise UsageError(f"{clip(where)}: {key} must be true or false", EXAMPLE)
    if not set(data.get("precisions", ())) <= set(PRECISIONS):
        raise UsageError(f"{clip(where)}: precisions are {', '.join(PRECISIONS)}", EXAMPLE)
    if not isinstance(data.get("launches", 1), int):
        raise UsageError(f"{clip(where)}: launches must be a whole number", EXAMPLE)
    if not data.get("models"):
        raise UsageError(f"{clip(where)} names no models", EXAMPLE)
    data.setdefault("title", Path(where).stem)
    return Suite(**data)


def _list(where: str, key: str, value: object, kind: type) -> tuple[object, ...]:
    if not isinstance(value, list) or not all(isinstance(v, kind) and not isinstance(v, bool) for v in value):
        noun = "texts" if kind is str else "whole numbers"
        raise UsageError(f"{clip(where)}: {key} must be a list of {noun}", EXAMPLE)
    return tuple(value)
