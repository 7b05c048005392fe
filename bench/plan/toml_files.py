"""Things that are one TOML file each, shipped under a name or a person's own: targets and suites."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

from bench.base.errors import UnknownName, UsageError, clip
from bench.base.wire import Unchecked

T = TypeVar("T")
Read = Callable[[str, str], T]  # from where and text to the thing; raises UsageError


def shipped(folder: Traversable, read: Read[T]) -> dict[str, T]:
    """Read every ``NAME.toml`` in a folder of the program, by name, in alphabetical order."""
    found = {e.name[:-5]: read(e.name, e.read_text("utf-8")) for e in folder.iterdir() if e.name.endswith(".toml")}
    return dict(sorted(found.items()))


def resolve(kind: str, text: str, known: Mapping[str, T], read: Read[T], list_command: str) -> T:
    """Return the thing of that name, which a command lists, or the one in that TOML file.

    Raises:
        UnknownName, UsageError: there is none, or the file cannot be read.
    """
    if text.endswith(".toml"):
        try:
            return read(text, Path(text).read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise UsageError(f"the {kind} file {clip(text)} cannot be read: {why}", "check the path") from error
    if text not in known:
        raise UnknownName(kind, text, known, list_command)
    return known[text]


def parse(kind: str, where: str, text: str, keys: Collection[str], example: str) -> Unchecked:
    """Parse the text of a file whose top-level keys are known.

    Raises:
        UsageError, UnknownName: it is no TOML, or has another key.
    """
    try:
        data: Unchecked = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{clip(where)} is not valid TOML: {error}", example) from error
    for key in data:
        if key not in keys:
            raise UnknownName(f"key of a {kind} (in {clip(where)})", key, keys)
    return data
