"""Targets: the machines that measure, one TOML each, shipped in ``targets/`` or a person's own."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from bench.errors import UnknownName, UsageError, clip

REACHES = ("local",)


@dataclass(frozen=True, slots=True)
class Target:
    """A machine that measures: how it is reached, which interpreter and cores it measures with."""

    name: str
    reach: str = "local"
    python: str = ""
    cores: tuple[int, ...] = ()
    notes: str = ""


@cache
def shipped() -> dict[str, Target]:
    """Return the targets that come with the program, by name."""
    folder = files("bench.targets")
    found = [_read(e.name, e.read_text("utf-8")) for e in folder.iterdir() if e.name.endswith(".toml")]
    return {target.name: target for target in sorted(found, key=lambda t: t.name)}


def resolve(text: str) -> Target:
    """Return the target of that name, or the one in that TOML file.

    Raises:
        UnknownName, UsageError: there is none, or the file does not say what a target must.
    """
    if text.endswith(".toml"):
        try:
            return _read(text, Path(text).read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the target file {clip(text)} cannot be read: {error}", "check the path") from error
    if text not in shipped():
        raise UnknownName("target", text, shipped(), "bench list targets")
    return shipped()[text]


def _read(where: str, text: str) -> Target:
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where} is not valid TOML: {error}", "targets/local.toml is an example") from error
    known = {f.name: f.type for f in fields(Target)}
    for key in data:
        if key not in known:
            raise UnknownName(f"key of a target (in {where})", key, known)
    if not isinstance(data.get("name"), str):
        raise UsageError(f"{where} gives no name", 'write name = "..."')
    if data.get("reach", "local") not in REACHES:
        raise UsageError(f"{where}: reach = {data['reach']!r} is not offered", f"reach is one of {', '.join(REACHES)}")
    cores = data.get("cores", [])
    if not isinstance(cores, list) or not all(isinstance(c, int) and c >= 0 for c in cores):
        raise UsageError(f"{where}: cores must be a list of core numbers", "e.g. cores = [2, 3]")
    return Target(**data | {"cores": tuple(cores)})
