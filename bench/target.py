"""Targets: the machines that measure, one TOML each, shipped in ``targets/`` or a person's own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

from bench import toml_files
from bench.errors import UsageError

REACHES = ("local",)
EXAMPLE = "targets/local.toml is an example"


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
    return toml_files.shipped(files("bench.targets"), read)


def resolve(text: str) -> Target:
    """Return the target of that name, or the one in that TOML file.

    Raises:
        UnknownName, UsageError: there is none, or the file does not say what a target must.
    """
    return toml_files.resolve("target", text, shipped(), read)


def read(where: str, text: str) -> Target:
    """Read and check the text of a target file."""
    data = toml_files.parse("target", where, text, [f.name for f in fields(Target)], EXAMPLE)
    if not isinstance(data.get("name"), str):
        raise UsageError(f"{where} gives no name", 'write name = "..."')
    for key in ("reach", "python", "notes"):
        if not isinstance(data.get(key, ""), str):
            raise UsageError(f"{where}: {key} must be a text", EXAMPLE)
    if data.get("reach", "local") not in REACHES:
        raise UsageError(f"{where}: reach = {data['reach']!r} is not offered", f"reach is one of {', '.join(REACHES)}")
    cores = data.get("cores", [])
    if not isinstance(cores, list) or not all(isinstance(c, int) and c >= 0 for c in cores):
        raise UsageError(f"{where}: cores must be a list of core numbers", "e.g. cores = [2, 3]")
    return Target(**data | {"cores": tuple(cores)})
