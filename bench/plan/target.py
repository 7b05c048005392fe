"""Targets: the machines that measure, one TOML each, shipped in ``targets/`` or a person's own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.resources import files

from bench.base.errors import UnknownName, UsageError, clip
from bench.base.wire import Unchecked
from bench.plan import toml_files
from bench.plan.spec import parts

EXAMPLE = "targets/local.toml is an example, docs/targets.md tells every key"
# Which keys belong to which way of reaching a target, besides those that every target has.
KEYS = {
    "local": (),
    "ssh": ("host", "port", "user", "identity_file", "config", "folder"),
    "adb": ("serial", "adb", "userland", "folder"),
    "container": ("engine", "image", "memory", "options"),
    "dask": ("scheduler",),
}
REACHES = tuple(KEYS)
NEEDED = {"ssh": "host", "container": "image", "dask": "scheduler"}
ANY = "any"  # the target of a case that any device of a fleet may measure
LISTS = ("cores", "backends", "options")
NUMBERS = ("port",)


@dataclass(frozen=True, slots=True)
class Target:
    """A machine that measures: how it is reached, which interpreter and cores it measures with, what it should have.

    `python` is the interpreter of the worker there; empty is the one that runs ``bench`` (local), the one that
    ``bench targets setup`` made (ssh, adb), ``python3`` of the image (container). `backends` are those it is expected
    to have. Of ssh: empty texts and 0 leave the choice to the person's ssh configuration; `folder` is where
    ``bench targets setup`` installs and where artifacts are kept there. Of adb: `serial` chooses the phone, `adb` is
    the program here, `userland` a folder or tar here that holds ``bin/python3``, which is pushed there.
    Of a container: `memory` is its limit, as ``2g``; `options` go to the engine as they are. Of a fleet (dask): the
    address of its `scheduler`.
    """

    name: str
    reach: str = "local"
    python: str = ""
    cores: tuple[int, ...] = ()
    backends: tuple[str, ...] = ()
    notes: str = ""
    host: str = ""
    port: int = 0
    user: str = ""
    identity_file: str = ""
    config: str = ""
    folder: str = ""
    serial: str = ""
    adb: str = ""
    userland: str = ""
    engine: str = "docker"
    image: str = ""
    memory: str = ""
    options: tuple[str, ...] = ()
    scheduler: str = ""


@cache
def shipped() -> dict[str, Target]:
    """Return the targets that come with the program, by name."""
    return toml_files.shipped(files("bench.targets"), read)


def resolve(text: str) -> Target:
    """Return the target of that name, or the one in that TOML file; ``:key=value,...`` after it overrides keys.

    Raises:
        UnknownName, UsageError: there is none, or it does not say what a target must.
    """
    head, overrides = _split(text)
    found = toml_files.resolve("target", head, shipped(), read, "bench targets list")
    changed: Unchecked = {key: _value(key, value, text) for key, value in overrides.items()}
    whole = replace(found, **changed)
    _check(clip(text), {f.name: getattr(whole, f.name) for f in fields(Target) if _belongs(f.name, whole, changed)})
    return whole


def read(where: str, text: str) -> Target:
    """Read and check the text of a target file."""
    data = toml_files.parse("target", where, text, [f.name for f in fields(Target)], EXAMPLE)
    _check(where, data)
    return Target(**data | {key: tuple(data[key]) for key in LISTS if key in data})


def _check(where: str, data: Unchecked) -> None:
    if not isinstance(data.get("name"), str):
        raise UsageError(f"{where} gives no name", 'write name = "..."')
    if "/" in data["name"] or data["name"].startswith("."):  # results/DATE/NAME.csv
        raise UsageError(f"{where}: name is part of a file's name, and cannot be a path", 'write name = "..."')
    cores = data.get("cores", [])
    if not isinstance(cores, (list, tuple)) or not all(isinstance(c, int) and c >= 0 for c in cores):
        raise UsageError(f"{where}: cores must be a list of core numbers", "e.g. cores = [2, 3]")
    for key, value in data.items():
        if key in NUMBERS:
            if not isinstance(value, int) or not 0 <= value <= 65535:
                raise UsageError(f"{where}: {key} must be a number from 1 to 65535", EXAMPLE)
        elif key in LISTS:
            if key != "cores" and not (isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)):
                raise UsageError(f"{where}: {key} must be a list of texts", EXAMPLE)
        elif not isinstance(value, str) or any(not c.isprintable() for c in value):
            raise UsageError(f"{where}: {key} must be a text", EXAMPLE)
    reach = data.get("reach", "local")
    if reach not in REACHES:
        raise UsageError(f"{where}: reach = {reach!r} is not offered", f"reach is one of {', '.join(REACHES)}")
    for key in data:
        owners = [other for other, keys in KEYS.items() if key in keys]
        if owners and reach not in owners:
            raise UsageError(f"{where}: {key} is for reach = {owners[0]!r}, and this is {reach!r}", EXAMPLE)
    needed = NEEDED.get(reach)
    if needed and not data.get(needed):
        raise UsageError(f"{where}: reach = {reach!r} needs {needed}", f'write {needed} = "..."')
    if data.get("engine", "docker") not in ("docker", "podman"):
        raise UsageError(f"{where}: engine is docker or podman", EXAMPLE)


def _belongs(key: str, target: Target, changed: Collection[str]) -> bool:
    common = not any(key in keys for keys in KEYS.values())
    return common or key in KEYS[target.reach] or key in changed


def _split(text: str) -> tuple[str, dict[str, str]]:
    """Split ``NAME:key=value,...`` or ``PATH.toml:key=value,...``."""
    head, dot, rest = text.partition(".toml:") if ".toml:" in text else (text, "", "")
    head, rest = (head + ".toml", rest) if dot else (text, "") if text.endswith(".toml") else text.partition(":")[::2]
    given = [part.partition("=") for part in parts(rest)]
    if any(not (key and equals) for key, equals, _ in given) or (text.endswith(":") and not rest):
        raise UsageError(f"{clip(text)!r} is not NAME:key=value,...", "e.g. arm64:host=board.local,user=me")
    return head, {key.strip(): value.strip() for key, _, value in given}


def _value(key: str, text: str, where: str) -> str | int | tuple[str, ...] | tuple[int, ...]:
    """Read an override; lists are written with a plus: cores=2+3."""
    if key not in (known := [f.name for f in fields(Target)]):
        raise UnknownName(f"key of a target (in {clip(where)})", key, known)
    parts = text.split("+") if key in LISTS else [text]
    if key in NUMBERS or key == "cores":
        if not all(part.isdigit() for part in parts):
            raise UsageError(f"{clip(where)}: {key}={clip(text)} is no number", "e.g. port=2222, cores=2+3")
        return tuple(map(int, parts)) if key == "cores" else int(text)
    return tuple(parts) if key in LISTS else text
